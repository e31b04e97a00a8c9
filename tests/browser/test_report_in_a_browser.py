"""The HTML report in a real browser: from disk, offline, by mouse and keys, light and dark, on paper and a phone."""

import base64
from itertools import pairwise
from pathlib import Path

import pytest
from report_rows import every_grid, make_row, make_time, mixed_run

from pytest_dsocr import NotRun, Results, Verdict
from pytest_dsocr.report.text import figure_of, printable

Keys = pytest.importorskip("selenium.webdriver", reason="needs selenium, of the dependency group dev").Keys

# --- it opens ---


def test_it_opens_from_disk_and_asks_for_nothing_else(opened):
    page = opened(mixed_run())
    assert page.one("h1").text == "Of 137 comparisons, 2 failed and 1 inconclusive"
    assert [url for url in page.requests() if not url.startswith("data:")] == [page.path.as_uri()]


def test_it_says_what_came_of_the_run_without_a_script(opened, driver):
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page = opened(mixed_run())
        text = page.one("body").text
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "Of 137 comparisons, 2 failed and 1 inconclusive" in text
    assert "--dsocr-require gpu: nothing was measured" in text
    assert "26,282,188,800" in text
    assert "drawn by the page's script, which does not run here" in text


def test_a_run_without_rows_is_a_page(opened):
    page = opened(Results(not_run=(NotRun("test_a", "no GPU"),)))
    assert page.one("h1").text == "Nothing was compared"
    assert page.all("#sweeps:not([hidden]), #roofline:not([hidden])") == []


# --- filter and sort ---


@pytest.mark.parametrize(
    ("label", "value", "count"),
    [
        ("Layer", "vision.Block", 1),
        ("Metric", "tensor_flops", 45),  # 30 of attention, 15 of three grids
        ("Crop grid", "2x3", 35),  # 7 metrics of 5 stages
        ("Case", "decode step 5", 21),  # 7 metrics of step 50, on three grids
        ("Verdict", "fail", 2),
        ("Verdict", "no pass", 3),
        ("Search", "h100 latency", 0),  # devices have a filter of their own
        ("Search", "SLOWER", 1),
    ],
    ids=lambda value: str(value),
)
def test_a_filter_leaves_its_rows(opened, label, value, count):
    page = opened(mixed_run())
    page.choose(label, value)
    assert page.count == f"{count} of 137 rows"
    assert len(page.all("tr.line")) == count


def test_filters_add_up_and_are_cleared(opened):
    page = opened(mixed_run())
    page.choose("Layer", "model.Vision")
    page.choose("Metric", "io_bytes")
    assert sorted(page.column("case")) == ["1x2 crops", "2x3 crops", "3x3 crops"]
    page.one("form.filters button[type=reset]").click()
    assert (
        page.run(
            "return new Promise((done) => setTimeout(() => done(document.querySelector('#row-count').textContent)))"
        )
        == "137 rows"
    )


def test_the_address_keeps_the_filters(opened):
    page = opened(mixed_run(), "#rows?layer=model.Decoder&grid=3x3")
    assert page.count == "28 of 137 rows"
    page.choose("Metric", "io_bytes")
    assert page.run("return location.hash") == "#rows?layer=model.Decoder&metric=io_bytes&grid=3x3"


def test_what_moved_against_the_baseline_has_a_filter(opened):
    page = opened(Results((*mixed_run().rows[29:31], mixed_run().rows[31]), (), ()), "#rows?change=regression")
    assert page.column("layer") == ["vision.Block"]
    assert page.column("baseline") == ["regression +25%"]


def test_a_place_on_the_map_of_layers_leads_to_its_rows(opened):
    page = opened(mixed_run())
    with page.moving():
        page.click("table.map td.fail a")
    assert page.count == "30 of 137 rows"
    assert set(page.column("layer")) == {"vision.Attention"}
    with page.moving():
        page.click("ul.grids a")
    assert page.count == "35 of 137 rows"


