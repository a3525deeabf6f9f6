"""Drug courses: properties that hold for any history, and agreement with a slow second implementation."""

from __future__ import annotations

import datetime as dt
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2tra.codelists import dmards
from d2tra.errors import StudyError
from d2tra.treatment import outcome_at, trace_courses
from d2tra.treatment.courses import (
    is_failed,
    is_possibly_failed,
    overlapping_courses,
    stop_reasons_without_stop,
)
from d2tra.treatment.rules import exposure_rules
from reference_courses import courses_of_patient, outcome, possibly_failed
from tables import frame

DAY_0 = dt.date(2015, 1, 1)
KINDS = dict(dmards().select("molecule", "kind").iter_rows())
MOLECULES = [
    "methotrexate",
    "sulfasalazine",
    "adalimumab",
    "tocilizumab",
    "rituximab",
    "baricitinib",
    "prednisolone",
]
REASONS = [None, *exposure_rules().stop_reasons.all()]
EDGES = [0, 1, 14, 29, 30, 31, 83, 84, 90, 91, 179, 180, 181, 183, 184, 273, 274, 275, 548, 549]


def day(n: int | None) -> dt.date | None:
    return None if n is None else DAY_0 + dt.timedelta(days=n)


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, object]]:
    """Rows of two patients whose starts and durations lie on and beside the edges of the rules."""
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["p1", "p2"]),
                st.sampled_from(MOLECULES),
                st.lists(st.sampled_from(EDGES), min_size=1, max_size=3).map(sum),
                st.none() | st.sampled_from(EDGES),
                st.sampled_from(REASONS),
            ),
            max_size=9,
        )
    )
    return [
        {
            "patient_id": patient, "drug": molecule, "molecule": molecule, "kind": KINDS[molecule], "start": day(start),
            "stop": None if length is None else day(start + length), "reason": reason, "source_row": row,
        }
        for row, (patient, molecule, start, length, reason) in enumerate(drawn, start=2)
    ]  # fmt: skip


def many_histories(seed: int, n_patients: int) -> list[dict[str, object]]:
    """Rows of many patients, as `histories` draws them."""
    draw = random.Random(seed)
    rows: list[dict[str, object]] = []
    for patient in range(n_patients):
        for _ in range(draw.randint(1, 8)):
            molecule, start = draw.choice(MOLECULES), sum(draw.choices(EDGES, k=draw.randint(1, 3)))
            length = draw.choice([None, *EDGES, *EDGES])
            rows.append({
                "patient_id": f"p{patient:05d}", "drug": molecule, "molecule": molecule, "kind": KINDS[molecule],
                "start": day(start), "stop": None if length is None else day(start + length),
                "reason": draw.choice([None, None, "unknown", "unknown", *REASONS]), "source_row": len(rows) + 2,
            })  # fmt: skip
    return rows


def as_treatments(rows: list[dict[str, object]]) -> pl.DataFrame:
    schema = {
        "patient_id": pl.String, "drug": pl.String, "start": pl.Date, "stop": pl.Date, "reason": pl.String,
        "source_row": pl.Int64,
    }  # fmt: skip
    names = {"start": "start_date", "stop": "stop_date", "reason": "stop_reason"}
    return pl.DataFrame([{key: row[key] for key in schema} for row in rows], schema=schema).rename(names)


def in_full(rows: list[dict[str, object]], cut: dt.date) -> dict[str, list[dict[str, object]]]:
    by_patient: dict[str, list[dict[str, object]]] = {}
    for row in sorted(rows, key=lambda row: str(row["patient_id"])):
        by_patient.setdefault(str(row["patient_id"]), []).append(row)
    found = {patient: courses_of_patient(own, cut) for patient, own in by_patient.items()}
    return {patient: courses for patient, courses in found.items() if courses}


def assert_courses_agree(rows, cut):
    found = trace_courses(as_treatments(rows), cut).rows(named=True)
    expected = [(patient, course) for patient, courses in in_full(rows, cut).items() for course in courses]
    assert [
        (c["patient_id"], c["molecule"], c["kind"], c["start_date"], c["course_stop_date"], c["course_stop_reason"],
         c["has_imputed_stop"], c["n_records"], c["outcome"], c["failure_type"])
        for c in found
    ] == [
        (patient, c["molecule"], c["kind"], c["start"], c["stop"], c["reason"], c["imputed"], c["n_records"],
         c["outcome"], c["failure_type"])
        for patient, c in expected
    ]  # fmt: skip
    for course in found:
        ongoing = course["outcome"] == "ongoing"
        assert course["stop_date"] == (None if ongoing else course["course_stop_date"])
        assert course["stop_reason"] == (None if ongoing else course["course_stop_reason"])


