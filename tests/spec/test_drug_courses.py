"""Drug courses and their outcomes, edge by edge: specification of the labels 2.2.

Each table holds the rows of several patients; the column `is` says what the patient's (only, or named) course is.
"""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from d2tra.treatment import outcome_at, trace_courses
from d2tra.treatment.courses import is_failed, is_possibly_failed, overlapping_courses
from tables import frame

CUT = dt.date(2023, 12, 31)
REASONS = {"stop_reason": pl.String, "stop_date": pl.Date}


def courses(text: str, cut: dt.date = CUT) -> pl.DataFrame:
    return trace_courses(frame(text, **REASONS), cut)


def spans(text: str, cut: dt.date = CUT) -> list[str]:
    """`patient molecule start–stop` of every course, as recorded (also after the cut)."""
    return [
        f"{c['patient_id']} {c['molecule']} {c['start_date']} {c['course_stop_date'] or 'ongoing'}"
        for c in courses(text, cut).rows(named=True)
    ]


def outcomes(text: str, molecule: str, cut: dt.date = CUT) -> dict[str, str]:
    """Patient → outcome (and failure type) of the first course of one molecule."""
    found = courses(text, cut).filter(pl.col("molecule") == molecule)
    return {
        c["patient_id"]: " ".join(filter(None, [c["outcome"], c["failure_type"]]))
        for c in reversed(found.rows(named=True))
    }


# 2.2.0 rituximab ------------------------------------------------------------------------------------------------------


def test_rituximab_without_a_real_stop_gets_nine_months():
    assert spans("""
        patient_id | drug      | start_date | stop_date  | stop_reason
        no_stop    | rituximab | 2020-01-01 |            |
        unknown    | rituximab | 2020-01-01 |            | unknown
        other      | rituximab | 2020-01-01 | 2020-01-15 | other
        day_273    | rituximab | 2020-01-01 | 2020-09-30 |
        day_274    | rituximab | 2020-01-01 | 2020-10-01 |
        day_275    | rituximab | 2020-01-01 | 2020-10-02 |
    """) == [
        "day_273 rituximab 2020-01-01 2020-10-01",
        "day_274 rituximab 2020-01-01 2020-10-01",
        "day_275 rituximab 2020-01-01 2020-10-02",
        "no_stop rituximab 2020-01-01 2020-10-01",
        "other rituximab 2020-01-01 2020-10-01",
        "unknown rituximab 2020-01-01 2020-10-01",
    ]


def test_a_rituximab_stop_is_imputed_only_where_it_was_not_recorded():
    found = courses("""
        patient_id | drug      | start_date | stop_date  | stop_reason
        day_273    | rituximab | 2020-01-01 | 2020-09-30 |
        day_274    | rituximab | 2020-01-01 | 2020-10-01 |
        reason     | rituximab | 2020-01-01 | 2020-01-15 | remission
        undated    | rituximab | 2020-01-01 |            | remission
    """)
    assert dict(found.select("patient_id", "has_imputed_stop").iter_rows()) == {
        "day_273": True, "day_274": False, "reason": False, "undated": True,
    }  # fmt: skip


def test_rituximab_with_a_reason_keeps_its_stop_and_its_reason():
    text = """
        patient_id | drug      | start_date | stop_date  | stop_reason
        dated      | rituximab | 2020-01-01 | 2020-01-15 | inefficacy
        undated    | rituximab | 2020-01-01 |            | adverse_event
    """
    assert spans(text) == ["dated rituximab 2020-01-01 2020-01-15", "undated rituximab 2020-01-01 2020-10-01"]
    assert outcomes(text, "rituximab") == {
        "dated": "failed_inefficacy primary",
        "undated": "failed_intolerance",
    }


def test_rituximab_that_was_simply_not_repeated_is_stopped_other():
    text = """
        patient_id | drug      | start_date | stop_date  | stop_reason
        imputed    | rituximab | 2020-01-01 |            |
        recorded   | rituximab | 2020-01-01 | 2020-11-01 |
    """
    assert outcomes(text, "rituximab") == {"imputed": "stopped_other", "recorded": "unknown"}


