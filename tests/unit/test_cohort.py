"""Who belongs to a cohort, and the flow that counts the others."""

import polars as pl
import pytest

from d2tra.cohort import COLUMNS, select_cohort, sequence_of
from d2tra.config import Cohort
from tables import frame

PATIENTS = frame("""
    site  | patient_id | sequence | disease | birth_year | diagnosis_date
    north | N1         | 1        | RA      | 1960       | 2010-01-01
    north | N2         | 2        | PsA     | 1970       | 2011-01-01
    north | N3         | 3        | RA      | 2005       | 2012-01-01
    north | N4         | 4        | RA      | 1980       | 2013-01-01
    north | N5         | 5        | RA      |            | 2014-01-01
    south | S1         | 2        | RA      | 1950       | 2015-01-01
    south | S2         | 1        | RA      | 1955       | 2016-01-01
""")
COURSES = frame("""
    site  | patient_id | kind    | start_date
    north | N1         | csdmard | 2010-02-01
    north | N1         | bdmard  | 2012-02-01
    north | N1         | tsdmard | 2011-02-01
    north | N2         | bdmard  | 2012-03-01
    north | N3         | bdmard  | 2019-01-01
    north | N4         | csdmard | 2014-01-01
    north | N5         | bdmard  | 2015-01-01
    south | S1         | bdmard  | 2016-01-01
    south | S2         | tsdmard | 2017-01-01
""")
INDEX = frame("""
    site  | patient_id | index_date
    north | N1         | 2023-05-01
    north | N2         | 2023-05-02
    north | N3         | 2022-05-03
    north | N4         | 2023-05-04
    north | N5         | 2023-05-05
    south | S1         | 2023-05-06
    south | S2         |
""")


def test_the_columns_that_are_read_of_every_site_are_all_that_is_looked_at():
    """These frames, with which every test here runs, have no others."""
    looked_at = {"patients": PATIENTS, "courses": COURSES, "labels": INDEX}
    assert {name: {"site", *columns} for name, columns in COLUMNS.items()} == {
        name: set(rows.columns) for name, rows in looked_at.items()
    }


def select(**criteria):
    return select_cohort(Cohort.model_validate({"name": "audit", **criteria}), PATIENTS, COURSES, INDEX)


def adds_up(flow):
    held = (flow["n_before"] - flow["n_excluded"] == flow["n_after"]).all()
    return held and flow["n_before"].to_list()[1:] == flow["n_after"].to_list()[:-1]


def test_the_flow_walks_the_criteria_in_the_order_written_and_adds_up():
    members, flow = select(started_bts=True, disease="RA", sequence=[1, 4])
    assert (
        flow["step"].to_list()
        == ["register", "started_bts", "disease", "sequence", "age_min", "age_min"][: flow.height]
    )
    assert flow["n_excluded"].to_list() == [0, 1, 1, 1, 1]
    assert adds_up(flow)
    assert members.select("site", "patient_id").rows() == [("north", "N1"), ("south", "S1"), ("south", "S2")]


def test_the_order_written_decides_at_which_criterion_a_patient_is_counted():
    _, flow = select(disease="RA", started_bts=True)
    assert dict(flow.select("step", "n_excluded").rows()) == {
        "register": 0,
        "disease": 1,
        "started_bts": 1,
        "age_min": 1,
    }
    assert adds_up(flow)


def test_the_last_line_of_the_flow_is_the_number_of_members():
    members, flow = select(disease="RA")
    assert flow["n_after"][-1] == members.height


def test_an_unknown_age_is_left_out_in_words_of_its_own():
    _, flow = select()
    reasons = flow.filter(pl.col("step") == "age_min").select("reason", "n_excluded").rows()
    assert reasons == [("younger than 18 years at the index date", 1), ("age not known", 1)]


@pytest.mark.parametrize(("years", "is_member"), [(17, True), (18, False)])
def test_age_is_the_year_of_the_index_date_minus_the_year_of_birth_and_the_limit_itself_counts(
    years, is_member
):
    members, _ = select(age_min=years)
    assert ("N3" in members["patient_id"].to_list()) == is_member  # 2022 − 2005 = 17


