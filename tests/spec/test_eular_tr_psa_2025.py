"""eular_tr_psa_2025: as eular_d2m_psa_2025, with persistent activity and objective inflammation."""

import pytest
from test_eular_d2m_psa_2025 import ACTIVE, CALM, INFLAMED, OBESE, TWO, YES
from test_eular_d2m_psa_2025 import CASES as DIFFICULT

from psa_vignettes import judge_all, patient

CASES = {
    "active and inflamed": (patient(*TWO, **INFLAMED, **YES), "met"),
    "active, a comorbidity, not inflamed": (patient(*TWO, **ACTIVE, **YES, codes=OBESE), "not_met"),
    "active, inflamed, a comorbidity": (patient(*TWO, **INFLAMED, **YES, codes=OBESE), "met"),
    "active, skin, not inflamed": (patient(*TWO, **ACTIVE, **YES, pasi=9), "not_met"),
    "active, power Doppler 1": (patient(*TWO, **ACTIVE, **YES, images=["2021-01-01 ultrasound power_doppler_grade 1"]), "met"),
    "active, power Doppler 0": (patient(*TWO, **ACTIVE, **YES, images=["2021-01-01 ultrasound power_doppler_grade 0"]), "not_met"),
    "active, power Doppler too old": (patient(*TWO, **ACTIVE, **YES, images=["2020-12-31 ultrasound power_doppler_grade 1"]), "not_met"),
    "calm, power Doppler 1": (patient(*TWO, **CALM, **YES, images=["2021-06-01 ultrasound power_doppler_grade 1"]), "not_met"),
    "active, CRP not known": (patient(*TWO, **{**ACTIVE, "crp_mg_l": None}, **YES), "not_assessable"),
    "one class": (patient(TWO[0], **INFLAMED, **YES), "not_met"),
    "no problem": (patient(*TWO, **INFLAMED, problematic_to_rheumatologist=False), "not_met"),
}  # fmt: skip


@pytest.fixture(scope="module")
def judged():
    return judge_all("eular_tr_psa_2025", {name: given for name, (given, _) in CASES.items()})


@pytest.mark.parametrize("name", CASES)
def test_activity_with_objective_inflammation_is_asked(judged, name):
    assert judged[name]["status"] == CASES[name][1]


def test_whoever_is_treatment_refractory_is_difficult_to_manage_too():
    everybody = {name: given for name, (given, *_) in (DIFFICULT | CASES).items()}
    refractory = judge_all("eular_tr_psa_2025", everybody)
    difficult = judge_all("eular_d2m_psa_2025", everybody)
    met = [name for name in everybody if refractory[name]["status"] == "met"]
    assert len(met) == 4
    assert {difficult[name]["status"] for name in met} == {"met"}