def test_any_other_drug_with_a_reason_but_no_stop_stays_ongoing_and_is_possibly_failed():
    found = courses("""
        patient_id | drug       | start_date | stop_date | stop_reason
        failure    | adalimumab | 2020-01-01 |           | inefficacy
        reaction   | adalimumab | 2020-01-01 |           | adverse_event
        remission  | adalimumab | 2020-01-01 |           | remission
        silent     | adalimumab | 2020-01-01 |           |
        unknown    | adalimumab | 2020-01-01 |           | unknown
    """)
    assert set(found["outcome"]) == {"ongoing"}
    assert found["stop_reason"].null_count() == 5
    assert not found.select(is_failed(True, True).any()).item()
    assert found.filter(is_possibly_failed(True, True))["patient_id"].to_list() == ["failure", "reaction"]
    assert found.filter(is_possibly_failed(False, True))["patient_id"].to_list() == ["failure"]


# 2.2.1 merging --------------------------------------------------------------------------------------------------------


def test_rows_merge_up_to_a_gap_of_90_days():
    assert spans("""
        patient_id | drug       | start_date | stop_date
        gap_90     | adalimumab | 2020-01-01 | 2020-06-01
        gap_90     | adalimumab | 2020-08-30 | 2020-12-01
        gap_91     | adalimumab | 2020-01-01 | 2020-06-01
        gap_91     | adalimumab | 2020-08-31 | 2020-12-01
    """) == [
        "gap_90 adalimumab 2020-01-01 2020-12-01",
        "gap_91 adalimumab 2020-01-01 2020-06-01",
        "gap_91 adalimumab 2020-08-31 2020-12-01",
    ]


def test_rituximab_cycles_merge_up_to_eighteen_months_apart():
    assert spans("""
        patient_id | drug      | start_date | stop_date
        day_548    | rituximab | 2020-01-01 |
        day_548    | rituximab | 2021-07-02 |
        day_549    | rituximab | 2020-01-01 |
        day_549    | rituximab | 2021-07-03 |
    """) == [
        "day_548 rituximab 2020-01-01 2022-04-02",
        "day_549 rituximab 2020-01-01 2020-10-01",
        "day_549 rituximab 2021-07-03 2022-04-03",
    ]


def test_the_gap_counts_from_the_latest_stop_so_far_not_from_the_last_row():
    assert spans("""
        patient_id | drug       | start_date | stop_date
        p1         | adalimumab | 2020-01-01 | 2020-12-31
        p1         | adalimumab | 2020-02-01 | 2020-03-01
        p1         | adalimumab | 2021-01-31 | 2021-06-01
    """) == ["p1 adalimumab 2020-01-01 2021-06-01"]


def test_a_row_without_stop_absorbs_all_later_rows():
    found = courses("""
        patient_id | drug       | start_date | stop_date  | stop_reason
        p1         | adalimumab | 2015-01-01 |            |
        p1         | adalimumab | 2016-01-01 | 2016-06-01 | inefficacy
        p1         | adalimumab | 2022-01-01 | 2022-06-01 | inefficacy
    """)
    assert found.select("outcome", "n_records", "stop_date").rows() == [("ongoing", 3, None)]


def test_brands_biosimilars_and_routes_are_one_course():
    assert spans("""
        patient_id | drug                              | start_date | stop_date
        p1         | Humira                            | 2020-01-01 | 2020-06-01
        p1         | adalimumab (Amgevita) 40 mg s/c   | 2020-06-02 | 2020-12-01
        p1         | adalimumab-atto                   | 2020-12-02 | 2021-03-01
        p1         | methotrexate 10 mg po             | 2020-01-01 | 2020-06-01
        p1         | Metoject PEN 15 mg/0.3 ml         | 2020-06-01 | 2021-06-01
    """) == ["p1 adalimumab 2020-01-01 2021-03-01", "p1 methotrexate 2020-01-01 2021-06-01"]