def assert_outcomes_agree(rows, cut, date, intolerance, presumed):
    full = in_full(rows, cut)
    dates = pl.DataFrame({"patient_id": list(full)}, schema={"patient_id": pl.String}).with_columns(
        evaluation_date=date
    )
    found = outcome_at(trace_courses(as_treatments(rows), cut), dates).with_columns(
        failed=is_failed(intolerance, presumed), possibly=is_possibly_failed(intolerance, presumed)
    )
    expected = [
        (patient, c["molecule"], c["start"], *outcome(c, courses, date), *possibly_failed(c, courses, date, intolerance, presumed))
        for patient, courses in full.items()
        for c in courses
        if c["start"] <= date
    ]  # fmt: skip
    columns = ["patient_id", "molecule", "start_date", "outcome", "failure_type", "failed", "possibly"]
    assert found.select(columns).rows() == expected


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(0, 1200))
def test_courses_equal_those_of_a_slow_second_implementation(rows, cut_day):
    assert_courses_agree(rows, day(cut_day))


@settings(max_examples=40, deadline=None)
@given(histories(), st.integers(0, 900), st.booleans(), st.booleans())
def test_outcomes_at_an_earlier_date_equal_those_of_a_slow_second_implementation(
    rows, at, intolerance, presumed
):
    assert_outcomes_agree(rows, day(1000), day(at), intolerance, presumed)


@pytest.mark.parametrize("cut_day", [183, 400, 1500])
def test_courses_of_many_patients_equal_those_of_a_slow_second_implementation(cut_day):
    assert_courses_agree(many_histories(seed=cut_day, n_patients=3000), day(cut_day))


@pytest.mark.parametrize(
    ("at", "intolerance", "presumed"), [(180, True, True), (365, False, False), (365, True, False)]
)
def test_outcomes_of_many_patients_equal_those_of_a_slow_second_implementation(at, intolerance, presumed):
    assert_outcomes_agree(many_histories(seed=at, n_patients=3000), day(1500), day(at), intolerance, presumed)


def test_the_random_histories_reach_every_outcome():
    outcomes = trace_courses(as_treatments(many_histories(seed=1, n_patients=1000)), day(1500))[
        "outcome"
    ].unique()
    assert sorted(outcomes) == [
        "failed_inefficacy", "failed_intolerance", "ongoing", "presumed_failed", "stopped_other", "too_short", "unknown",
    ]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_never_matters(rows, shuffling):
    shuffled = list(rows)
    shuffling.shuffle(shuffled)
    cut = DAY_0 + dt.timedelta(days=1500)
    assert trace_courses(as_treatments(shuffled), cut).equals(trace_courses(as_treatments(rows), cut))


@settings(max_examples=30, deadline=None)
@given(histories(), st.data())
def test_a_switch_of_brand_or_biosimilar_never_changes_the_courses(rows, data):
    brands = {
        "adalimumab": ["Humira", "Amgevita", "adalimumab-atto", "Imraldi 40 mg pen"], "tocilizumab": ["RoActemra", "Tyenne"],
        "rituximab": ["MabThera", "Truxima", "rituximab (Rixathon) 1 g iv"], "methotrexate": ["Metoject", "methotrexate s/c"],
    }  # fmt: skip
    renamed = [
        {**row, "drug": data.draw(st.sampled_from(brands.get(str(row["drug"]), [row["drug"]])))}
        for row in rows
    ]
    cut = DAY_0 + dt.timedelta(days=1500)
    assert trace_courses(as_treatments(renamed), cut).equals(trace_courses(as_treatments(rows), cut))


@settings(max_examples=20, deadline=None)
@given(histories())
def test_another_patient_never_changes_the_courses_of_the_first(rows):
    cut = DAY_0 + dt.timedelta(days=1500)
    alone = trace_courses(as_treatments([row for row in rows if row["patient_id"] == "p1"]), cut)
    assert trace_courses(as_treatments(rows), cut).filter(pl.col("patient_id") == "p1").equals(alone)


def test_a_history_without_rows_has_no_courses():
    courses = trace_courses(as_treatments([]), None)
    assert courses.height == 0
    assert courses.schema["stop_date"] == pl.Date
    assert overlapping_courses(courses).height == 0