def test_a_story_leads_to_its_row_and_opens_it(opened):
    page = opened(mixed_run())
    with page.moving():
        page.click("article.story h3 a")
    assert page.column("case") == ["window, 1024"]
    assert page.one("tr.detail .details").is_displayed()


def sort_by(page, head):
    next(one for one in page.all("table.rows thead button") if one.text == head).click()
    return [one.get_attribute("aria-sort") for one in page.all("table.rows thead th")]


def test_failures_come_first_until_a_head_sorts_the_rows(opened):
    rows = [make_row(case=f"{n} crops", predicted=n, measured=n) for n in (2, 10, 9)]
    page = opened(Results((*rows, make_row(case="wrong", predicted=5, measured=4))))
    assert page.column("case") == ["wrong", "2 crops", "10 crops", "9 crops"]
    assert sort_by(page, "case").count("ascending") == 1
    assert page.column("case") == ["2 crops", "9 crops", "10 crops", "wrong"]  # by number, not by letter
    sort_by(page, "predicted")
    assert page.column("predicted") == ["10", "9", "5", "2"]
    assert sort_by(page, "predicted")[3] == "ascending"
    assert page.column("predicted") == ["2", "5", "9", "10"]


def test_thousands_of_rows_are_shown_as_they_are_asked_for(opened):
    page = opened(every_grid())
    assert page.count == "3,150 rows"
    assert len(page.all("tr.line")) == 50
    page.choose("Search", "step 15x26 bytes")
    assert page.count == "12 of 3,150 rows"  # 4 byte metrics of 3 steps
    page.choose("Search", "")
    sort_by(page, "measured")
    assert page.column("case")[0] == "15x26 crops"
    page.all(".more button")[1].click()
    whole = """
        const done = arguments[0];
        const look = () => document.querySelector(".more").hidden ? done(document.querySelectorAll("tr.line").length)
          : requestAnimationFrame(look);
        look();
    """
    assert page.driver.execute_async_script(whole) == 3150


# --- figures ---


FIGURES = [0, 1, 999, 1000, 71_672_266_752, 2**53, 2**53 + 1, 10**30, 0.1, 1234567.5, 1e-7, 1.5e22, 1e21, 123456789.25]
TIMES = [1e-10, 9.99996e-10, 1.5e-9, 3.2e-6, 0.00099999, 0.0123456, 0.99996, 1.0, 59.123456, 12345.678]


def test_figures_read_as_in_the_terminal(opened):
    counts = [make_row(case=f"{n}", predicted=one, measured=one) for n, one in enumerate(FIGURES)]
    times = [make_time(one, [one], case=f"{n}", layer="vision.Block") for n, one in enumerate(TIMES)]
    page = opened(Results((*counts, *times)))
    assert page.column("measured") == [
        *(figure_of("tensor_flops", one) for one in FIGURES),
        *(figure_of("latency_s", one) for one in TIMES),
    ]


def test_what_is_no_number_is_told_and_comes_last(opened):
    broken = make_row(case="broken", measured=float("nan"), verdict=Verdict.ERROR, relative_difference=None)
    endless = make_row(case="endless", measured=float("inf"), verdict=Verdict.ERROR, relative_difference=float("nan"))
    page = opened(Results((broken, endless, make_row())))
    assert page.column("measured")[:2] == ["nan", "inf"]
    sort_by(page, "measured")
    assert page.column("case") == ["endless", "1024 view", "broken"]


# --- what is below a row ---


def test_a_row_opens_by_the_keyboard_and_arrows_go_through_the_rows(opened):
    page = opened(mixed_run())
    first = page.one("tr.line .open")
    page.run("arguments[0].focus()", first)
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    active = page.driver.switch_to.active_element
    assert active.text == "vision.Block"
    assert page.run("return document.querySelectorAll('tr.line .open[tabindex=\"0\"]').length") == 1
    active.send_keys(Keys.ENTER)
    assert active.get_attribute("aria-expanded") == "true"
    assert page.one("tr.detail").is_displayed()
    active.send_keys(Keys.SPACE)
    assert page.all("tr.detail") == []
    active.send_keys(Keys.HOME)
    assert page.driver.switch_to.active_element == first


