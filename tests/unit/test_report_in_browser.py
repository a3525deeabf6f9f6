"""report.html in a real browser: quiet, alone, legible, and its tables sort under mouse and keyboard."""

import pytest

from browser import Browser, faults, find_chromium
from d2tra.config import load_study
from d2tra.definitions import load_definition
from d2tra.disclosure import load_profile
from d2tra.documents.contents import report_contents
from d2tra.documents.pages import report_page
from d2tra.figures import draw_figures
from d2tra.figures.style import load_style
from d2tra.tables.cells import as_cells, count_cell, proportion_cell, text_cell, value_cell
from d2tra.tables.table import Table

CHROMIUM = find_chromium()
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium here (Debian: apt-get install chromium)"
)

FLOW = Table(
    "selection_flow",
    "Selection",
    as_cells(
        [
            count_cell("Patients with a valid row", "Remaining", 100),
            count_cell("Disease is not RA", "Left out", 5),
            count_cell("Disease is not RA", "Remaining", 95),
        ]
    ),
    ("Each patient is counted once.",),
)
CHARACTERISTICS = Table(
    "characteristics",
    "Characteristics",
    as_cells(
        [
            proportion_cell("Obese", "Met", 9, 12),
            proportion_cell("Fibromyalgia", "Met", 12, 95),
            count_cell("Fibromyalgia", "Met", 3, level="not recorded"),
            proportion_cell("Osteoarthritis", "Met", 0, 0),
            proportion_cell("Gout", "Met", 2, 9, note="suppressed"),
            proportion_cell("Asthma", "Met", 2, 2),
            value_cell("estimate", "Obese", "Odds ratio", 10.5, 2.0, 55.0),
            value_cell("estimate", "Fibromyalgia", "Odds ratio", 9.8, 1.5, 64.0),
            value_cell("estimate", "Asthma", "Odds ratio", -0.5, -1.0, 0.0),
            text_cell(
                "Asthma", "Note", "a long sentence that says why this one stands here and takes a line or two"
            ),
            text_cell("Obese", "Note", "another"),
        ]
    ),
    ("Percentages with Wilson 95 % confidence intervals.",),
)
PRINTED = ["Obese", "Fibromyalgia", "not recorded", "Osteoarthritis", "Gout", "Asthma"]
SORTED = {
    # without a number last; the level stays below its line; 12/95 (12.6 %) before 9/12 (75.0 %)
    "ascending": ["Fibromyalgia", "not recorded", "Obese", "Asthma", "Osteoarthritis", "Gout"],
    "descending": ["Asthma", "Obese", "Fibromyalgia", "not recorded", "Osteoarthritis", "Gout"],
}
TABLE = "document.querySelector('#table-characteristics')"
BAD_PAGE = """<!DOCTYPE html><html lang="en"><title>bad</title><body><header></header><header></header>
<h1>One</h1><svg><text fill="#8a8a8a">Pale</text></svg><h3>Three</h3><p style="color: #999">Faint</p><a href="#x"></a><main></main>
<div style="width: 3000px">wide</div><img alt="x" src="http://elsewhere.example/x.png">
<script>throw Error("thrown")</script></body></html>"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(CHROMIUM, tmp_path_factory.mktemp("browser") / "profile")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    study, profile, tables = load_study("audit_demo"), load_profile("local_audit"), [FLOW, CHARACTERISTICS]
    figures = draw_figures(["patient_flow"], tables, load_style(), "audit", profile, True)
    svgs = {name.removesuffix(".svg"): drawn for name, drawn in figures.items() if name.endswith(".svg")}
    definitions = [load_definition(name) for name in ("eular_2021", "strata_fit_1")]
    contents = report_contents(study, "audit", profile, True, tables, svgs, definitions)
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(report_page(contents, svgs), encoding="utf-8")
    return file


def rows(browser):
    return browser.run(f"[...{TABLE}.querySelectorAll('tbody th')].map((th) => th.textContent)")


def sorted_by(browser, column):
    return browser.run(f"{TABLE}.querySelectorAll('thead th')[{column}].getAttribute('aria-sort')")


@pytest.mark.parametrize("width", [1280, 400])
def test_the_report_is_quiet_asks_for_nothing_and_can_be_seen_heard_and_fits(
    browser, report, width, tmp_path
):
    assert faults(browser, report, width) == []
    assert ("image", "Flow of patients") in [(role, name.split(":")[0]) for role, name in browser.roles()]
    browser.photograph(tmp_path / f"report_{width}.png")
    assert (tmp_path / f"report_{width}.png").stat().st_size > 10_000  # something is drawn


def test_each_fault_of_a_page_is_found(browser, tmp_path):
    (tmp_path / "bad.html").write_text(BAD_PAGE, encoding="utf-8")
    found = faults(browser, tmp_path / "bad.html", 1280)
    for fault in (
        "thrown", "asks for http://elsewhere.example/x.png", "banner: not one", "navigation: not one", "contentinfo: not one",
        "link without a name", "heading 3 below 1", "faint: Faint", "faint: Pale", "wider than 1280 px",
    ):  # fmt: skip
        assert any(fault in said for said in found), (fault, found)
    assert not any(said.startswith("main") for said in found)


def test_a_click_on_a_heading_sorts_by_percentage_up_down_and_as_printed(browser, report):
    browser.open(report, 1280)
    assert rows(browser) == PRINTED
    for order in ("ascending", "descending", None):
        browser.click(f"{TABLE}.querySelectorAll('thead button')[1]")
        assert sorted_by(browser, 1) == order
        assert rows(browser) == SORTED.get(order, PRINTED)


def test_numbers_sort_as_numbers_and_words_as_words(browser, report):
    browser.open(report, 1280)
    browser.click(f"{TABLE}.querySelectorAll('thead button')[2]")  # −0.50, 9.80, 10.50
    assert rows(browser)[:4] == ["Asthma", "Fibromyalgia", "not recorded", "Obese"]
    browser.click(f"{TABLE}.querySelectorAll('thead button')[0]")
    assert rows(browser) == ["Asthma", "Fibromyalgia", "not recorded", "Gout", "Obese", "Osteoarthritis"]
    assert [sorted_by(browser, column) for column in (0, 2)] == ["ascending", None]


def test_the_keyboard_skips_to_the_content_reaches_a_heading_and_sorts(browser, report):
    browser.open(report, 1280)
    browser.press("Tab")
    assert browser.run("document.activeElement.textContent") == "Skip to the content"
    browser.press("Enter")
    assert browser.run("document.activeElement.id") == "content"
    browser.run(f"{TABLE}.querySelector('.wide').focus()")
    browser.press("Tab")
    browser.press("Tab")
    assert browser.run("document.activeElement.textContent") == "Met"
    browser.press("Enter")
    assert rows(browser) == SORTED["ascending"]


def test_what_has_the_focus_is_outlined(browser, report):
    browser.open(report, 1280)
    for _ in range(12):
        browser.press("Tab")
        outline = browser.run("(({outlineStyle, outlineWidth}) => [outlineStyle, parseFloat(outlineWidth)])(getComputedStyle(document.activeElement))")  # fmt: skip
        assert outline[0] == "solid"
        assert outline[1] >= 2


def test_every_entry_of_the_contents_leads_somewhere(browser, report):
    browser.open(report, 1280)
    links = "[...document.querySelectorAll('nav a')]"
    assert browser.run(f"{links}.length") == 7
    assert browser.run(f"{links}.filter((a) => !document.querySelector(a.hash)).map((a) => a.hash)") == []


def test_on_paper_there_is_no_navigation_and_no_table_is_cut(browser, report):
    browser.open(report, 1280)
    browser.send("Emulation.setEmulatedMedia", media="print")
    shown = browser.run("[getComputedStyle(document.querySelector('nav')).display, getComputedStyle(document.querySelector('.wide')).overflowX]")  # fmt: skip
    browser.send("Emulation.setEmulatedMedia", media="")
    assert shown == ["none", "visible"]
