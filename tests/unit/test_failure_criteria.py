"""From when a course counts as failed: two days tell what `outcome_at` tells at every date."""

import datetime as dt

import polars as pl
import pytest
from random_patients import random_extract

from d2tra.definitions import label
from d2tra.definitions.course_dates import CountsFailures, date_failures, nth_date
from d2tra.treatment import trace_courses
from d2tra.treatment.courses import outcome_at
from ra_vignettes import extract_of, judge_all, patient, ra
from tables import frame

COUNTINGS = [(True, True), (True, False), (False, True), (False, False)]


@pytest.mark.parametrize(("count_intolerance", "count_presumed"), COUNTINGS)
def test_the_days_of_failure_tell_what_the_outcomes_tell_at_every_date(count_intolerance, count_presumed):
    rows = random_extract(11, 200)["treatments"]
    courses = trace_courses(pl.DataFrame(rows, infer_schema_length=None), dt.date(2024, 1, 1))
    counting = CountsFailures(count_intolerance=count_intolerance, count_presumed=count_presumed)
    days = {
        date
        for column in ("start_date", "course_stop_date", "presumed_from")
        for date in courses[column].drop_nulls()
    }
    dates = pl.DataFrame({"evaluation_date": sorted(d for d in days if d <= dt.date(2024, 1, 1))[::7]})
    at = outcome_at(courses, courses.select("patient_id").unique().join(dates, how="cross"))
    expected = at.select(failed=counting.failed(), possible=counting.possibly_failed())
    dated = at.drop("stop_date", "stop_reason", "outcome", "failure_type").join(
        date_failures(courses, counting).select("patient_id", "molecule", "start_date", "failed_on", "possible_on"),
        on=["patient_id", "molecule", "start_date"], how="left", maintain_order="left",
    )  # fmt: skip
    found = dated.select(
        failed=(pl.col("failed_on") <= pl.col("evaluation_date")).fill_null(False),
        possible=(pl.col("possible_on") <= pl.col("evaluation_date")).fill_null(False),
    )
    assert found.equals(expected)
    assert expected["possible"].sum() > expected["failed"].sum() > 100


@pytest.mark.parametrize(("n", "day"), [(1, "2020-01-01"), (2, "2021-01-01"), (3, None)])
def test_the_nth_distinct_value_counts_from_its_first_day(n, day):
    rows = frame(
        """
        patient_id | molecule | on
        1          | a        | 2020-01-01
        1          | a        | 2020-06-01
        1          | b        | 2021-01-01
        1          | c        |
        """
    )
    found = nth_date(rows, "molecule", "on", n, "enough")
    assert found.rows() == ([(1, dt.date.fromisoformat(day))] if day else [])


DRUGS_ASKED = {"first_2022": "1", "poly_refractory": "1", "becede_2019": "2", "strata_fit_1": "2c", "bsrbr_third_class": "1", "refractory_confirmed": "4"}  # fmt: skip


@pytest.mark.parametrize(("name", "criterion"), DRUGS_ASKED.items(), ids=DRUGS_ASKED)
def test_without_treatments_a_criterion_on_drugs_is_unknown_and_says_so(name, criterion):
    found = label(extract_of({"one": ra()}), name).evidence.filter(criterion=criterion)
    assert found["met"].to_list() == [None]
    assert found["reason"].item().startswith("the extract has no treatments")


def one(criterion, disease="RA"):
    return {
        "name": "one", "title": "One", "disease": disease, "source": {"authors": "Somebody", "year": 2024},
        "criteria": [{"id": "x", "title": "x", **criterion}], "open_points": [],
    }  # fmt: skip


def test_courses_may_be_counted_in_the_place_of_drugs():
    twice = ra("adalimumab 2016-01-01 2017-01-01 inefficacy", "adalimumab 2018-01-01 2019-01-01 inefficacy")
    counting = {"at_least": 2, "count_intolerance": True, "count_presumed": True}
    for count, expected in (("courses", True), ("drugs", False)):
        found = judge_all(one({"failed_drugs": {"count": count, **counting}}), {"twice": twice})
        assert found["twice"]["x"] is expected


def test_what_was_available_is_unknown_for_a_disease_that_the_list_leaves_out(tmp_path, monkeypatch):
    folder = tmp_path / "config" / "codelists"
    folder.mkdir(parents=True)
    (folder / "availability.csv").write_text(
        "disease,mechanism,available_from,counted\nRA,tnf,2000-02-03,yes\n"
    )
    monkeypatch.chdir(tmp_path)
    asked = {"failed_all_available": {"count_intolerance": True, "count_presumed": True}}
    failed = "adalimumab 2016-01-01 2017-01-01 inefficacy"
    assert judge_all(one(asked), {"ra": ra(failed)})["ra"]["x"] is True
    found = label(extract_of({"psa": patient(failed)}), one(asked, "PsA")).evidence.row(0, named=True)
    assert found["met"] is None
    assert found["reason"].startswith("availability.csv lists no mechanism for the disease")


@pytest.mark.parametrize(
    ("diagnosed", "expected"), [("1990-01-01", False), ("2021-12-31", True), ("2021-12-30", False)]
)
def test_without_a_floor_an_old_diagnosis_counts_from_its_day(diagnosed, expected):
    criterion = one({"since_diagnosis": {"days": {"up_to": 1}}})
    found = judge_all(criterion, {"one": ra(diagnosis_date=dt.date.fromisoformat(diagnosed))})
    assert found["one"]["x"] is expected
