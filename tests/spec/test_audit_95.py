"""audit_95: two mechanisms failed, two csDMARDs including methotrexate before, severity moderate or high; no criterion 3."""

import pytest

from d2tra.definitions import audit_counts
from d2tra.scores import score_visits
from d2tra.treatment import trace_courses
from tables import frame
from vignettes import ACTIVE, TWO_FAILED, drugs, judge, met, status

AUDIT = {"definition": "audit_95"}
FAILED = [
    "adalimumab | 2016-01-01 | 2017-01-01 | inefficacy",
    "abatacept | 2018-01-01 | 2019-01-01 | inefficacy",
]
BOTH = ["methotrexate | 2014-01-01 | |", "sulfasalazine | 2015-01-01 | |"]
MODERATE = "visit_date | tjc28 | sjc28 | patient_global_mm | crp_mg_l\n2022-01-01 | 4 | 2 | 40 | 12"


@pytest.mark.parametrize(
    ("rows", "contraindicated", "expected"),
    [
        pytest.param(BOTH, "", True, id="two including methotrexate"),
        pytest.param(BOTH[:1], "", None, id="methotrexate alone: unknown, never false"),
        pytest.param(["leflunomide | 2014-01-01 | |", "sulfasalazine | 2015-01-01 | |"], "", None, id="two without methotrexate"),
        pytest.param(["methotrexate | 2014-01-01 | |", "sulfasalazine | 2016-01-01 | |"], "", True, id="the second on the day of the first b/tsDMARD"),
        pytest.param(["methotrexate | 2014-01-01 | |", "sulfasalazine | 2016-01-02 | |"], "", None, id="the second a day later"),
        pytest.param(["methotrexate | 2013-01-01 | 2013-02-01 |", "methotrexate | 2015-01-01 | |"], "", None, id="methotrexate twice is one drug"),
        pytest.param([], "true", True, id="contraindicated"),
    ],
)  # fmt: skip
def test_1c_asks_for_two_csdmards_including_methotrexate(rows, contraindicated, expected):
    patients = f"disease | csdmard_contraindicated\nRA | {contraindicated}"
    assert met("1c", treatments=drugs(*rows, *FAILED), patients=patients, **AUDIT) is expected


@pytest.mark.parametrize(
    ("row", "severity_score", "expected"),
    [
        pytest.param("4 | 0 | 80 | | 0 |", None, False, id="DAS28-CRP 3.2: low"),
        pytest.param("4 | 0 | 80.01 | | 0 |", None, True, id="DAS28-CRP 3.2001: moderate"),
        pytest.param("8 | 6 | 60 | 60 | |", None, None, id="only a CDAI: none of the study's scores"),
        pytest.param("8 | 6 | 60 | 60 | |", ["cdai"], True, id="the study's score is the CDAI"),
        pytest.param("4 | 0 | 80 | | 0 | 30", None, True, id="DAS28-ESR first"),
        pytest.param("4 | 0 | 80 | | 0 | 30", ["das28_crp", "das28_esr"], False, id="DAS28-CRP first"),
        pytest.param("| | | | |", None, None, id="no score"),
    ],
)  # fmt: skip
def test_2_is_the_severity(row, severity_score, expected):
    header = "visit_date | tjc28 | sjc28 | patient_global_mm | physician_global_mm | crp_mg_l | esr_mm_h"
    study = {"severity_score": severity_score} if severity_score else None
    assert met("2", visits=f"{header}\n2022-01-01 | {row}", study=study, **AUDIT) is expected


def test_criterion_3_plays_no_part():
    visits = MODERATE.replace("crp_mg_l\n", "crp_mg_l | problematic_to_patient\n") + " | false"
    assert status(visits=visits, treatments=drugs(*BOTH, *FAILED), **AUDIT) == "met"
    assert "3" not in judge(visits=ACTIVE, **AUDIT).evidence["criterion"]


def counts(treatments, visits, study=None):
    def with_patient(text):
        header, *rows = [line.strip() for line in text.strip().splitlines()]
        return frame("\n".join([f"patient_id | {header}", *(f"P1 | {row}" for row in rows)]))

    extract = {"patients": frame("patient_id | disease\nP1 | RA\nP2 | RA"), "visits": with_patient(visits)}
    courses = None
    if treatments is not None:
        extract["treatments"] = with_patient(treatments)
        courses = trace_courses(extract["treatments"], extract["visits"]["visit_date"].max())
    return audit_counts(extract, courses, score_visits(extract["visits"]), study).rows()


def test_counts_hold_every_drug_started_by_the_index_date():
    rows = drugs("methotrexate | 2014-01-01 | |", "sulfasalazine | 2016-01-01 | |", "leflunomide | 2016-01-02 | |",
                 "adalimumab | 2016-01-01 | 2016-02-01 | remission", "etanercept | 2017-01-01 | 2018-01-01 | inefficacy",
                 "abatacept | 2022-01-01 | |")  # fmt: skip
    assert counts(rows, MODERATE) == [("P1", "moderate", 3, 2, True), ("P2", None, None, None, None)]


def test_counts_without_a_bts_hold_every_csdmard():
    assert counts(drugs("leflunomide | 2016-01-01 | |"), MODERATE)[0] == ("P1", "moderate", 0, 1, False)


def test_severity_is_that_of_the_visit_that_decided_2a():
    visits = MODERATE + "\n2022-06-01 | | | |"
    assert counts(TWO_FAILED, visits)[0][1] == "moderate"
    assert counts(TWO_FAILED, visits + "\n2023-06-02 | | | |")[0][1] is None


def test_drugs_are_not_counted_where_the_extract_has_no_treatments():
    assert counts(None, MODERATE)[0] == ("P1", "moderate", None, None, None)