def test_an_imputed_rituximab_course_ends_the_day_before_the_next_b_or_tsdmard():
    assert spans("""
        patient_id   | drug         | start_date | stop_date  | stop_reason
        bdmard       | rituximab    | 2020-01-01 |            |
        bdmard       | tocilizumab  | 2020-05-01 | 2021-01-01 | remission
        tsdmard      | rituximab    | 2020-01-01 | 2020-01-15 |
        tsdmard      | baricitinib  | 2020-10-01 | 2021-01-01 | remission
        one_day_late | rituximab    | 2020-01-01 |            |
        one_day_late | baricitinib  | 2020-10-02 | 2021-01-01 | remission
        csdmard      | rituximab    | 2020-01-01 |            |
        csdmard      | methotrexate | 2020-05-01 | 2021-01-01 | remission
        same_day     | rituximab    | 2020-01-01 |            |
        same_day     | tocilizumab  | 2020-01-01 | 2021-01-01 | remission
        recorded     | rituximab    | 2020-01-01 | 2020-09-01 | remission
        recorded     | tocilizumab  | 2020-05-01 | 2021-01-01 | remission
    """) == [
        "bdmard rituximab 2020-01-01 2020-04-30",
        "bdmard tocilizumab 2020-05-01 2021-01-01",
        "csdmard rituximab 2020-01-01 2020-10-01",
        "csdmard methotrexate 2020-05-01 2021-01-01",
        "one_day_late rituximab 2020-01-01 2020-10-01",
        "one_day_late baricitinib 2020-10-02 2021-01-01",
        "recorded rituximab 2020-01-01 2020-09-01",
        "recorded tocilizumab 2020-05-01 2021-01-01",
        "same_day rituximab 2020-01-01 2020-10-01",
        "same_day tocilizumab 2020-01-01 2021-01-01",
        "tsdmard rituximab 2020-01-01 2020-09-30",
        "tsdmard baricitinib 2020-10-01 2021-01-01",
    ]


def test_rituximab_given_again_after_the_next_drug_is_not_ended_by_it():
    assert spans("""
        patient_id | drug        | start_date | stop_date  | stop_reason
        p1         | rituximab   | 2020-01-01 |            |
        p1         | tocilizumab | 2020-05-01 | 2020-06-01 | remission
        p1         | rituximab   | 2020-07-01 |            |
    """) == ["p1 rituximab 2020-01-01 2021-04-01", "p1 tocilizumab 2020-05-01 2020-06-01"]


def test_a_rituximab_course_ended_by_the_next_drug_still_has_an_imputed_stop():
    found = courses("""
        patient_id | drug        | start_date | stop_date  | stop_reason
        p1         | rituximab   | 2020-01-01 |            |
        p1         | tocilizumab | 2019-01-01 | 2019-03-01 | remission
        p1         | tocilizumab | 2019-05-01 |            |
        p1         | tocilizumab | 2020-06-01 |            |
    """)
    rituximab = found.filter(molecule="rituximab").select("stop_date", "has_imputed_stop", "outcome")
    assert rituximab.rows() == [
        (dt.date(2020, 5, 31), True, "stopped_other")
    ]  # no new course: tocilizumab went on


def test_a_recorded_stop_that_ties_with_an_imputed_one_makes_the_stop_recorded():
    found = courses("""
        patient_id | drug        | start_date | stop_date  | stop_reason
        p1         | rituximab   | 2020-01-01 |            |
        p1         | rituximab   | 2019-09-01 | 2020-10-01 | remission
        p1         | tocilizumab | 2020-05-01 |            |
    """).filter(molecule="rituximab")
    assert found.select("stop_date", "has_imputed_stop", "stop_reason").rows() == [
        (dt.date(2020, 10, 1), False, "remission")
    ]


