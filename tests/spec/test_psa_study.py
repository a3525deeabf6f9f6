"""RA and PsA patients of one site: each is judged by the definitions of the own disease only, and scored by its scores."""

import polars as pl
import pytest

from d2tra.definitions import label_patients
from d2tra.scores import score_visits
from d2tra.treatment import trace_courses
from tables import frame

EXTRACT = {
    "patients": frame("""
        patient_id | disease | csdmard_contraindicated
        RA1        | RA      |
        PSA1       | PsA     |
        PSA2       | PsA     | true
        PSA3       | PsA     |
    """),
    "visits": frame("""
        patient_id | visit_date | tjc28 | sjc28 | tjc68 | sjc66 | patient_global_mm | physician_global_mm | pain_mm | crp_mg_l | haq_di | pasi | enthesitis_count | problematic_to_patient | problematic_to_rheumatologist
        RA1        | 2022-01-01 | 8     | 6     | 12    | 8     | 60                | 60                  | 60      | 20       | 1.5    | 0    | 0                | true                   | true
        PSA1       | 2021-01-01 | 8     | 6     | 12    | 8     | 60                | 60                  | 60      | 20       | 1.5    | 5    | 3                | true                   | true
        PSA1       | 2022-01-01 | 8     | 6     | 12    | 8     | 60                | 60                  | 60      | 20       | 1.5    | 5    | 3                | true                   | true
        PSA2       | 2022-01-01 | 0     | 0     | 0     | 0     | 10                | 10                  | 10      | 2        | 0.25   | 0    | 0                | false                  | false
    """),
    "treatments": frame("""
        patient_id | drug         | start_date | stop_date  | stop_reason
        RA1        | methotrexate | 2014-01-01 | 2015-01-01 | inefficacy
        RA1        | adalimumab   | 2016-01-01 | 2017-01-01 | inefficacy
        RA1        | tocilizumab  | 2018-01-01 | 2019-01-01 | inefficacy
        PSA1       | methotrexate | 2014-01-01 | 2015-01-01 | inefficacy
        PSA1       | adalimumab   | 2016-01-01 | 2017-01-01 | inefficacy
        PSA1       | Cosentyx     | 2018-01-01 | 2019-01-01 | secondary_inefficacy
        PSA1       | guselkumab   | 2020-01-01 | 2021-06-01 | primary_inefficacy
        PSA2       | etanercept   | 2016-01-01 | 2016-02-01 | adverse_event
        PSA3       | apremilast   | 2019-01-01 |            |
    """),
    "diagnoses": frame("""
        patient_id | recorded_date | code_system | code
        RA1        | 2012-01-01    | icd10       | M05.9
    """),
}  # fmt: skip
PSA = ["d2t_psa_two_classes", "d2t_psa_two_classes_csdmard", "refractory_psa_all_classes", "c2m_psa_2025",
       "tr_psa_2025", "eular_d2m_psa_2025", "eular_tr_psa_2025"]  # fmt: skip
RA = ["eular_2021", "eular_2021_strict"]


@pytest.fixture(scope="module")
def scores():
    return score_visits(EXTRACT["visits"], None, EXTRACT["patients"])


@pytest.fixture(scope="module")
def labelled(scores):
    courses = trace_courses(EXTRACT["treatments"], EXTRACT["visits"]["visit_date"].max())
    return label_patients(EXTRACT, courses, scores, [*RA, *PSA])


@pytest.mark.parametrize("frame_of", ["labels", "evidence"])
def test_rows_exist_only_for_the_definitions_of_the_patients_disease(labelled, frame_of):
    rows = getattr(labelled, frame_of)
    of_disease = (
        rows.join(EXTRACT["patients"], on="patient_id").group_by("disease").agg(pl.col("definition").unique())
    )
    found = {disease: sorted(names) for disease, names in of_disease.rows()}
    assert found == {"RA": sorted(RA), "PsA": sorted(PSA)}


def test_every_patient_has_one_label_by_each_definition_of_the_disease(labelled):
    assert labelled.labels.group_by("patient_id").len().sort("patient_id").rows() == [
        ("PSA1", 7), ("PSA2", 7), ("PSA3", 7), ("RA1", 2),
    ]  # fmt: skip


def test_the_labels_of_psoriatic_arthritis_tell_the_patients_apart(labelled):
    status = {
        name: dict(zip(rows["definition"], rows["status"], strict=True))
        for (name,), rows in labelled.labels.group_by("patient_id")
    }
    assert [status["PSA1"][name] for name in PSA] == ["met", "met", "not_met", "met", "met", "met", "met"]
    assert {status["PSA2"][name] for name in PSA} == {"not_met"}
    assert {status["PSA3"][name] for name in PSA} == {"not_assessable"}  # never seen at a visit
    assert status["RA1"]["eular_2021"] == "met"


def test_a_label_is_first_met_at_the_first_visit_at_which_enough_had_failed(labelled):
    first = labelled.labels.filter(patient_id="PSA1").select("definition", pl.col("first_met_date").dt.year())
    assert dict(first.rows()) == {
        "d2t_psa_two_classes": 2021, "d2t_psa_two_classes_csdmard": 2021, "refractory_psa_all_classes": None,
        "c2m_psa_2025": 2021, "tr_psa_2025": 2021, "eular_d2m_psa_2025": 2021, "eular_tr_psa_2025": 2021,
    }  # fmt: skip


def test_drugs_of_psoriatic_arthritis_have_their_own_mechanisms(labelled):
    counts = labelled.labels.filter(patient_id="PSA1", definition="tr_psa_2025")
    assert counts.select("n_failed_mechanisms", "n_failed_drugs").row(0) == (3, 3)


def test_scores_of_psoriatic_arthritis_are_null_for_other_patients(scores):
    of_psa = pl.col("dapsa", "cdapsa", "mda", "vlda", "pasdas", "dapsa_band", "cdapsa_band")
    assert scores.filter(patient_id="RA1").select(of_psa.is_null()).row(0) == (True,) * 7
    assert scores.filter(pl.col("patient_id") == "PSA2").select("dapsa", "cdapsa", "mda", "vlda").row(0) == (
        2.2, 2.0, True, True,
    )  # fmt: skip
    assert scores.filter(patient_id="PSA1")["mda"].to_list() == [False, False]
    assert scores["das28_crp"].null_count() == 0
