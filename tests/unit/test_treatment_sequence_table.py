"""The table of the sequence of treatments: patients, switches, time on each line, what was untried."""

from dataclasses import replace

import polars as pl
import pytest

from d2tra.config import Study
from d2tra.definitions import load_definition
from d2tra.disclosure import disclose, load_profile
from d2tra.risk_factor_plan import load_plan
from d2tra.tables import Results, read_tables, write_tables
from d2tra.tables.cells import formatted
from d2tra.tables.treatment_sequence import (
    OTHERS,
    PATTERNS_SHOWN,
    product_limit_quartiles,
    treatment_sequence,
)
from d2tra.treatment import trace_courses
from d2tra.treatment.sequence import order_treatments
from tables import frame

MEMBERS = frame("""
    site  | patient_id | index_date | eular_2021     | eular_2021_hangs_on_presumed
    north | A          | 2022-01-01 | met            | false
    north | B          | 2022-01-01 | not_met        | false
    north | C          | 2022-01-01 | not_met        | false
    north | D          |            | not_assessable | false
    south | A          | 2022-01-01 | not_met        | false
""")
COURSES = """
    patient_id | drug         | start_date | stop_date  | stop_reason
    A          | methotrexate | 2015-01-01 |            |
    A          | adalimumab   | 2018-01-01 | 2019-01-01 | inefficacy
    A          | etanercept   | 2019-02-01 | 2020-01-01 | inefficacy
    A          | tocilizumab  | 2020-02-01 | 2021-01-01 | inefficacy
    A          | baricitinib  | 2022-06-01 |            |
    B          | adalimumab   | 2018-01-01 |            |
    C          | etanercept   | 2018-01-01 | 2018-07-02 | inefficacy
    C          | abatacept    | 2018-08-01 |            |
    D          | adalimumab   | 2018-01-01 |            |
"""


def sequence_of(text=COURSES, site="north"):
    cut = pl.Series(["2022-12-31"]).str.to_date()[0]
    courses = trace_courses(frame(text, stop_date=pl.Date, stop_reason=pl.String), cut)
    patients = courses.select("patient_id", disease=pl.lit("RA")).unique(maintain_order=True)
    return order_treatments(courses, patients, cut).select(pl.lit(site).alias("site"), pl.all())


def results(**changes):
    study = Study(name="s", title="t", sites=["north"], cohorts=[{"name": "audit"}], definitions=["eular_2021"], seed=1)  # fmt: skip
    south = sequence_of(
        """
        patient_id | drug       | start_date | stop_date | stop_reason
        A          | adalimumab | 2018-01-01 |           |
        """,
        "south",
    )
    given = Results(
        study=study,
        cohort="audit",
        plan=load_plan(),
        definitions={"eular_2021": load_definition("eular_2021")},
        analysis_set=MEMBERS,
        flow=pl.DataFrame(),
        prevalence=pl.DataFrame(),
        sequence=pl.concat([sequence_of(), south]),
    )
    return replace(given, **changes)


def shown(row, column, level=None, given=None):
    table = formatted(treatment_sequence(given or results()).cells)
    return table.filter((pl.col("row") == row) & pl.col("level").eq_missing(level))[column].item()


def count(row, column, level=None):
    cells = treatment_sequence(results()).cells
    found = cells.filter(
        (pl.col("row") == row) & (pl.col("column") == column) & pl.col("level").eq_missing(level)
    )
    return found.select("n", "total").row(0)


def test_patients_without_an_index_date_and_courses_after_it_are_left_out():
    assert count("Patients with a b/tsDMARD", "All") == (4, None)
    assert shown("Length of the sequence, courses", "Met") == "3.0 [3.0–3.0]"


def test_the_same_patient_id_at_two_sites_is_two_patients():
    assert count("First mechanism", "All", "tnf") == (4, 4)
    assert shown("Length of the sequence, courses", "All") == "1.5 [1.0–2.3]"


def test_the_order_of_mechanisms_names_each_once():
    assert count("Sequence of mechanisms", "Met", "tnf → il6r") == (1, 1)
    assert count("Sequence of mechanisms", "Not met", "tnf → ctla4_ig") == (1, 3)
    assert count("Sequence of mechanisms", "All", "tnf") == (2, 4)