# 2.2.2 start, stop, reason --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("2020-06-01 | remission", "2020-07-01 | inefficacy", "inefficacy"),  # the latest stop decides
        ("2020-07-01 | remission", "2020-06-01 | inefficacy", "remission"),  # wherever it stands
        ("2020-07-01 | remission", "2020-07-01 | inefficacy", "remission"),  # tie: the first in source order
        ("2020-07-01 | unknown", "2020-07-01 | inefficacy", "inefficacy"),  # that tells something
        ("2020-07-01 |", "2020-07-01 | inefficacy", "inefficacy"),
        ("2020-07-01 |", "2020-07-01 | unknown", None),  # none tells anything: the first
        ("2020-07-01 | unknown", "2020-07-01 |", "unknown"),
        ("2020-06-01 | remission", "2020-07-01 |", None),  # an earlier stop's reason is not borrowed
        ("| remission", "| inefficacy", "remission"),  # null stops tie with each other
        ("|", "2020-07-01 | inefficacy", None),  # a null stop is the latest
    ],
)
def test_the_reason_is_that_of_the_row_with_the_latest_stop(first, second, reason):
    found = courses(f"""
        patient_id | drug       | start_date | stop_date | stop_reason
        p1         | adalimumab | 2020-02-01 | {first}
        p1         | adalimumab | 2020-01-01 | {second}
    """)
    assert found["course_stop_reason"].to_list() == [reason]
    assert found["start_date"].to_list() == [dt.date(2020, 1, 1)]


def test_source_order_is_the_source_row_not_the_place_in_the_frame():
    found = courses("""
        patient_id | drug       | start_date | stop_date  | stop_reason | source_row
        p1         | adalimumab | 2020-01-01 | 2020-07-01 | remission   | 9
        p1         | adalimumab | 2020-01-01 | 2020-07-01 | inefficacy  | 4
    """)
    assert found["stop_reason"].to_list() == ["inefficacy"]


# 2.2.3 outcome --------------------------------------------------------------------------------------------------------


def test_every_stop_reason_has_its_outcome():
    reasons = {
        "primary_inefficacy": "failed_inefficacy primary", "secondary_inefficacy": "failed_inefficacy secondary",
        "inefficacy": "failed_inefficacy secondary", "adverse_event": "failed_intolerance",
        "intolerance": "failed_intolerance", "remission": "stopped_other", "pregnancy": "stopped_other",
        "surgery": "stopped_other", "infection": "stopped_other", "patient_choice": "stopped_other",
        "access": "stopped_other", "death": "stopped_other", "other": "stopped_other", "unknown": "unknown",
    }  # fmt: skip
    rows = "\n".join(f"{reason} | adalimumab | 2020-01-01 | 2021-06-01 | {reason}" for reason in reasons)
    found = outcomes("patient_id | drug | start_date | stop_date | stop_reason\n" + rows, "adalimumab")
    assert found == dict(sorted(reasons.items()))


@pytest.mark.parametrize("drug", ["adalimumab", "baricitinib"])
def test_a_b_or_tsdmard_given_for_less_than_84_days_was_too_short(drug):
    found = courses(f"""
        patient_id | drug   | start_date | stop_date  | stop_reason
        day_83     | {drug} | 2020-01-01 | 2020-03-24 | primary_inefficacy
        day_84     | {drug} | 2020-01-01 | 2020-03-25 | primary_inefficacy
        reaction   | {drug} | 2020-01-01 | 2020-01-02 | adverse_event
    """)
    assert dict(found.select("patient_id", "outcome").iter_rows()) == {
        "day_83": "too_short", "day_84": "failed_inefficacy", "reaction": "failed_intolerance",
    }  # fmt: skip
    assert found["failure_type"].to_list() == [None, "primary", None]
    assert found.filter(is_failed(True, True))["patient_id"].to_list() == ["day_84", "reaction"]
    assert found.filter(is_possibly_failed(True, True))["patient_id"].to_list() == [
        "day_83",
        "day_84",
        "reaction",
    ]


def test_csdmards_and_rituximab_have_no_minimum_exposure():
    text = """
        patient_id | drug         | start_date | stop_date  | stop_reason
        p1         | methotrexate | 2020-01-01 | 2020-01-08 | inefficacy
        p2         | rituximab    | 2020-01-01 | 2020-01-15 | secondary_inefficacy
    """
    assert outcomes(text, "methotrexate") == {"p1": "failed_inefficacy primary"}
    assert outcomes(text, "rituximab") == {"p2": "failed_inefficacy secondary"}


