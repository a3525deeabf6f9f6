"""multi_mechanism (Buch 2018, project reading): three mechanisms failed for inefficacy, DAS28 above 3.2 or CDAI above 10."""

import pytest

from ra_vignettes import ACTIVE, ra, statuses

ADA, ABA = (
    "adalimumab 2016-01-01 2017-01-01 inefficacy",
    "abatacept 2018-01-01 2019-01-01 secondary_inefficacy",
)
TCZ = "tocilizumab 2019-02-01 2020-01-01 primary_inefficacy"
THREE = (ADA, ABA, TCZ)
LOW = {"tjc28": 4, "sjc28": 0, "patient_global_mm": 80.0, "crp_mg_l": 0.0}  # DAS28-CRP 3.2

CASES = {
    "three inefficacies, active": (ra(*THREE, **ACTIVE), "met"),
    "two": (ra(ADA, ABA, **ACTIVE), "not_met"),
    "three drugs of two mechanisms": (ra(ADA, "etanercept 2017-02-01 2017-12-01 inefficacy", ABA, **ACTIVE), "not_met"),
    "the third for an adverse event": (ra(ADA, ABA, "tocilizumab 2019-02-01 2020-01-01 adverse_event", **ACTIVE), "not_met"),
    "the third without a reason": (ra(ADA, ABA, "tocilizumab 2019-02-01 2020-01-01 -", **ACTIVE), "not_assessable"),
    "the third presumed": (ra(ADA, ABA, "tocilizumab 2019-02-01 2020-01-01 -", "baricitinib 2020-02-01 - -", **ACTIVE), "not_assessable"),
    "the third after 84 days": (ra(ADA, ABA, "tocilizumab 2020-01-01 2020-03-25 inefficacy", **ACTIVE), "met"),
    "the third after 83 days": (ra(ADA, ABA, "tocilizumab 2020-01-01 2020-03-24 inefficacy", **ACTIVE), "not_assessable"),
    "stopped today": (ra(ADA, ABA, "tocilizumab 2019-02-01 2022-01-01 inefficacy", **ACTIVE), "met"),
    "DAS28-CRP 3.2": (ra(*THREE, **LOW), "not_met"),
    "DAS28-CRP 3.2002": (ra(*THREE, **LOW | {"patient_global_mm": 80.01}), "met"),
    "DAS28-CRP 3.2 while a drug suppresses it": (ra(*THREE, "sarilumab 2020-02-01 - -", **LOW), "not_assessable"),
    "CDAI 10": (ra(*THREE, tjc28=4, sjc28=2, patient_global_mm=20.0, physician_global_mm=20.0), "not_met"),
    "CDAI 10.1": (ra(*THREE, tjc28=4, sjc28=2, patient_global_mm=21.0, physician_global_mm=20.0), "met"),
    "no score": (ra(*THREE), "not_assessable"),
    "active 366 days ago": (ra(*THREE, earlier={"2020-12-31": ACTIVE}), "not_assessable"),
}  # fmt: skip
STATUS = statuses("multi_mechanism", CASES)


@pytest.mark.parametrize("name", CASES)
def test_multi_mechanism(name):
    assert STATUS[name] == CASES[name][1]
