"""roodenrijs_2018: two csDMARDs and two mechanisms failed; DAS28-ESR above 3.2, or signs."""

import pytest

from ra_vignettes import ra, statuses

MTX, SSZ = "methotrexate 2013-01-01 2014-01-01 inefficacy", "sulfasalazine 2014-01-01 2015-01-01 intolerance"
ADA, ABA = "adalimumab 2016-01-01 2017-01-01 inefficacy", "abatacept 2018-01-01 2019-01-01 adverse_event"
ALL = (MTX, SSZ, ADA, ABA)
SIGNS = {"sjc28": 1, "crp_mg_l": 10.1}
NO_SIGNS = {"sjc28": 1, "crp_mg_l": 10.0}
ESR_EDGE = {"tjc28": 16, "sjc28": 0, "patient_global_mm": 68.5714286, "esr_mm_h": 1.0}  # 3.2
ESR_ABOVE = ESR_EDGE | {"patient_global_mm": 68.59}

CASES = {
    "failed and signs": (ra(*ALL, **SIGNS), "met"),
    "one csDMARD: unknown, never false": (ra(MTX, ADA, ABA, **SIGNS), "not_assessable"),
    "no csDMARD, contraindicated": (ra(ADA, ABA, contraindicated=True, **SIGNS), "met"),
    "a csDMARD goes on beside the b/tsDMARD": (ra(MTX, "sulfasalazine 2014-01-01 - -", ADA, ABA, **SIGNS), "met"),
    "a csDMARD begun with the b/tsDMARD": (ra(MTX, "sulfasalazine 2018-01-01 - -", ADA, ABA, **SIGNS), "not_assessable"),
    "a csDMARD stopped for pregnancy": (ra(MTX, "sulfasalazine 2014-01-01 2015-01-01 pregnancy", ADA, ABA, **SIGNS), "not_assessable"),
    "one mechanism": (ra(MTX, SSZ, ADA, "etanercept 2018-01-01 2019-01-01 inefficacy", **SIGNS), "not_met"),
    "the second mechanism open": (ra(MTX, SSZ, ADA, "abatacept 2018-01-01 2019-01-01 -", **SIGNS), "not_assessable"),
    "DAS28-ESR 3.2, no signs": (ra(*ALL, **ESR_EDGE), "not_met"),
    "DAS28-ESR 3.2003": (ra(*ALL, **ESR_ABOVE), "met"),
    "no signs, DAS28-ESR unknown": (ra(*ALL, **NO_SIGNS), "not_assessable"),
    "DAS28-CRP alone does not count": (ra(*ALL, tjc28=10, patient_global_mm=80.0, **NO_SIGNS), "not_assessable"),
    "DAS28-ESR 3.2 while a drug suppresses it": (ra(*ALL, "tocilizumab 2020-01-01 - -", **ESR_EDGE), "not_assessable"),
    "neither known": (ra(*ALL), "not_assessable"),
}  # fmt: skip
STATUS = statuses("roodenrijs_2018", CASES)


@pytest.mark.parametrize("name", CASES)
def test_roodenrijs_2018(name):
    assert STATUS[name] == CASES[name][1]