def test_plain_inefficacy_is_primary_up_to_183_days():
    assert outcomes("""
        patient_id   | drug       | start_date | stop_date  | stop_reason
        day_183      | adalimumab | 2020-01-01 | 2020-07-02 | inefficacy
        day_184      | adalimumab | 2020-01-01 | 2020-07-03 | inefficacy
        late_primary | adalimumab | 2020-01-01 | 2021-07-03 | primary_inefficacy
        soon_second  | adalimumab | 2020-01-01 | 2020-05-01 | secondary_inefficacy
    """, "adalimumab") == {
        "day_183": "failed_inefficacy primary", "day_184": "failed_inefficacy secondary",
        "late_primary": "failed_inefficacy primary", "soon_second": "failed_inefficacy secondary",
    }  # fmt: skip


@pytest.mark.parametrize("reason", ["", "unknown"])
def test_a_stop_without_reason_is_a_presumed_failure_if_the_next_drug_starts_around_it(reason):
    assert outcomes(f"""
        patient_id     | drug         | start_date | stop_date  | stop_reason
        31_days_before | adalimumab   | 2020-01-01 | 2020-12-01 | {reason}
        31_days_before | tocilizumab  | 2020-10-31 |            |
        30_days_before | adalimumab   | 2020-01-01 | 2020-12-01 | {reason}
        30_days_before | tocilizumab  | 2020-11-01 |            |
        180_days_after | adalimumab   | 2020-01-01 | 2020-12-01 | {reason}
        180_days_after | baricitinib  | 2021-05-30 |            |
        181_days_after | adalimumab   | 2020-01-01 | 2020-12-01 | {reason}
        181_days_after | baricitinib  | 2021-05-31 |            |
        csdmard_next   | adalimumab   | 2020-01-01 | 2020-12-01 | {reason}
        csdmard_next   | methotrexate | 2020-12-01 |            |
        same_molecule  | adalimumab   | 2020-01-01 | 2020-12-01 | {reason}
        same_molecule  | adalimumab   | 2021-04-01 |            |
        same_class     | adalimumab   | 2020-01-01 | 2020-12-01 | {reason}
        same_class     | etanercept   | 2020-12-01 |            |
        short_itself   | adalimumab   | 2020-01-01 | 2020-01-21 | {reason}
        only_earlier   | adalimumab   | 2020-01-01 | 2020-12-01 | {reason}
        only_earlier   | etanercept   | 2019-12-01 |            |
    """, "adalimumab") == {
        "180_days_after": "presumed_failed", "181_days_after": "unknown", "30_days_before": "presumed_failed",
        "31_days_before": "unknown", "csdmard_next": "unknown", "only_earlier": "unknown",
        "same_class": "presumed_failed", "same_molecule": "unknown",
        "short_itself": "unknown",
    }  # fmt: skip


def test_the_next_drug_may_start_before_a_very_short_course():
    text = """
        patient_id | drug        | start_date | stop_date
        p1         | adalimumab  | 2020-06-01 | 2020-06-08
        p1         | tocilizumab | 2020-05-15 |
    """
    assert outcomes(text, "adalimumab") == {"p1": "presumed_failed"}


def test_an_imputed_rituximab_course_before_another_drug_is_a_presumed_failure():
    text = """
        patient_id | drug        | start_date | stop_date  | stop_reason
        unknown    | rituximab   | 2020-01-01 |            |
        unknown    | tocilizumab | 2020-06-01 |            |
        other      | rituximab   | 2020-01-01 |            | other
        other      | tocilizumab | 2020-06-01 |            |
    """
    assert outcomes(text, "rituximab") == {"unknown": "presumed_failed", "other": "stopped_other"}


