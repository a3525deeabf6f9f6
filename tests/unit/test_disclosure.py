"""What may leave: thresholds tested on the edge, for each shipped profile."""

import polars as pl
import pytest

from d2tra.disclosure import disclose, load_profile
from d2tra.errors import StudyError
from d2tra.tables.cells import as_cells, count_cell, proportion_cell, value_cell

OPENSAFELY = load_profile("opensafely")


def count_shown(n: int, profile: str) -> int | None:
    cells = as_cells([count_cell("patients", "n", n)])
    return disclose(cells, load_profile(profile))["n"].item()


@pytest.mark.parametrize(
    ("profile", "n", "shown"),
    [
        ("opensafely", 0, 0),
        ("opensafely", 1, None),
        ("opensafely", 7, None),
        ("opensafely", 8, 10),
        ("opensafely", 12, 10),
        ("opensafely", 13, 15),
        ("opensafely", 95, 95),
        ("midpoint6", 0, 0),
        ("midpoint6", 1, 3),
        ("midpoint6", 6, 3),
        ("midpoint6", 7, 9),
        ("midpoint6", 12, 9),
        ("midpoint6", 13, 15),
        ("acro", 9, None),
        ("acro", 10, 10),
        ("acro", 13, 13),
        ("local_audit", 1, 1),
    ],
)
def test_a_count_is_shown_suppressed_or_rounded_as_the_profile_says(profile, n, shown):
    assert count_shown(n, profile) == shown


def test_percentages_and_intervals_are_recomputed_from_the_released_counts():
    cell = disclose(as_cells([proportion_cell("met", "all", 12, 95)]), OPENSAFELY).row(0, named=True)
    assert (cell["n"], cell["total"]) == (10, 95)
    assert cell["estimate"] == pytest.approx(100 * 10 / 95)
    # statsmodels 0.15 proportion_confint(10, 95, method="wilson")
    assert (cell["low"], cell["high"]) == pytest.approx((5.818852425, 18.302057065), abs=1e-8)


@pytest.mark.parametrize(("n", "total"), [(5, 12), (9, 12), (3, 7), (88, 95)])
def test_a_small_count_its_small_complement_or_small_total_empties_the_whole_cell(n, total):
    cell = disclose(as_cells([proportion_cell("obese", "met", n, total)]), OPENSAFELY).row(0, named=True)
    assert cell["note"] == "suppressed"
    assert [cell[name] for name in ("n", "total", "estimate", "low", "high")] == [None] * 5


def test_an_odds_ratio_is_held_back_when_its_table_hides_a_small_count():
    hidden, shown = (
        value_cell("estimate", row, "odds ratio", 3.5342, 0.9812, 12.7249, smallest=smallest)
        for row, smallest in [("obese", 3), ("female", 8)]
    )
    cells = disclose(as_cells([hidden, shown]), OPENSAFELY)
    assert cells["estimate"].to_list() == [None, 3.53]
    assert cells["note"].to_list() == ["suppressed", None]


def test_a_median_of_few_patients_is_held_back():
    few, many = (
        value_cell("median_iqr", row, "all", 54.04, 45.0, 63.0, n=n)
        for row, n in [("age of few", 7), ("age", 95)]
    )
    cells = disclose(as_cells([few, many]), OPENSAFELY)
    assert cells["estimate"].to_list() == [None, 54.04]


def test_a_cell_that_is_let_out_no_longer_carries_its_smallest_count():
    cells = as_cells([value_cell("estimate", "x", "y", 1.0, smallest=20)])
    for profile in ("opensafely", "local_audit"):
        assert disclose(cells, load_profile(profile))["smallest"].to_list() == [None]


def test_nothing_else_of_a_table_changes():
    cells = as_cells([proportion_cell("met", "all", 12, 95), count_cell("flow", "n", 3, level="a")])
    assert disclose(cells, OPENSAFELY).schema == cells.schema
    kept = ["row", "level", "column", "kind", "text"]
    assert disclose(cells, OPENSAFELY).select(kept).equals(cells.select(kept))
    assert disclose(cells, load_profile("local_audit")).equals(
        cells.with_columns(smallest=pl.lit(None, pl.Int64))
    )


def test_an_unknown_profile_is_answered_with_the_nearest():
    with pytest.raises(StudyError, match="did you mean 'opensafely'"):
        load_profile("opensafly")
