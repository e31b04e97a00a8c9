"""Opens reports in a real, headless Chromium, with its network off; without one these tests are skipped and say so."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from report_rows import FAMILIES, LABELS

from pytest_dsocr.report.html import html_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

    from pytest_dsocr import Results

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--force-prefers-reduced-motion",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--window-size=1280,900",
)


def found(variable: str, *names: str) -> str | None:
    """Find a program by an environment variable, or by its name on the path."""
    return os.environ.get(variable) or next(filter(None, map(shutil.which, names)), None)


class Page:
    """A report that is open in the browser."""

    def __init__(self, driver: Chrome, path: Path) -> None:
        self.driver = driver
        self.path = path

    def all(self, selector: str) -> list[WebElement]:
        """Find all elements of a CSS selector."""
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> WebElement:
        """Find the first element of a CSS selector."""
        return self.driver.find_element("css selector", selector)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a function's body in the page."""
        return self.driver.execute_script(script, *arguments)

    def click(self, selector: str) -> None:
        """Click on the first element of a selector, wherever it is."""
        self.run("document.querySelector(arguments[0]).click()", selector)

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Wait, after what is done within, until the page has followed its new address."""
        listen = "addEventListener('hashchange', () => setTimeout(done), { once: true })"
        self.run(f"window.moved = new Promise((done) => {listen})")
        yield
        self.driver.execute_async_script("window.moved.then(arguments[0])")

    def texts(self, selector: str) -> list[str]:
        """Read the text of all elements of a selector at once, seen or not."""
        return self.run("return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)", selector)

    def column(self, name: str) -> list[str]:
        """Read a column of the table of all rows, of the lines that are there."""
        return self.texts("tr.line .open" if name == "layer" else f"tr.line > .{name}")

    def choose(self, label: str, value: str) -> None:
        """Set the filter with this label, as a reader does."""
        script = """
            const of = (one) => one.querySelector("span").textContent === arguments[0];
            const input = [...document.querySelectorAll("form.filters label")].find(of).querySelector("select, input");
            input.value = arguments[1];
            input.dispatchEvent(new Event(input.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
        """
        self.run(script, label, value)

    @property
    def count(self) -> str:
        """What the page says of how many rows are shown."""
        return self.one("#row-count").text

    def log(self) -> list[str]:
        """Take what the page has put on the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Take the addresses that the page has asked for since the last call."""
        events = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]

    def set_media(self, media: str = "", **features: str) -> None:
        """Pretend another medium, or another wish of the reader."""
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": listed})

    def set_width(self, width: int) -> None:
        """Make the window so many CSS pixels wide; 0 gives it its own width back."""
        metrics = {"width": width, "height": 800 if width else 0, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


@pytest.fixture(scope="session")
def driver() -> Iterator[Chrome]:
    """Start one browser for all tests."""
    browser, program = found("DSOCR_CHROMIUM", *BROWSERS), found("DSOCR_CHROMEDRIVER", "chromedriver")
    if not browser or not program:
        pytest.skip("needs chromium and chromedriver: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(program))
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    running.execute_cdp_cmd("Network.enable", {})
    running.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield running
    running.quit()


@pytest.fixture
def opened(driver: Chrome, tmp_path: Path) -> Iterator[Callable[[Results], Page]]:
    """Write a report and open it from disk; at the end the console has to be empty."""
    page = Page(driver, tmp_path / "report.html")

    def open_report(results: Results, fragment: str = "") -> Page:
        page.path.write_text(html_text(results, LABELS, FAMILIES), encoding="utf-8")
        driver.get("about:blank")
        page.log(), page.requests()
        driver.get(page.path.as_uri() + fragment)
        return page

    yield open_report
    page.set_media()
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert page.log() == []