def test_text_of_a_row_can_be_selected_and_keys_still_open_it(opened):
    page = opened(mixed_run())
    page.run("getSelection().selectAllChildren(document.querySelector('tr.line .case'))")
    page.click("tr.line .case")
    assert page.all("tr.detail") == []
    page.one("tr.line .open").send_keys(Keys.ENTER)
    assert len(page.all("tr.detail")) == 1


def test_tab_reaches_every_control_and_shows_where_it_is(opened):
    page = opened(mixed_run())
    page.run("document.querySelector('#search, form.filters input').focus()")
    where = "const at = document.activeElement; return [at.tagName, at.className, getComputedStyle(at).outlineStyle]"
    seen = []
    for _ in range(24):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        seen.append(page.run(where))
    assert [tag for tag, *_ in seen[:7]] == ["SELECT", "SELECT", "SELECT", "INPUT", "SELECT", "SELECT", "BUTTON"]
    assert ["BUTTON", "open", "solid"] in seen
    assert sum(name == "open" for _, name, _ in seen) == 1  # one of the rows; arrows reach the others
    assert {outline for tag, _, outline in seen if tag != "BODY"} <= {"solid", "auto"}


def test_an_open_row_shows_its_ops_predicted_and_counted(opened):
    page = opened(mixed_run(), "#rows?case=window,+1024")
    assert page.texts(".details .terms tbody tr > :nth-child(5)") == ["=", "≠", "="]
    assert page.texts(".details .terms tbody tr:nth-child(2) > td")[5:] == ["210,739,200", "aten::bmm x 2"]
    assert page.one(".details caption").text == "Ops, predicted and counted: 1 of 3 lines part ways"
    assert "batch=25" in page.one(".details").text


def test_an_open_time_shows_its_rounds_its_spread_and_its_standing(opened):
    page = opened(mixed_run(), "#rows?layer=vision.Block")
    text = page.one(".details").text
    for said in ("12.50 ms ± 489.9 µs", "9.450 ms to 12.60 ms", "calibrated, h100.json, graph", "cold cache, graph"):
        assert said in text
    assert "regression +25%; rank test: p = 0.0001; in baselines/h100.json" in text
    assert len(page.all(".details .strip .sample")) == 17


# --- plots ---


def test_the_sweeps_show_each_grid_predicted_and_measured(opened):
    page = opened(every_grid())
    titles = page.texts("#sweeps figcaption b")
    assert titles == ["Vision: crops", "Decoder: prefill", "Decoder: decode step"]
    marks = page.run(
        "return [...document.querySelectorAll('#sweeps .chart')].map((one) => one.querySelectorAll('.mark').length)"
    )
    assert marks == [90, 90, 270]


def test_arrow_keys_tell_the_points_of_a_sweep_and_enter_leads_to_the_row(opened):
    page = opened(every_grid())
    chart = page.one("#sweeps .chart")
    page.run("arguments[0].focus()", chart)
    chart.send_keys(Keys.END)
    assert page.texts("#sweeps .tip > *")[0] == "15x26: 390 crops, crops"
    chart.send_keys(Keys.HOME, Keys.ARROW_RIGHT)
    assert page.texts("#sweeps .tip > *") == [
        "1x3: 3 crops, crops",
        "predicted 2.304 TFLOP",
        "measured 2.304 TFLOP",
        "0% pass",
    ]
    with page.moving():
        chart.send_keys(Keys.ENTER)
    assert page.count == "1 of 3,150 rows"


def test_a_pointer_near_a_point_shows_its_tip(opened):
    page = opened(every_grid())
    page.run("document.querySelector('#sweeps').scrollIntoView()")
    page.run(
        """
        const mark = [...document.querySelectorAll("#sweeps .chart .mark")].at(89).getBoundingClientRect();
        const [clientX, clientY] = [mark.x + mark.width / 2 + 3, mark.y + mark.height / 2];
        document.querySelector("#sweeps .chart").dispatchEvent(new PointerEvent("pointermove", { clientX, clientY }));
        """
    )
    assert page.one("#sweeps .tip b").text == "15x26: 390 crops, crops"


