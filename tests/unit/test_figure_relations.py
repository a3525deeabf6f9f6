"""What could be subtracted within the tables behind figures is held back: exact counts of 1 to 7 stay unknown."""

import polars as pl
import pytest

from d2tra.disclosure import load_profile
from d2tra.disclosure.ledger import LEDGER
from d2tra.disclosure.relations import bind
from d2tra.disclosure.secondary import release_tables
from d2tra.tables import Table
from d2tra.tables.cells import Cell, as_cells, count_cell, proportion_cell, value_cell

MEMBERS = {"audit": range(100)}
ACRO = load_profile("acro")  # counts below 10 are suppressed, the others are shown as they are


def released(name: str, cells: list[Cell]) -> dict[tuple[str, str | None, str], int | None]:
    """Row, level, column → the count that is let out."""
    whole = Table("table_1", "", as_cells([count_cell("Patients", "All", 100)]))
    shown, _ = release_tables(
        "audit", [whole, Table(name, "", as_cells(cells))], ACRO, MEMBERS, {}, pl.DataFrame(schema=LEDGER)
    )
    return {
        (row, level, column): n
        for row, level, column, n in shown[1].cells.select("row", "level", "column", "n").rows()
    }


def sums(name: str, cells: list[Cell]) -> set[tuple[str, ...]]:
    """Each sum as the levels (or columns) of its terms, the whole first."""
    bound = bind({"audit": [Table(name, "", as_cells(cells))]}, MEMBERS)
    return {tuple(str(term[2]) for _, term in terms) for terms in bound.sums}


CRITERIA = [
    proportion_cell("Met each: criteria", "Patients", 30, 100, "1 failure"),
    count_cell("Met each: criteria", "Not assessable", 0, "1 failure"),
    proportion_cell("Met each: criteria", "Patients", 34, 100, "2 signs"),
    count_cell("Met each: criteria", "Not assessable", 0, "2 signs"),
    count_cell("Met exactly these: criteria", "Patients", 25, "1"),
    count_cell("Met exactly these: criteria", "Patients", 5, "1 + 2"),
    count_cell("Met exactly these: criteria", "Patients", 29, "2"),
]


def test_a_small_combination_is_not_what_the_others_leave_of_a_criterion():
    shown = released("criteria_overlap", CRITERIA)
    exactly = {level: n for (row, level, _), n in shown.items() if row.startswith("Met exactly")}
    each = {
        level: n
        for (row, level, column), n in shown.items()
        if row.startswith("Met each") and column == "Patients"
    }
    assert exactly["1 + 2"] is None
    assert None in (exactly["1"], each["1 failure"])  # 30 − 25 = 5
    assert None in (exactly["2"], each["2 signs"])  # 34 − 29 = 5


def test_a_criterion_is_the_sum_of_the_combinations_that_hold_it():
    found = sums("criteria_overlap", CRITERIA)
    assert ("1 failure", "1", "1 + 2") in found
    assert ("2 signs", "1 + 2", "2") in found


WAYS = [
    proportion_cell("Line 1", "Patients", 60, 90, "tnf"),
    proportion_cell("Line 1", "Patients", 30, 90, "jak"),
    count_cell("Line 1 to 2", "Patients", 20, "tnf → jak"),
    count_cell("Line 1 to 2", "Patients", 4, "tnf → rare ways"),
    count_cell("Line 1 to 2", "Patients", 36, "tnf → no further line"),
    count_cell("Line 1 to 2", "Patients", 30, "jak → jak"),
    proportion_cell("Line 2", "Patients", 54, 54, "jak"),
]


def test_rare_ways_are_not_what_the_other_ways_leave_of_a_box():
    shown = released("treatment_flows", WAYS)
    ways = {level: n for (row, level, _), n in shown.items() if row == "Line 1 to 2"}
    assert ways["tnf → rare ways"] is None
    assert None in (ways["tnf → jak"], ways["tnf → no further line"], shown["Line 1", "tnf", "Patients"])
    assert None in (ways["tnf → jak"], ways["jak → jak"], shown["Line 2", "jak", "Patients"])  # 54 − 20 − 30


def test_the_ways_from_a_box_make_the_box_and_those_to_a_line_all_on_it():
    found = sums("treatment_flows", WAYS)
    assert ("tnf", "tnf → jak", "tnf → rare ways", "tnf → no further line") in found
    assert ("jak", "tnf → jak", "tnf → rare ways", "jak → jak") in found  # all on line 2


ON, OFF = "On a b/tsDMARD that suppresses CRP", "On no b/tsDMARD that suppresses CRP"
BANDS = [
    *(count_cell(row, f"DAS28-CRP: {das28}", n, f"CDAI: {cdai}")
      for row, counts in {ON: (20, 3, 0, 17), OFF: (30, 0, 0, 30)}.items()
      for n, (cdai, das28) in zip(counts, [("high", "low"), ("high", "high"), ("low", "high"), ("low", "low")], strict=True)),
    *(count_cell(row, "Patients", n, "both bands known") for row, n in {ON: 40, OFF: 60}.items()),
    *(proportion_cell(row, "Patients", n, total, "lower band by DAS28-CRP than by CDAI") for row, n, total in [(ON, 20, 40), (OFF, 30, 60)]),
    count_cell("Band or drug not known", "Patients", 0),
]  # fmt: skip


def test_a_small_field_is_not_what_the_others_leave_of_the_square():
    shown = released("cdai_v_das28_crp", BANDS)
    of_square = {(level, column): n for (row, level, column), n in shown.items() if row == ON}
    assert of_square["CDAI: high", "DAS28-CRP: high"] is None
    assert sum(n is None for n in of_square.values()) > 1


@pytest.mark.parametrize("n", [40, 30])
def test_the_terms_of_a_score_are_of_the_same_patients(n):
    cells = [value_cell("mean_sd", "DAS28-ESR: points added", "Met", 1.0, 0.2, level=term, n=number) for term, number in {"ESR": 40, "CRP": n}.items()]  # fmt: skip
    assert (("CRP", "ESR") in sums("das28_components", cells)) == (
        n == 40
    )  # a sum that the numbers do not obey is none
