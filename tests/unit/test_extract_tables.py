"""The extract in the report: what became of its rows, what its checks found; and the cohorts side by side."""

import polars as pl

from d2tra.config import Study
from d2tra.definitions import load_definition
from d2tra.disclosure.relations import bind
from d2tra.risk_factor_plan import load_plan
from d2tra.tables import TABLES, Results
from d2tra.tables.cells import formatted
from tables import frame

PLAN = load_plan()
TYPES = {"yes_no": pl.Boolean, "category": pl.String, "number": pl.Float64}
ACCOUNTING = frame("""
    site  | table    | n_read | n_valid | n_quarantined | n_duplicate | n_orphaned | n_cells_set_aside | n_cells_fixed
    north | patients | 10     | 8       | 1             | 1           | 0          | 3                 | 2
    north | visits   | 40     | 38      | 2             | 0           | 1          | 4                 | 0
""")
QUALITY = frame("""
    site  | table    | column      | check           | severity | n  | message
    north | patients | imd         | missing         | note     | 8  | 8 of 8 cells are empty (100.0 %).
    north | patients | smoking     | missing         | note     | 3  | 3 of 8 cells are empty (37.5 %).
    north | visits   | visit_date  | carried_forward | warning  | 5  | 5 visits
""")


def results(members=None, **changes):
    study = Study(
        name="s", title="t", sites=["north"], cohorts=[{"name": "later"}], definitions=["eular_2021"], seed=1
    )
    given = {
        "study": study,
        "cohort": "later",
        "plan": PLAN,
        "flow": None,
        "prevalence": None,
        "analysis_set": members,
    }
    return Results(**given, definitions={"eular_2021": load_definition("eular_2021")}, **changes)


def people(n_obese, n):
    known = pl.DataFrame(
        {"patient_id": [f"{n_obese}{i}" for i in range(n)], "obese": [i < n_obese for i in range(n)]}
    )
    absent = {name: TYPES[c.coding] for name, c in PLAN.characteristics.items() if name != "obese"}
    return known.with_columns(pl.lit(None, kind).alias(name) for name, kind in absent.items())


def test_every_row_read_is_valid_set_aside_or_repeated():
    shown = formatted(TABLES["rows_accounted"](results(accounting=ACCOUNTING)).cells)
    counts = shown.select("Rows read", "Valid", "Set aside", "Repeated").cast(pl.Int64)
    assert counts.rows() == [(10, 8, 1, 1), (40, 38, 2, 0)]
    assert shown["row"].to_list() == ["patients", "visits"]


def test_each_finding_has_a_line_and_a_column_that_the_site_does_not_have_has_none():
    shown = formatted(TABLES["data_quality"](results(accounting=ACCOUNTING, quality=QUALITY)).cells)
    assert shown.rows() == [
        ("patients, north", "smoking: missing", "note", "3"),
        ("visits, north", "visit_date: carried forward", "warning", "5"),
    ]


def test_without_an_extract_beside_it_a_cohort_has_neither_table():
    assert TABLES["rows_accounted"](results()).cells.is_empty()
    assert TABLES["data_quality"](results()).cells.is_empty()


def test_the_cohorts_stand_side_by_side_with_the_difference_of_those_that_share_nobody():
    """Difference of 9/10 and 5/10: 0.4 / sqrt((0.09 + 0.25) / 2) = 0.97."""
    earlier = {"audit": people(9, 10), "all": people(14, 20)}
    table = TABLES["table_1_by_cohort"](
        results(people(5, 10), earlier_sets=earlier, apart=(("audit", "later"),))
    )
    shown = formatted(table.cells)
    assert shown.columns == [
        "row",
        "level",
        "audit",
        "all",
        "later",
        "Standardised difference, audit v later",
    ]
    assert shown.filter(row="Patients").row(0)[2:5] == ("10", "20", "10")
    obese = shown.filter(row="Obese (BMI 30 or above)").row(0)
    assert [text.split(" ")[0] for text in obese[2:]] == ["9/10", "14/20", "5/10", "0.97"]


def test_a_comparison_carries_the_smallest_count_behind_it():
    earlier = {"audit": people(9, 10)}
    table = TABLES["table_1_by_cohort"](
        results(people(5, 10), earlier_sets=earlier, apart=(("audit", "later"),))
    )
    difference = table.cells.filter(pl.col("row") == "Obese (BMI 30 or above)", pl.col("kind") == "number")
    assert difference["smallest"].item() == 1


def test_the_first_cohort_of_a_study_stands_beside_nobody():
    assert TABLES["table_1_by_cohort"](results(people(5, 10))).cells.is_empty()


def test_disclosure_control_knows_the_rows_of_the_extract_by_one_name_in_every_cohort_and_what_they_add_up_to():
    table = TABLES["rows_accounted"](results(accounting=ACCOUNTING))
    bound = bind({"audit": [table], "later": [table]}, {"audit": range(5), "later": range(5, 10)})
    told = {(name[1], name[3]) for name in bound.values}
    assert (
        len([name for name in bound.values if name[3] == "Rows read"]) == 2
    )  # a name per table, not per cohort
    assert ("patients", "Set aside") in told
    sums = [{(sign, name[3]) for sign, name in terms if name[1] == "patients"} for terms in bound.sums]
    assert {(1, "Rows read"), (-1, "Valid"), (-1, "Set aside"), (-1, "Repeated")} in sums