def test_a_grid_that_fails_is_a_cross(opened):
    rows = [make_row(layer="model.Vision", case=f"1x{n} crops", predicted=n, measured=n) for n in (1, 2, 3)]
    wrong = make_row(layer="model.Vision", case="2x2 crops", predicted=4, measured=5)
    page = opened(Results((*rows, wrong)))
    assert len(page.all("#sweeps .mark.cross")) == 1


def test_times_show_how_far_each_prediction_is_off(opened):
    rows = [make_time(0.1 * (1 + n / 100), [0.1], case=f"{n} % off", layer="vision.Block") for n in range(10)]
    page = opened(Results((*rows, make_time(0.05, [0.1], case="half", layer="vision.MLPBlock"))))
    # of 11 differences, 0 to 9 % and -50 %, the 6th is 5 %, the 10th 9 %
    said = "half of the predictions are within 5%, nine of ten within 9%, the farthest is off by 50%"
    assert said in page.one("#times .note").text
    assert len(page.all("#times .mark.full")) == 10
    assert len(page.all("#times .mark.cross")) == 1
    chart = page.one("#times .chart")
    page.run("arguments[0].focus()", chart)
    chart.send_keys(Keys.END)
    assert page.texts("#times .tip > *")[-1] == "-50.0% fail"


def test_arrow_keys_go_beyond_the_lines_that_are_there(opened):
    page = opened(every_grid())
    page.run("document.querySelector('tr.line .open').focus()")
    page.driver.switch_to.active_element.send_keys(Keys.END)
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert page.run("return [...document.querySelectorAll('tr.line .open')].indexOf(document.activeElement)") == 50


def counted(layer, case, device=None, seconds=None):
    about = {"layer": layer, "case": case, "sizes": {"batch": 1}}
    figures = {"tensor_flops": 2_000_000, "cuda_flops": 0, "io_bytes": 10_000}
    rows = [make_row(**about, metric=name, predicted=one, measured=one) for name, one in figures.items()]
    return [*rows, make_time(seconds, [seconds], **{**about, "case": f"{case}, in time"})] if seconds else rows


def test_the_roofline_is_that_of_the_card_that_was_measured(opened):
    page = opened(Results((*counted("vision.Block", "view", seconds=1e-6), *counted("vision.MLPBlock", "view"))))
    assert page.run("return document.querySelector('#roofline select').value") == "H100 SXM"
    chart = page.one("#roofline .chart")
    page.run("arguments[0].focus()", chart)
    chart.send_keys(Keys.HOME)
    # 2,000,000 FLOPs over 10,000 bytes, in 1 us
    assert page.texts("#roofline .tip > *") == [
        "vision.Block, view",
        "200 FLOP a byte",
        "2 MFLOP over 10 kB",
        "2 TFLOP/s in 1.000 µs",
    ]
    assert len(page.all("#roofline .mark.pale")) == 1  # the layer that nobody timed stands at the roof


def test_other_cards_roofs_can_be_chosen(opened):
    page = opened(Results(tuple(counted("vision.Block", "view"))))
    choice = page.one("#roofline select")
    assert page.run("return arguments[0].value", choice) == "RTX 5090"
    assert "209.5 TFLOP/s" in page.one("#roofline").text
    page.run("arguments[0].value = 'H200'; arguments[0].dispatchEvent(new Event('change'))", choice)
    assert "989 TFLOP/s" in page.one("#roofline").text.replace("989.4", "989").replace("989.5", "989")


# --- names that would break or run ---

