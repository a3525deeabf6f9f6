"""A table's cells and what a person reads of them."""

import pytest

from d2tra.tables.cells import (
    CELLS,
    as_cells,
    count_cell,
    decimal,
    format_cell,
    formatted,
    interval,
    proportion_cell,
    text_cell,
    value_cell,
)


def shown(cell):
    return format_cell(as_cells([cell]).row(0, named=True))


def test_a_proportion_shows_the_count_first_then_percent_and_wilson_limits():
    # Clinical reference, section 3, row 1: 7.4-20.8
    assert shown(proportion_cell("Met", "All", 12, 95)) == "12/95 (12.6 %; 7.4–20.8)"


@pytest.mark.parametrize(("n", "total", "text"), [
    (0, 12, "0/12 (0.0 %; 0.0–24.2)"),
    (12, 12, "12/12 (100.0 %; 75.8–100.0)"),
    (0, 0, "0/0"),
])  # fmt: skip
def test_a_proportion_at_its_ends_and_of_nobody_is_still_readable(n, total, text):
    assert shown(proportion_cell("Met", "All", n, total)) == text


@pytest.mark.parametrize(("cell", "text"), [
    (count_cell("Patients", "All", 95), "95"),
    (value_cell("median_iqr", "Age", "All", 54.25, 45.0, 62.5), "54.3 [45.0–62.5]"),
    (value_cell("mean_sd", "Age", "All", 54.25, 9.96, None), "54.3 (10.0)"),
    (value_cell("estimate", "Obese", "OR", 3.527, 0.9799, 12.72), "3.53 (0.98–12.72)"),
    (value_cell("estimate", "Obese", "Difference", -3.2, -10.25, 4.0), "−3.20 (−10.25 to 4.00)"),
    (value_cell("estimate", "Obese", "OR", 2.0), "2.00"),
    (value_cell("number", "Obese", "Standardised difference", 0.125), "0.13"),
    (value_cell("number", "Printed", "Printed", 66.0), "66"),
    (value_cell("p_value", "Obese", "p", 0.0312), "0.031"),
    (value_cell("p_value", "Obese", "p", 0.0009), "<0.001"),
    (value_cell("p_value", "Obese", "p", 0.001), "0.001"),
    (text_cell("Obese", "Note", "separated"), "separated"),
    (value_cell("median_iqr", "Age", "All", None, n=0), "–"),
])  # fmt: skip
def test_each_kind_of_cell_is_shown_in_its_own_way(cell, text):
    assert shown(cell) == text


def test_a_cell_emptied_by_disclosure_control_says_so_whatever_it_holds():
    assert shown({**text_cell("Agrees", "Agrees", "yes"), "note": "suppressed"}) == "[suppressed]"


def test_a_proportion_without_its_numbers_is_an_empty_cell():
    assert shown({**proportion_cell("Met", "All", 1, 2), "n": None, "total": None, "estimate": None}) == "–"


@pytest.mark.parametrize(("value", "places", "text"), [
    (6.25, 1, "6.3"),  # a tie in binary too: 1/16 in percent; not 6.2
    (1.15, 1, "1.2"),  # stored a hair below the tie
    (-0.04, 1, "0.0"),
    (-2.5, 0, "−3"),
    (None, 1, "–"),
    (float("nan"), 1, "–"),
    (float("inf"), 2, "∞"),
])  # fmt: skip
def test_a_number_is_rounded_once_and_half_away_from_zero(value, places, text):
    assert decimal(value, places) == text


def test_an_interval_with_a_negative_end_is_written_with_to():
    assert interval(-1.0, 2.0, 1) == "−1.0 to 2.0"
    assert interval(1.0, 2.0, 1) == "1.0–2.0"
    assert interval(None, None, 1) == "–"


def test_the_formatted_table_keeps_the_order_in_which_rows_and_columns_were_named():
    cells = as_cells(
        [
            count_cell("Patients", "Met", 2),
            count_cell("Patients", "All", 10),
            proportion_cell("Sex", "All", 6, 10, "female"),
            proportion_cell("Sex", "Met", 1, 2, "female"),
            text_cell("Age", "All", "old"),
        ]
    )
    found = formatted(cells)
    assert found.columns == ["row", "level", "Met", "All"]
    assert found.rows() == [
        ("Patients", None, "2", "10"),
        ("Sex", "female", "1/2 (50.0 %; 9.5–90.5)", "6/10 (60.0 %; 31.3–83.2)"),
        ("Age", None, "", "old"),
    ]


def test_cells_have_the_schema_that_disclosure_and_figures_rely_on():
    assert dict(as_cells([]).schema) == CELLS
