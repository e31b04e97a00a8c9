"""Every link of every page leads somewhere, on GitHub as on the site: to a file, and a heading in it."""

import re
from pathlib import PurePosixPath

import pytest
from pages import PAGES, ROOT, text_of

FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def links_of(page):
    """List the links of a page that lead into the repository."""
    found = re.findall(r"\]\(([^()\s]+)\)", FENCED.sub("", text_of(page)))
    return sorted({link for link in found if not re.match(r"https?:|mailto:", link)})


def anchors_of(page):
    """List the anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_somewhere(page):
    dead = []
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (ROOT / PurePosixPath(page).parent / path).resolve() if path else ROOT / page
        there = target.is_relative_to(ROOT) and target.exists()
        if there and anchor:
            there = anchor in anchors_of(target.relative_to(ROOT).as_posix())
        if not there:
            dead.append(link)
    assert dead == []


def test_every_page_of_the_docs_is_reached_from_their_first():
    """Through links alone, as on GitHub, where nobody sees a table of contents."""
    reached, ahead = set(), ["docs/index.md"]
    while ahead:
        page = ahead.pop()
        if page in reached:
            continue
        reached.add(page)
        for link in links_of(page):
            target = (ROOT / PurePosixPath(page).parent / link.partition("#")[0]).resolve()
            if target.is_relative_to(ROOT) and target.suffix == ".md":
                ahead.append(target.relative_to(ROOT).as_posix())
    assert {page for page in PAGES if page.startswith("docs/")} - reached == set()