HOSTILE = [
    "<script>window.hostile = 1</script>",
    "</script><script>window.hostile = 1</script>",
    "<img src=x onerror='window.hostile = 1'>",
    '"><svg onload="window.hostile = 1">',
    "' onmouseover='window.hostile = 1",
    "javascript:window.hostile=1",
    "{{ 7 * 7 }} {% raw %} ${window.hostile = 1}",
    "<!-- <script>",
    "a\nb\r\nc\td",
    "\x1b[31mred\x1b[0m \x07",
    "::error::took over",
    "right\u202eleft \u2028 \u2029 \ud800",
    "__proto__",
    "&lt;b&gt; &amp; <b>bold</b>",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_name_neither_runs_nor_breaks_the_page(opened, name):
    texts = dict.fromkeys(("layer", "case", "rule", "because", "reason", "test", "source", "notes", "model"), name)
    other = make_row(**texts, metric=name, predicted=1, measured=2, sizes={name: 3}, details={name: 4})
    swept = [make_row(layer=f"model.{name}", case=f"{grid} {name}", sizes={name: 1}) for grid in ("1x2", "2x3")]
    environment = {name: name}
    page = opened(Results((other, *swept), (NotRun(name, name),), (environment, environment), (name,)))
    page.run("for (const one of document.querySelectorAll('tr.line')) one.click()")
    assert len(page.all("tr.detail")) == 3
    assert page.run("return window.hostile ?? null") is None
    assert page.all("main img, main script, main b b, [onerror], [onload]:not(script), [onmouseover]") == []
    shown = printable(name)
    assert page.column("layer")[0] == shown
    assert page.one("#summary .complaints li").get_property("textContent") == shown
    page.choose("Layer", shown)
    assert page.count == "1 of 3 rows"


# --- light and dark, phone and paper ---

LEAST_CONTRAST = 4.5
"""WCAG 2.2, level AA, for text."""

CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(opened, scheme):
    page = opened(mixed_run())
    page.set_media(prefers_color_scheme=scheme)
    page.run("for (const one of [...document.querySelectorAll('tr.line')].slice(0, 4)) one.click()")
    found = page.run(CONTRAST)
    assert len(found) > 500
    assert [said for contrast, said in found if contrast < LEAST_CONTRAST] == []


def background(page):
    return page.run("return getComputedStyle(document.body).backgroundColor")


def test_the_theme_is_the_systems_until_the_reader_says_otherwise(opened):
    page = opened(mixed_run())
    page.run("localStorage.clear()")
    page.driver.refresh()
    page.set_media(prefers_color_scheme="light")
    light = background(page)
    page.set_media(prefers_color_scheme="dark")
    dark = background(page)
    assert light != dark
    button = page.one("#theme")
    said = []
    for _ in range(3):
        button.click()
        said.append((button.text, background(page)))
    assert said == [("Theme: light", light), ("Theme: dark", dark), ("Theme: system", dark)]


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1280])
def test_no_width_makes_the_page_scroll_sideways(opened, width):
    page = opened(Results((*mixed_run().rows, make_row(layer="vision." + "Very" * 40, case="x" * 300, predicted=1))))
    page.set_width(width)
    page.run("for (const one of document.querySelectorAll('tr.line')) one.click()")
    assert page.run("return document.documentElement.scrollWidth") <= width


def test_on_paper_are_the_summary_and_every_failure_but_no_controls(opened):
    page = opened(mixed_run())
    page.set_media("print")
    assert all(one.is_displayed() for one in page.all("#summary, article.story, .complaints"))
    assert not any(one.is_displayed() for one in page.all("nav, button, select, input, #rows"))
    pdf = base64.b64decode(page.driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pdf.startswith(b"%PDF-")


# --- semantics ---


def test_controls_have_names_and_headings_their_order(opened):
    page = opened(mixed_run())
    nameless = """
        return [...document.querySelectorAll("a, button, input, select, svg[role=img], [role=region]")]
          .filter((one) => !(one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length)).length
    """
    assert page.run(nameless) == 0
    levels = [int(one.tag_name[1]) for one in page.all("h1, h2, h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = page.run("return [...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
