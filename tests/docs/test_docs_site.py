"""The site is built of all pages, without a warning and without a network."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from pages import PAGES, ROOT


class _Loaded(HTMLParser):
    """Gathers what a page loads: not what it links to."""

    def __init__(self):
        super().__init__()
        self.sources = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in ("script", "img", "iframe"):
            self.sources.append(given.get("src"))
        if tag == "link":
            self.sources.append(given.get("href"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build it, with the command of ``make docs``."""
    folder = tmp_path_factory.mktemp("site")
    (recipe,) = re.findall(r"^\t\$\(BIN\)/python (-m sphinx .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    arguments = recipe.replace("build/docs", str(folder)).split()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_on_the_site(site, page):
    assert (site / page).with_suffix(".html").is_file()


def test_it_begins_at_the_first_page(site):
    assert 'url=docs/index.html"' in (site / "index.html").read_text(encoding="utf-8")


def test_it_loads_nothing_from_a_network(site):
    loaded = _Loaded()
    for page in site.rglob("*.html"):
        loaded.feed(page.read_text(encoding="utf-8"))
    assert [source for source in loaded.sources if source and re.match(r"(\w+:)?//", source)] == []
