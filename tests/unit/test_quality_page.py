"""quality.html in words and in a browser: what fails stands first, nothing is asked for, the filters filter."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from browser import Browser, faults, find_chromium
from d2tra.documents.quality_page import percent_of, quality_page, tint
from d2tra.expectations import FOUND
from d2tra.extract.catalogue import CHECKS
from d2tra.extract.catalogue.histories import PAIRS
from d2tra.extract.catalogue.run import FILLED
from d2tra.figures.style import load_style

CHROMIUM = find_chromium()
SHOWN = "[...document.querySelectorAll('#all-checks tbody tr')].filter((row) => !row.hidden).length"


def check(name: str, status: str, severity: str, share: float | None, column: str | None = "pain_mm") -> dict[str, object]:  # fmt: skip
    counts = (
        {"n_rows": 0, "n_failing": 0} if share is None else {"n_rows": 10000, "n_failing": round(100 * share)}
    )
    return {"check": f"{name}.visits", "table": "visits", "column": column, "category": "completeness", "subcategory": "per_year",
            "description": f"{name} <is expected>.", "threshold": 5.0, **counts, "share": share, "status": status, "note": None,
            "family": name, "severity": severity, "counted": "cells", "source": "choice"}  # fmt: skip


CHECKED = [
    check("passes", "pass", "warning", 1.0),
    check("small_note", "fail", "note", 6.0),
    check("warned", "fail", "warning", 5.5, None),
    check("large_note", "fail", "note", 60.0),
    check("without", "not_applicable", "note", None),
    check("broken", "error", "note", None),
]
EXPECTED = [
    {"expectation": "female", "description": "Women", "n": 12, "n_known": 20, "n_not_known": 3, "found": 60.0, "ci_low": 38.66, "ci_high": 78.12,
     "unit": "%", "expected_low": 65.0, "expected_high": 80.0, "verdict": "below", "note": "chance", "source": "Luciano 2025"},
    {"expectation": "age", "description": "Age", "n_known": 0, "n_not_known": 23, "unit": "years", "expected_low": 40.0, "expected_high": 60.0,
     "verdict": "not_known", "source": "Becede 2019"},
]  # fmt: skip
CELLS = [("visits", "pain_mm", "year", "2019", 400, 399), ("visits", "pain_mm", "year", "2020", 400, 1), ("visits", "pain_mm", "year", "1999", 19, 19)]  # fmt: skip


def page() -> str:
    found = {
        "quality_checks": pl.DataFrame(CHECKED, schema=CHECKS),
        "expectations": pl.DataFrame(EXPECTED, schema=FOUND),
        "same_patient": pl.DataFrame(
            [("SECRET1", "SECRET2", "male", 1950, None, 1, 1)], schema=PAIRS, orient="row"
        ),
    }
    return quality_page("Here", True, found, pl.DataFrame(CELLS, schema=FILLED, orient="row"), load_style())


def test_the_page_says_that_it_is_internal_and_synthetic_and_names_no_patient() -> None:
    text = page()
    assert "internal: not for release" in text
    assert "SYNTHETIC DATA" in text
    assert "1 pair of patient ids may be one person" in text
    assert "SECRET" not in text


def test_errors_stand_first_then_warnings_then_the_largest_shares() -> None:
    section = page().split('<section id="pressing">')[1].split("</section>")[0]
    places = [section.index(f"{name} &lt;is expected&gt;") for name in ("broken", "warned", "large_note", "small_note")]  # fmt: skip
    assert places == sorted(places)
    assert "passes" not in section
    assert "6 checks: 1 pass, 3 fail (1 of them warnings), 1 are not applicable, 1 could not run." in page()


def test_a_cell_is_0_or_100_percent_only_where_none_or_all_are_filled() -> None:
    assert [percent_of(k, 400) for k in (0, 1, 200, 399, 400)] == [0, 1, 50, 99, 100]
    assert "<td style=" in page()
    assert "1999" not in page()


def test_what_is_found_is_a_fraction_with_its_interval_and_what_is_not_known_a_dash() -> None:
    assert "12/20 (60.0 %; 38.7–78.1)" in page()
    assert '<th scope="row" class="not_known">not known</th><td>Age</td><td class="short">–</td>' in page()


def test_a_colour_deepens_with_the_share() -> None:
    assert [tint("#E69F00", share) for share in (0, 1)] == ["#ffffff", "#ecb740"]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (Debian: apt-get install chromium)")
def test_the_page_is_quiet_asks_for_nothing_fits_and_filters(tmp_path: Path) -> None:
    (tmp_path / "quality.html").write_text(page(), encoding="utf-8")
    browser = Browser(CHROMIUM or "", tmp_path / "profile")
    try:
        for width in (400, 1280):
            assert faults(browser, tmp_path / "quality.html", width) == []
        assert browser.run(SHOWN) == len(CHECKED)
        for field, value, n in (("status", "fail", 3), ("severity", "note", 2), ("text", "large", 1)):
            browser.run(f"(() => {{ const f = document.querySelector('[name={field}]'); f.value = '{value}'; f.dispatchEvent(new Event('input', {{bubbles: true}})) }})()")  # fmt: skip
            assert browser.run(SHOWN) == n
        assert browser.run("document.querySelector('#shown').textContent") == "1 of 6 checks"
    finally:
        browser.close()