def test_rows_of_unknown_drugs_are_left_out():
    rows = frame("""
        patient_id | drug        | start_date
        p1         | trial drug  | 2020-01-01
        p1         | Humira      | 2020-02-01
    """)
    assert trace_courses(rows)["molecule"].to_list() == ["adalimumab"]


def test_the_code_tells_the_drug_where_the_text_does_not():
    rows = frame("""
        patient_id | drug     | atc_code | start_date
        p1         | biologic | L04AB04  | 2020-01-01
    """)
    courses = trace_courses(rows)
    assert courses.select("molecule", "kind", "mechanism", "suppresses_crp").row(0) == (
        "adalimumab",
        "bdmard",
        "tnf",
        False,
    )


def test_a_drug_recognised_before_is_not_read_again():
    rows = frame("""
        patient_id | drug      | molecule   | start_date
        p1         | Biologic! | adalimumab | 2020-01-01
    """)
    assert trace_courses(rows).select("molecule", "mechanism").row(0) == ("adalimumab", "tnf")


def test_a_table_without_drugs_is_refused():
    with pytest.raises(StudyError, match="'drug'"):
        trace_courses(frame("patient_id | start_date\np1 | 2020-01-01"))


def test_an_unknown_stop_reason_is_refused_with_the_nearest_known_one():
    rows = frame("""
        patient_id | drug       | start_date | stop_date  | stop_reason
        p1         | adalimumab | 2020-01-01 | 2020-06-01 | inefficasy
    """)
    with pytest.raises(StudyError, match=r"1 rows.*did you mean 'inefficacy'"):
        trace_courses(rows)


def test_a_rule_is_changed_by_its_number_or_its_keys():
    assert exposure_rules({"max_gap_days": 30}).max_gap_days.up_to == 30
    assert exposure_rules({"max_gap_days": 30}).max_gap_days.by_molecule == {"rituximab": 274}
    assert (
        exposure_rules({"presumed_failure": {"days_after_stop": 90}}).presumed_failure.days_before_stop == 30
    )


@pytest.mark.parametrize(
    "changes", [{"max_gap": 30}, {"presumed_failure": 30}, {"overlap_days": {"over": 3}}]
)
def test_a_rule_that_does_not_exist_is_refused(changes):
    with pytest.raises(StudyError, match=r"exposure\.yaml"):
        exposure_rules(changes)


def test_changed_rules_change_the_courses():
    rows = frame("""
        patient_id | drug       | start_date | stop_date  | stop_reason
        p1         | adalimumab | 2020-01-01 | 2020-03-01 | inefficacy
        p1         | adalimumab | 2020-04-15 | 2020-09-01 | inefficacy
    """)
    assert trace_courses(rows, dt.date(2022, 1, 1)).height == 1
    rules = {"max_gap_days": 30, "min_exposure_days": 28}
    assert trace_courses(rows, dt.date(2022, 1, 1), rules)["outcome"].to_list() == ["failed_inefficacy"] * 2


def test_no_molecule_needs_a_rule_of_its_own():
    rows = frame("""
        patient_id | drug      | start_date | stop_date
        p1         | rituximab | 2020-01-01 | 2020-01-15
    """)
    rules = {"max_gap_days": {"by_molecule": {}}, "imputed_exposure_days": {"by_molecule": {}}}
    assert trace_courses(rows, dt.date(2022, 1, 1), rules)["course_stop_date"].to_list() == [
        dt.date(2020, 1, 15)
    ]


def test_reasons_without_a_stop_are_listed_but_not_for_a_drug_whose_stop_is_imputed():
    rows = frame("""
        patient_id | drug       | start_date | stop_date  | stop_reason
        p1         | adalimumab | 2020-01-01 |            | inefficacy
        p1         | humira     | 2019-01-01 |            | remission
        p1         | etanercept | 2020-01-01 |            | unknown
        p1         | etanercept | 2020-01-01 |            |
        p1         | etanercept | 2020-01-01 | 2020-02-01 | inefficacy
        p1         | rituximab  | 2020-01-01 |            | adverse_event
    """)
    found = stop_reasons_without_stop(rows)
    assert found.select("molecule", "stop_reason", "source_row").rows() == [
        ("adalimumab", "remission", 3),
        ("adalimumab", "inefficacy", 2),
    ]
