"""kurama_2022: two b/tsDMARDs used, DAS28-ESR of 3.2 or more at the last visit, followed for more than 183 days."""

import pytest

from ra_vignettes import ra, reasons_of, statuses

TWO = ("adalimumab 2016-01-01 2017-01-01 remission", "etanercept 2018-01-01 - -")
LONG = {"2021-07-01": {"pain_mm": 50.0}}  # 184 days
ON_THE_EDGE = {"tjc28": 16, "sjc28": 0, "patient_global_mm": 68.5714286, "esr_mm_h": 1.0}  # 2.24 + 0 + 0.96
BELOW = ON_THE_EDGE | {"patient_global_mm": 68.55}
CRP_ONLY = {"tjc28": 8, "sjc28": 6, "patient_global_mm": 60.0, "crp_mg_l": 30.0}

CASES = {
    "DAS28-ESR 3.2": (ra(*TWO, earlier=LONG, **ON_THE_EDGE), "met"),
    "DAS28-ESR 3.1997": (ra(*TWO, earlier=LONG, **BELOW), "not_met"),
    "the last visit counts": (ra(*TWO, earlier={"2021-07-01": ON_THE_EDGE}, **BELOW), "not_met"),
    "the last visit that has it": (ra(*TWO, earlier={"2021-07-01": ON_THE_EDGE}, pain_mm=50.0), "met"),
    "365 days ago": (ra(*TWO, earlier={"2021-01-01": ON_THE_EDGE}), "met"),
    "366 days ago": (ra(*TWO, earlier={"2020-12-31": ON_THE_EDGE}), "not_assessable"),
    "DAS28-CRP does not count": (ra(*TWO, earlier=LONG, **CRP_ONLY), "not_assessable"),
    "one drug": (ra(TWO[0], earlier=LONG, **ON_THE_EDGE), "not_met"),
    "the second begun today": (ra(TWO[0], "abatacept 2022-01-01 - -", earlier=LONG, **ON_THE_EDGE), "met"),
    "a tsDMARD is the second": (ra(TWO[0], "baricitinib 2020-01-01 - -", earlier=LONG, **ON_THE_EDGE), "met"),
    "low while a drug suppresses the ESR": (ra(TWO[0], "tocilizumab 2020-01-01 - -", earlier=LONG, **BELOW), "not_met"),
    "followed for 183 days": (ra(*TWO, earlier={"2021-07-02": {}}, **ON_THE_EDGE), "not_met"),
    "the first visit": (ra(*TWO, **ON_THE_EDGE), "not_met"),
}  # fmt: skip
STATUS = statuses("kurama_2022", CASES)


@pytest.mark.parametrize("name", CASES)
def test_kurama_2022(name):
    assert STATUS[name] == CASES[name][1]


def test_the_reasons_hold_the_records():
    reasons = reasons_of("kurama_2022", {name: case[0] for name, case in CASES.items()})
    assert reasons["DAS28-ESR 3.2", "2"] == "das28_esr 3.2 at the visit of 2022-01-01"
    assert reasons["366 days ago", "2"] == "no visit with das28_esr since 2021-01-01; more would settle it"
    assert reasons["followed for 183 days", "3"] == "183 days since the first visit on 2021-07-02"
