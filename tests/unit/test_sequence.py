"""The order of treatments: positions, switches, what was untried, which risks ran together."""

import datetime as dt

import polars as pl
import pytest

from d2tra.treatment import trace_courses
from d2tra.treatment.sequence import (
    SEQUENCE_COLUMNS,
    mechanism_availability,
    order_treatments,
    untried_mechanisms,
)
from tables import frame

CUT = dt.date(2023, 12, 31)
PATIENTS = frame("""
    patient_id | disease
    A          | RA
    B          | RA
    P          | PsA
""")


def sequence_of(text, patients=PATIENTS):
    rows = frame(text, stop_date=pl.Date, stop_reason=pl.String)
    return order_treatments(trace_courses(rows, CUT), patients, CUT)


def told(text, *columns):
    return sequence_of(text).select(columns).rows()


def test_lines_are_numbered_by_start_and_only_biologics_and_targeted_drugs_are_lines():
    text = """
        patient_id | drug         | start_date | stop_date  | stop_reason
        A          | methotrexate | 2015-01-01 |            |
        A          | tocilizumab  | 2018-03-01 |            |
        A          | adalimumab   | 2016-01-01 | 2018-01-01 | inefficacy
        A          | prednisolone | 2017-01-01 |            |
        B          | etanercept   | 2019-01-01 |            |
    """
    assert told(text, "patient_id", "position", "molecule") == [
        ("A", 1, "adalimumab"), ("A", 2, "tocilizumab"), ("B", 1, "etanercept"),
    ]  # fmt: skip
    assert sequence_of(text).columns == SEQUENCE_COLUMNS


def test_each_line_says_how_it_differs_from_those_before():
    rows = sequence_of("""
        patient_id | drug         | start_date | stop_date  | stop_reason
        A          | adalimumab   | 2010-01-01 | 2011-01-01 |
        A          | etanercept   | 2011-02-01 | 2012-01-01 |
        A          | tocilizumab  | 2012-02-01 | 2013-01-01 |
        A          | infliximab   | 2013-02-01 | 2014-01-01 |
        A          | adalimumab   | 2014-06-01 | 2015-01-01 |
    """)
    assert rows["change"].to_list() == ["first", "within_class", "new_mechanism", "within_class", "restart"]
    assert rows["mechanisms_tried"].to_list() == ["tnf", "tnf", "tnf, il6r", "tnf, il6r", "tnf, il6r"]


def test_days_on_a_drug_run_to_the_stop_or_to_the_cut():
    text = """
        patient_id | drug         | start_date | stop_date  | stop_reason
        A          | adalimumab   | 2016-01-01 | 2016-01-31 | inefficacy
        A          | tocilizumab  | 2023-12-01 |            |
    """
    assert told(text, "days_on_drug", "stop_date") == [(30, dt.date(2016, 1, 31)), (30, None)]


@pytest.mark.parametrize(
    ("start", "untried"),
    [
        ("2007-05-20", "cd20"),
        ("2007-05-21", "cd20, ctla4_ig"),
        ("2009-01-15", "cd20, ctla4_ig"),
        ("2009-01-16", "cd20, ctla4_ig, il6r"),
        ("2017-02-12", "cd20, ctla4_ig, il6r"),
        ("2017-02-13", "cd20, ctla4_ig, il6r, jak"),
    ],
)
def test_a_mechanism_counts_as_untried_from_the_day_of_its_licence(start, untried):
    text = f"""
        patient_id | drug         | start_date | stop_date  | stop_reason
        A          | adalimumab   | {start}    |            |
    """
    assert told(text, "mechanisms_available_untried") == [(untried,)]


def test_a_tried_mechanism_is_not_untried_and_none_left_is_empty_not_null():
    drugs = ("adalimumab", "rituximab", "abatacept", "tocilizumab", "baricitinib")
    lines = "\n".join(
        f"A | {drug} | 20{18 + year}-01-01 | 20{18 + year}-12-01 | inefficacy"
        for year, drug in enumerate(drugs)
    )
    rows = sequence_of(f"patient_id | drug | start_date | stop_date | stop_reason\n{lines}")
    assert rows["mechanisms_available_untried"].to_list() == [
        "cd20, ctla4_ig, il6r, jak", "ctla4_ig, il6r, jak", "il6r, jak", "jak", "",
    ]  # fmt: skip


