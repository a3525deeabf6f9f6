"""eular_d2m_psa_2025: no lasting response to two classes, activity with skin, comorbidity or inflammation, problematic."""

import pytest

from psa_vignettes import judge_all, patient

TWO = (
    "adalimumab 2016-01-01 2017-01-01 inefficacy",
    "secukinumab 2018-01-01 2019-01-01 inefficacy",
)
YES = {"problematic_to_patient": True, "problematic_to_rheumatologist": False}
ACTIVE = {"tjc68": 10, "sjc66": 5, "patient_global_mm": 60, "pain_mm": 60, "crp_mg_l": 1}
CALM = {"tjc68": 0, "sjc66": 0, "patient_global_mm": 5, "pain_mm": 5, "crp_mg_l": 1}
INFLAMED = ACTIVE | {"crp_mg_l": 11}
OBESE = ["2020-01-01 E66"]

CASES = {  # name: patient, criterion, verdict
    "one class": (patient(TWO[0]), "1", False),
    "two classes": (patient(*TWO), "1", True),
    "the second for an adverse event": (patient(TWO[0], "secukinumab 2018-01-01 2019-01-01 adverse_event"), "1", False),
    "the second presumed": (patient(TWO[0], "secukinumab 2018-01-01 2019-01-01 -", "guselkumab 2019-02-01 - -"), "1", True),
    "the second of 83 days": (patient(TWO[0], "secukinumab 2018-01-01 2018-03-25 inefficacy"), "1", None),
    "active alone": (patient(**ACTIVE), "2", False),
    "active, skin 3.1 %": (patient(**ACTIVE, skin_bsa_percent=3.1), "2", True),
    "active, skin 3 %": (patient(**ACTIVE, skin_bsa_percent=3), "2", False),
    "active, obesity": (patient(**ACTIVE, codes=OBESE), "2", True),
    "active, obesity coded a day later": (patient(**ACTIVE, codes=["2022-01-02 E66"]), "2", False),
    "active, inflamed": (patient(**INFLAMED), "2", True),
    "active, dactylitis": (patient(**ACTIVE, tender_dactylitis=1), "2", True),
    "active, never looked for inflammation": (patient(tjc68=10, sjc66=5, patient_global_mm=60, pain_mm=60), "2", None),
    "calm, skin": (patient(**CALM, skin_bsa_percent=9), "2", False),
    "activity unknown, skin": (patient(skin_bsa_percent=9), "2", None),
    "met": (patient(*TWO, **INFLAMED, **YES), "status", "met"),
    "no problem": (patient(*TWO, **INFLAMED, problematic_to_patient=False), "status", "not_met"),
    "unasked": (patient(*TWO, **INFLAMED), "status", "not_assessable"),
}  # fmt: skip


@pytest.fixture(scope="module")
def judged():
    return judge_all("eular_d2m_psa_2025", {name: given for name, (given, *_) in CASES.items()})


@pytest.mark.parametrize("name", CASES)
def test_a_criterion_is_judged_as_stated(judged, name):
    _, criterion, expected = CASES[name]
    assert judged[name][criterion] == expected


def test_a_comorbidity_is_unknown_where_the_site_has_no_diagnoses():
    one = {"anybody": patient(**ACTIVE)}
    assert judge_all("eular_d2m_psa_2025", one, without=["diagnoses"])["anybody"]["2"] is None
