"""The small study's share files: in every place, sealed, listed in the manifest, and silent on small counts."""

import pytest

from d2tra import io
from d2tra.centres.share import read_share
from small_study import PROFILE_PLACES, Run


@pytest.mark.parametrize(("profile", "place"), PROFILE_PLACES.items())
def test_each_site_has_a_file_that_a_coordinator_can_read(small: Run, profile: str, place: str) -> None:
    path = small.results / place / "share" / "small_site.json"
    found = read_share(path)
    assert (found.profile, found.site, found.share) == (profile, "small_site", "aggregates")
    assert found.fits
    assert found.prevalence
    assert "share/small_site.json" in io.read_json(small.results / place / "manifest.json")["files"]


def test_of_forty_patients_no_estimate_leaves_and_each_is_named(small: Run) -> None:
    """Every table of a factor against the outcome has a cell from 1 to 7."""
    found = read_share(small.results / PROFILE_PLACES["opensafely"] / "share" / "small_site.json")
    assert sorted(found.held_back_cohorts) == ["audit", "extension"]
    assert not any(fit.terms for fit in found.fits)
    assert all(fit.held_back for fit in found.fits)


def test_inside_the_department_the_exact_numbers_of_every_cohort_are_there(small: Run) -> None:
    found = read_share(small.results / PROFILE_PLACES["local_audit"] / "share" / "small_site.json")
    assert {fit.cohort for fit in found.fits} == {"audit", "extension", "full"}
    counts = {(one.cohort, one.definition): one.n for one in found.prevalence}
    assert counts["audit", "eular_2021"] + counts["extension", "eular_2021"] == counts["full", "eular_2021"]