def test_each_disease_has_its_own_licence_dates_and_of_one_without_any_nothing_is_said():
    text = """
        patient_id | drug         | start_date | stop_date  | stop_reason
        P          | adalimumab   | 2019-01-01 |            |
    """
    assert told(text, "mechanisms_available_untried") == [("il12_23, pde4, il17, ctla4_ig, jak",)]
    unlisted = sequence_of(text, PATIENTS.with_columns(disease=pl.lit("axSpA")))
    assert unlisted["mechanisms_available_untried"].to_list() == [None]


def test_interleukin_1_is_listed_but_not_counted():
    listed = mechanism_availability().filter(disease="RA")
    assert listed.filter(mechanism="il1")["counted"].to_list() == [False]
    assert listed.filter("counted")["mechanism"].to_list() == ["tnf", "cd20", "ctla4_ig", "il6r", "jak"]
    assert listed["evidence"].str.starts_with("unverified").all()


def test_untried_at_a_date_ignores_courses_that_start_later_and_is_unknown_without_a_date():
    lines = sequence_of("""
        patient_id | drug         | start_date | stop_date  | stop_reason
        A          | adalimumab   | 2016-01-01 | 2018-01-01 | inefficacy
        A          | tocilizumab  | 2018-03-01 |            |
    """)
    dates = frame("""
        patient_id | disease | date
        A          | RA      | 2018-02-28
        A2         | RA      |
        B          | RA      | 2018-02-28
    """)
    assert untried_mechanisms(lines, dates)["mechanisms_untried"].to_list() == [
        "cd20, ctla4_ig, il6r, jak", None, "tnf, cd20, ctla4_ig, il6r, jak",
    ]  # fmt: skip
    on_the_day = dates.head(1).with_columns(date=dt.date(2018, 3, 1))
    assert untried_mechanisms(lines, on_the_day)["mechanisms_untried"].to_list() == ["cd20, ctla4_ig, jak"]


def test_flagged_drugs_that_overlap_a_line_are_named_of_any_kind_itself_included():
    text = """
        patient_id | drug         | start_date | stop_date  | stop_reason
        A          | methotrexate | 2015-01-01 |            |
        A          | prednisolone | 2019-06-01 | 2019-08-01 |
        A          | tofacitinib  | 2019-01-01 | 2020-01-01 | inefficacy
        A          | tocilizumab  | 2020-01-01 |            |
    """
    columns = (
        "molecule",
        "zoster_risk",
        "zoster_together",
        "liver_together",
        "zoster_so_far",
        "liver_so_far",
    )
    assert told(text, *columns) == [
        ("tofacitinib", "yes", "prednisolone, tofacitinib", "methotrexate", 1, 0),
        ("tocilizumab", "moderate", "tocilizumab", "methotrexate, tocilizumab", 2, 1),
    ]


def test_a_drug_that_ends_the_day_the_next_begins_was_not_taken_together_with_it():
    for stop, together in (("2020-01-01", "baricitinib"), ("2020-01-02", "baricitinib, tofacitinib")):
        rows = told(
            f"""
            patient_id | drug         | start_date | stop_date  | stop_reason
            A          | tofacitinib  | 2019-01-01 | {stop}     | inefficacy
            A          | baricitinib  | 2020-01-01 |            |
            """,
            "zoster_together",
        )
        assert rows[1] == (together,)


def test_without_a_course_there_is_no_row_but_every_column():
    rows = sequence_of(
        "patient_id | drug | start_date | stop_date | stop_reason\nA | methotrexate | 2015-01-01 | |"
    )
    assert rows.columns == SEQUENCE_COLUMNS
    assert rows.is_empty()


def test_the_order_of_the_courses_given_does_not_matter():
    courses = trace_courses(
        frame("""
            patient_id | drug        | start_date
            A          | adalimumab  | 2016-01-01
            B          | etanercept  | 2015-01-01
            B          | tocilizumab | 2015-01-01
        """),
        CUT,
    )
    assert order_treatments(courses.reverse(), PATIENTS, CUT).equals(order_treatments(courses, PATIENTS, CUT))