def test_rare_orders_are_merged_into_the_last_level():
    drugs = ("rituximab", "abatacept", "tocilizumab", "baricitinib")
    orders = [
        (first, second, third)
        for first in drugs
        for second in drugs
        for third in drugs
        if len({first, second, third}) == 3
    ]
    ids = [f"P{number:02d}" for number in range(len(orders))]
    lines = [
        f"{patient} | {drug} | 20{10 + year}-01-01 | 20{10 + year}-12-01 | inefficacy"
        for patient, order in zip(ids, orders, strict=True)
        for year, drug in enumerate(order)
    ]
    text = "patient_id | drug | start_date | stop_date | stop_reason\n" + "\n".join(lines)
    members = MEMBERS.head(1).drop("patient_id").join(pl.DataFrame({"patient_id": ids}), how="cross")
    table = treatment_sequence(results(sequence=sequence_of(text), analysis_set=members))
    levels = table.cells.filter(pl.col("row") == "Sequence of mechanisms", pl.col("column") == "All")
    assert levels.height == PATTERNS_SHOWN + 1
    assert levels["level"][-1] == OTHERS
    assert levels["n"].sum() == len(orders)


def test_switches_are_told_of_patients_with_two_courses_and_counted_as_switches():
    assert count("Patients with two or more courses", "All") == (2, None)
    within, new = "to another drug of a class tried before", "to a new mechanism"
    assert count(f"Switched at least once {within}", "All") == (1, 2)
    assert count(f"Switched at least once {new}", "All") == (2, 2)
    assert count("Switches", "All", within) == (1, None)
    assert count("Switches", "All", new) == (2, None)


def test_untried_mechanisms_are_those_at_the_index_date():
    assert count("Mechanisms available and untried", "Met", "3 or more") == (1, 1)
    assert count("Available and untried: jak", "Met") == (1, 1)
    assert count("Available and untried: il6r", "Met") == (0, 1)
    assert count("Available and untried: ctla4_ig", "Not met") == (2, 3)


def test_time_on_a_line_is_censored_where_the_drug_is_still_taken():
    assert shown("Time on line 1, months", "Met") == "12.0 [12.0–12.0]"
    assert shown("Time on line 1, months", "Not met") == "∞ [6.0–∞]"
    assert count("Line 1 ended", "Not met") == (1, 3)


def test_kaplan_meier_quartiles_are_those_of_r():
    """R 4.2.2, survival 3.5-3: 24 subjects; S(6) = 0.786, S(7) = 0.742, S(14) = 0.549, S(15) = 0.494, S(24) = 0.251."""
    times = [2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 18, 20, 21, 24]
    at_risk = [24, 23, 21, 20, 18, 17, 16, 15, 14, 13, 11, 10, 9, 8, 7, 6, 5]
    events = [1, 1, 1, 2, 1, 0, 1, 1, 0, 2, 0, 1, 1, 0, 1, 1, 1]
    leave = [now - later for now, later in zip(at_risk, [*at_risk[1:], 0], strict=True)]
    days = [time for time, n in zip(times, leave, strict=True) for _ in range(n)]
    ended = [number < n_events for n, n_events in zip(leave, events, strict=True) for number in range(n)]
    assert product_limit_quartiles(pl.Series(days), pl.Series(ended)) == (7, 15, float("inf"))


def test_a_share_that_is_reached_exactly_counts_as_reached():
    days, ended = pl.Series([1, 2, 3, 4]), pl.Series([True] * 4)
    assert product_limit_quartiles(days, ended) == (1, 2, 3)
    assert product_limit_quartiles(days.head(0), ended.head(0)) == (None, None, None)


def test_a_small_profile_hides_the_small_groups_and_the_rest_survives_a_file(tmp_path):
    table = treatment_sequence(results())
    released = table.with_cells(disclose(table.cells, load_profile("opensafely")))
    write_tables([table, replace(released, name="released")], tmp_path)
    kept, read = read_tables(tmp_path)
    assert kept.cells.equals(table.cells)
    small = read.cells.join(
        table.cells.filter(pl.col("n").is_between(1, 7)), on=["row", "level", "column"], nulls_equal=True
    )
    assert small.height
    assert small["n"].null_count() == small.height
    hidden = read.cells.filter(pl.col("row").str.starts_with("Time on line"), pl.col("note") == "suppressed")
    assert hidden.select("estimate", "low", "high").null_count().sum_horizontal().item() == 3 * hidden.height


def test_it_says_that_it_is_no_recommendation():
    assert any("never a recommendation" in note for note in treatment_sequence(results()).footnotes)
    assert any("unverified" in note for note in treatment_sequence(results()).footnotes)


@pytest.mark.parametrize("sequence", [None, sequence_of().head(0)])
def test_without_a_sequence_the_table_has_nobody_in_it(sequence):
    cells = treatment_sequence(results(sequence=sequence)).cells
    assert cells.is_empty() if sequence is None else cells["n"].fill_null(0).sum() == 1