def test_a_cohort_without_a_minimum_age_keeps_patients_whose_age_is_not_known():
    members, _ = select(age_min=None)
    assert "N5" in members["patient_id"].to_list()


def test_a_patient_without_a_visit_stays_unless_the_cohort_asks_for_one():
    assert "S2" in select()[0]["patient_id"].to_list()
    members, flow = select(has_visit=True)
    assert "S2" not in members["patient_id"].to_list()
    assert ("no visit", 1) in flow.select("reason", "n_excluded").rows()


def test_the_sequence_counts_within_each_site():
    members, _ = select(sequence=[1, 1])
    assert members["patient_id"].to_list() == ["N1", "S2"]


def test_both_ends_of_the_sequence_belong_to_it():
    members, _ = select(sequence=[2, 3], age_min=None)
    assert members["patient_id"].to_list() == ["N2", "N3", "S1"]


def test_only_the_sites_named_belong_to_a_cohort_of_some_sites():
    members, flow = select(sites=["south"])
    assert members["site"].unique().to_list() == ["south"]
    assert flow["reason"][1] == "site is not south"


def test_the_first_bts_date_is_the_earliest_start_of_a_b_or_tsdmard():
    members, _ = select(sequence=[1, 1])
    assert str(members["first_bts_date"][0]) == "2011-02-01"


def test_without_a_sequence_patients_stand_by_first_bts_start_then_id_and_those_without_one_last():
    patients = PATIENTS.filter(pl.col("site") == "north").with_columns(sequence=pl.lit(None, pl.Int64))
    ties = COURSES.with_columns(
        start_date=pl.when(pl.col("patient_id") == "N5").then(pl.date(2012, 3, 1)).otherwise("start_date")
    )
    assert dict(sequence_of(patients, ties).select("patient_id", "sequence").rows()) == {
        "N1": 1, "N2": 2, "N5": 3, "N3": 4, "N4": 5,
    }  # fmt: skip


def test_an_empty_cell_of_a_site_s_own_sequence_is_not_filled_and_is_said():
    patients = PATIENTS.with_columns(
        sequence=pl.when(pl.col("patient_id") == "N1").then(None).otherwise("sequence")
    )
    assert sequence_of(patients, COURSES)["sequence"].null_count() == 1
    cohort = Cohort.model_validate({"name": "audit", "sequence": [1, 2]})
    _, flow = select_cohort(cohort, patients, COURSES, INDEX)
    assert ("place in the register not recorded", 1) in flow.select("reason", "n_excluded").rows()
    assert adds_up(flow)


def test_labels_with_a_row_per_definition_will_do_as_index_dates():
    labels = pl.concat([INDEX.with_columns(definition=pl.lit(name)) for name in ("a", "b")])
    cohort = Cohort.model_validate({"name": "audit"})
    once, twice = (select_cohort(cohort, PATIENTS, COURSES, index)[0] for index in (INDEX, labels))
    assert once.equals(twice)


def test_whether_a_biologic_was_started_is_not_recorded_at_a_site_without_treatments():
    """South has no treatments: its patients stand in a row of their own, not among those who started none."""
    courses = COURSES.filter(pl.col("site") == "north")
    cohort = Cohort.model_validate({"name": "audit"})
    members, flow = select_cohort(cohort, PATIENTS, courses, INDEX, without_treatments=["south"])
    of_step = flow.filter(step="started_bts").select("reason", "n_excluded").rows()
    not_recorded = "whether a b/tsDMARD was started is not recorded: no treatments in the extract"
    assert of_step == [("no b/tsDMARD started", 1), (not_recorded, 2)]
    assert adds_up(flow)
    assert members["site"].unique().to_list() == ["north"]
    assert "started_bts" not in members.columns


def test_a_cohort_that_asks_for_no_biologic_keeps_the_patients_of_a_site_without_treatments():
    cohort = Cohort.model_validate({"name": "audit", "started_bts": False})
    members, _ = select_cohort(
        cohort, PATIENTS, COURSES.clear(), INDEX, without_treatments=["north", "south"]
    )
    assert "S1" in members["patient_id"].to_list()