def test_a_csdmard_stopped_without_reason_is_a_presumed_failure_if_a_b_or_tsdmard_starts_after_its_start():
    assert outcomes("""
        patient_id | drug         | start_date | stop_date  | stop_reason
        next_day   | methotrexate | 2020-01-01 | 2020-06-01 |
        next_day   | adalimumab   | 2020-01-02 |            |
        years_on   | methotrexate | 2020-01-01 | 2020-06-01 | unknown
        years_on   | baricitinib  | 2023-12-31 |            |
        same_day   | methotrexate | 2020-01-01 | 2020-06-01 |
        same_day   | adalimumab   | 2020-01-01 |            |
        csdmard    | methotrexate | 2020-01-01 | 2020-06-01 |
        csdmard    | leflunomide  | 2020-06-01 |            |
        still_on   | methotrexate | 2020-01-01 |            |
        still_on   | adalimumab   | 2020-06-01 |            |
        remission  | methotrexate | 2020-01-01 | 2020-06-01 | remission
        remission  | adalimumab   | 2020-06-01 |            |
    """, "methotrexate") == {
        "csdmard": "unknown", "next_day": "presumed_failed", "remission": "stopped_other", "same_day": "unknown",
        "still_on": "ongoing", "years_on": "presumed_failed",
    }  # fmt: skip


def test_a_glucocorticoid_stopped_without_reason_is_unknown_and_merges_like_any_molecule():
    text = """
        patient_id | drug         | start_date | stop_date
        p1         | prednisolone | 2020-01-01 | 2020-02-01
        p1         | pred 5 mg od | 2020-05-01 | 2020-06-01
        p1         | adalimumab   | 2020-06-01 |
    """
    assert spans(text)[0] == "p1 prednisolone 2020-01-01 2020-06-01"
    assert outcomes(text, "prednisolone") == {"p1": "unknown"}


# 2.2.3 and 2.2.6 dates ------------------------------------------------------------------------------------------------

SWITCH = """
    patient_id | drug        | start_date | stop_date  | stop_reason
    p1         | adalimumab  | 2020-01-01 | 2020-12-01 |
    p1         | tocilizumab | 2021-03-01 | 2022-03-01 | secondary_inefficacy
"""


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2019-12-31", []),  # a course that starts later does not exist
        ("2020-01-01", ["ongoing"]),
        ("2020-11-30", ["ongoing"]),
        ("2020-12-01", ["unknown"]),  # the stop date itself: stopped; the next drug is not known yet
        ("2021-02-28", ["unknown"]),
        ("2021-03-01", ["presumed_failed", "ongoing"]),
        ("2022-03-01", ["presumed_failed", "failed_inefficacy"]),
    ],
)
def test_an_outcome_is_what_was_known_at_the_date(date, expected):
    dates = frame(f"patient_id | evaluation_date\np1 | {date}\nnobody | {date}")
    found = outcome_at(courses(SWITCH), dates)
    assert found["outcome"].to_list() == expected
    assert found["stop_date"].null_count() == expected.count("ongoing")


def test_a_csdmard_is_a_presumed_failure_only_from_the_start_of_the_b_or_tsdmard():
    found = courses("""
        patient_id | drug         | start_date | stop_date
        p1         | methotrexate | 2020-01-01 | 2020-06-01
        p1         | adalimumab   | 2021-01-01 |
    """)
    dates = frame("patient_id | evaluation_date\np1 | 2020-12-31\np1 | 2021-01-01")
    methotrexate = outcome_at(found, dates).filter(molecule="methotrexate")
    assert methotrexate["outcome"].to_list() == ["unknown", "presumed_failed"]


def test_rows_after_the_cut_are_not_used():
    text = """
        patient_id | drug         | start_date | stop_date  | stop_reason
        p1         | methotrexate | 2020-01-01 | 2020-06-01 |
        p1         | adalimumab   | 2021-01-02 |            |
    """
    assert courses(text, dt.date(2021, 1, 1)).select("molecule", "outcome").rows() == [
        ("methotrexate", "unknown")
    ]
    assert courses(text, dt.date(2021, 1, 2))["outcome"].to_list() == ["presumed_failed", "ongoing"]


