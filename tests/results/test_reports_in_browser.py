"""The reports of a finished study, opened in a real browser at the widths of a desk and of a telephone."""

import pytest

from browser import Browser, faults, find_chromium
from small_study import COHORTS, PROFILE_PLACES, Run

CHROMIUM = find_chromium()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (Debian: apt-get install chromium)"),
]


@pytest.mark.parametrize("profile", sorted(PROFILE_PLACES))
def test_every_report_opens_without_a_fault_at_1280_and_400_pixels(
    small: Run, profile: str, tmp_path
) -> None:
    browser = Browser(CHROMIUM, tmp_path / "profile")
    found = {
        (cohort, width): faults(
            browser, small.results / PROFILE_PLACES[profile] / cohort / "report.html", width
        )
        for cohort in COHORTS
        for width in (1280, 400)
    }
    browser.close()
    assert [said for said in found.items() if said[1]] == []