def test_a_planned_stop_after_the_cut_is_ongoing_without_stop_and_reason():
    text = """
        patient_id | drug       | start_date | stop_date  | stop_reason
        p1         | adalimumab | 2020-01-01 | 2021-01-01 | inefficacy
    """
    columns = ["outcome", "stop_date", "stop_reason", "failure_type", "course_stop_date"]
    stop = dt.date(2021, 1, 1)
    assert courses(text, dt.date(2020, 12, 31)).select(columns).rows() == [
        ("ongoing", None, None, None, stop)
    ]
    assert courses(text, stop).select(columns).rows() == [
        ("failed_inefficacy", stop, "inefficacy", "secondary", stop)
    ]
    assert not courses(text, dt.date(2020, 12, 31)).select(is_possibly_failed(True, True)).item()


def test_without_a_declared_cut_the_latest_start_is_the_cut():
    text = """
        patient_id | drug         | start_date | stop_date  | stop_reason
        p1         | adalimumab   | 2020-01-01 | 2020-06-02 | inefficacy
        p2         | adalimumab   | 2020-01-01 | 2020-06-01 | inefficacy
        p3         | methotrexate | 2020-06-01 |            |
    """
    found = trace_courses(frame(text, **REASONS))
    assert found["outcome"].to_list() == ["ongoing", "failed_inefficacy", "ongoing"]


# 2.2.4 overlap --------------------------------------------------------------------------------------------------------


def test_two_b_or_tsdmards_together_for_more_than_30_days_are_reported():
    found = overlapping_courses(courses("""
        patient_id    | drug         | start_date | stop_date  | stop_reason
        31_days       | adalimumab   | 2020-01-01 | 2020-07-02 | remission
        31_days       | tocilizumab  | 2020-06-01 |            |
        30_days       | adalimumab   | 2020-01-01 | 2020-07-01 | remission
        30_days       | tocilizumab  | 2020-06-01 |            |
        csdmard       | adalimumab   | 2020-01-01 | 2020-07-02 | remission
        csdmard       | methotrexate | 2020-06-01 |            |
        imputed_tail  | rituximab    | 2020-01-01 | 2020-01-15 |
        imputed_tail  | adalimumab   | 2019-01-01 |            |
        recorded_tail | rituximab    | 2020-01-01 | 2020-12-01 | remission
        recorded_tail | adalimumab   | 2019-01-01 |            |
        planned       | adalimumab   | 2023-11-01 | 2025-01-01 | remission
        planned       | baricitinib  | 2023-12-01 |            |
    """), CUT)  # fmt: skip
    assert found.select("patient_id", "molecule", "other_molecule", "n_days").rows() == [
        ("31_days", "adalimumab", "tocilizumab", 31),
        ("recorded_tail", "adalimumab", "rituximab", 335),
    ]


# 2.2.5 failed and possibly failed -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("intolerance", "presumed", "failed"),
    [
        (True, True, {"failed_inefficacy", "failed_intolerance", "presumed_failed"}),
        (False, True, {"failed_inefficacy", "presumed_failed"}),
        (True, False, {"failed_inefficacy", "failed_intolerance"}),
        (False, False, {"failed_inefficacy"}),
    ],
)
def test_what_counts_as_failed_is_the_definitions_choice(intolerance, presumed, failed):
    ended = [
        "ongoing",
        "failed_inefficacy",
        "too_short",
        "failed_intolerance",
        "stopped_other",
        "presumed_failed",
        "unknown",
    ]
    stopped = pl.DataFrame({"outcome": ended}).with_columns(
        course_stop_date=pl.lit(CUT), course_stop_reason=pl.lit("inefficacy")
    )
    assert set(stopped.filter(is_failed(intolerance, presumed))["outcome"]) == failed
    possibly = set(stopped.filter(is_possibly_failed(intolerance, presumed))["outcome"])
    assert possibly == failed | {"unknown", "too_short", "presumed_failed"}


def test_a_failed_course_stays_failed_although_the_molecule_is_restarted():
    text = """
        patient_id | drug       | start_date | stop_date  | stop_reason
        p1         | adalimumab | 2020-01-01 | 2020-12-01 | inefficacy
        p1         | adalimumab | 2022-01-01 |            |
    """
    assert courses(text)["outcome"].to_list() == ["failed_inefficacy", "ongoing"]
