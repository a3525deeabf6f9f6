"""strata_fit_0 … strata_fit_6: each step adds a rule to the one before."""

import datetime as dt

import pytest

from d2tra.definitions import label, load_definition
from ra_vignettes import extract_of, ra, reasons_of, statuses

TWO = ("adalimumab 2016-01-01 2017-01-01 remission", "abatacept 2018-01-01 - -")
ON_THE_EDGE = {"tjc28": 4, "sjc28": 0, "patient_global_mm": 80.0, "crp_mg_l": 0.0}  # DAS28-CRP 3.2
LOW = ON_THE_EDGE | {"patient_global_mm": 50.0}  # 2.78
ABOVE = ON_THE_EDGE | {"patient_global_mm": 80.01}
SEVERE = ON_THE_EDGE | {"patient_global_mm": 76.0, "tjc28": 9}  # 3.704
MILD = ON_THE_EDGE | {"patient_global_mm": 51.0, "tjc28": 9}  # 3.354
YOUNG, OLD = dt.date(2018, 1, 1), dt.date(1990, 1, 1)
M, N, U = "met", "not_met", "not_assessable"

CASES = {  # name: patient, then the seven steps
    # the treatment history
    "three mechanisms": (ra(*TWO, "baricitinib 2021-12-01 - -", diagnosis_date=YOUNG, earlier={"2021-06-01": SEVERE}, **SEVERE), M, M, M, M, M, M, M),
    "two, the second 183 days ago": (ra(TWO[0], "abatacept 2021-07-02 - -", **SEVERE), M, M, M, U, U, U, U),
    "two, the second 182 days ago": (ra(TWO[0], "abatacept 2021-07-03 - -", **SEVERE), N, N, N, N, N, N, N),
    "three, the third today": (ra(TWO[0], "abatacept 2021-12-01 - -", "baricitinib 2022-01-01 - -", **LOW), M, M, N, N, N, N, N),
    "three drugs of two mechanisms": (ra(TWO[0], "etanercept 2017-02-01 - -", "abatacept 2021-12-01 - -", **SEVERE), N, N, N, N, N, N, N),
    "one": (ra(TWO[0], **SEVERE), N, N, N, N, N, N, N),
    # activity
    "DAS28 3.2": (ra(*TWO, **ON_THE_EDGE), M, N, N, U, U, U, U),
    "DAS28 3.2001": (ra(*TWO, **ABOVE), M, M, M, U, U, U, U),
    "DAS28-ESR comes first": (ra(*TWO, **SEVERE | {"esr_mm_h": 1.0, "tjc28": 0}), M, N, N, U, U, U, U),
    "CRP 10, DAS28 unknown": (ra(*TWO, crp_mg_l=10.0, patient_global_mm=60.0), M, U, U, U, N, N, N),
    "CRP 10.1, DAS28 unknown": (ra(*TWO, crp_mg_l=10.1, patient_global_mm=60.0), M, M, M, U, N, N, N),
    "nothing known": (ra(*TWO), M, U, U, U, U, U, U),
    "a new drug 90 days ago": (ra(*TWO, "baricitinib 2021-10-03 - -", physician_global_mm=51.0), M, M, M, M, N, N, N),
    "a new drug 91 days ago": (ra(*TWO, "baricitinib 2021-10-02 - -", **LOW), M, N, N, N, N, N, N),
    "an old drug again": (ra(*TWO, "adalimumab 2021-12-01 - -", **LOW), M, N, N, N, N, N, N),
    # global scores
    "patient 50, physician 50": (ra(*TWO, **MILD | {"patient_global_mm": 50.0, "tjc28": 16, "physician_global_mm": 50.0}), M, M, N, N, N, N, N),
    "patient 50, physician 50.1": (ra(*TWO, **MILD | {"patient_global_mm": 50.0, "tjc28": 16, "physician_global_mm": 50.1}), M, M, M, U, N, N, N),
    "patient 75": (ra(*TWO, earlier={"2021-06-01": MILD}, diagnosis_date=YOUNG, **SEVERE | {"patient_global_mm": 75.0}), M, M, M, M, N, N, N),
    "patient 75.1": (ra(*TWO, earlier={"2021-06-01": SEVERE}, diagnosis_date=YOUNG, **SEVERE | {"patient_global_mm": 75.1}), M, M, M, M, M, M, M),
    # two visits
    "high now, low before": (ra(*TWO, earlier={"2021-06-01": ON_THE_EDGE | {"tjc28": 0, "patient_global_mm": 0.0}}, **SEVERE), M, M, M, N, N, N, N),
    "two visits in 365 days": (ra(*TWO, earlier={"2021-01-01": SEVERE}, diagnosis_date=YOUNG, **SEVERE), M, M, M, M, M, M, M),
    "two visits in 366 days": (ra(*TWO, earlier={"2020-12-31": SEVERE}, diagnosis_date=YOUNG, **SEVERE), M, M, M, U, U, U, U),
    # within ten and five years of the diagnosis, or of 2000
    "10 years": (ra(*TWO, earlier={"2021-06-01": MILD}, diagnosis_date=dt.date(2012, 1, 1), **SEVERE), M, M, M, M, M, M, N),
    "10 years and a day": (ra(*TWO, earlier={"2021-06-01": MILD}, diagnosis_date=dt.date(2011, 12, 31), **SEVERE), M, M, M, M, M, N, N),
    "5 years": (ra(*TWO, earlier={"2021-06-01": MILD}, diagnosis_date=dt.date(2016, 12, 31), **SEVERE), M, M, M, M, M, M, M),
    "5 years and a day": (ra(*TWO, earlier={"2021-06-01": MILD}, diagnosis_date=dt.date(2016, 12, 30), **SEVERE), M, M, M, M, M, M, N),
    "an old diagnosis": (ra(*TWO, earlier={"2021-06-01": MILD}, diagnosis_date=OLD, **SEVERE), M, M, M, M, M, N, N),
    "no date of diagnosis": (ra(*TWO, earlier={"2021-06-01": MILD}, **SEVERE), M, M, M, M, M, U, U),
}  # fmt: skip
STATUS = [statuses(f"strata_fit_{step}", CASES) for step in range(7)]


@pytest.mark.parametrize("name", CASES)
def test_the_seven_steps(name):
    assert tuple(status[name] for status in STATUS) == CASES[name][1:]


def test_what_was_reached_in_time_stays_reached():
    early = {"2008-06-01": SEVERE, "2009-06-01": SEVERE, "2020-01-01": LOW}
    drugs = ("adalimumab 2001-01-01 2004-01-01 remission", "abatacept 2007-06-01 - -")
    patients = {
        "in time": ra(*drugs, earlier=early, diagnosis_date=OLD, **LOW),
        "too late": ra(
            *drugs, earlier=early | {"2010-06-01": SEVERE, "2009-06-01": LOW}, diagnosis_date=OLD, **LOW
        ),
    }
    labels = label(extract_of(patients), load_definition("strata_fit_5")).labels
    found = {
        name: (status, day)
        for name, status, day in labels.select("patient_id", "status", "first_met_date").rows()
    }
    assert found["in time"] == ("met", dt.date(2009, 6, 1))
    assert found["too late"][0] != "met"
    reasons = reasons_of("strata_fit_5", patients)
    assert reasons["in time", "5"] == "first at the visit of 2009-06-01"


def test_the_reasons_hold_the_records():
    reasons = [
        reasons_of(f"strata_fit_{step}", {name: case[0] for name, case in CASES.items()})
        for step in (1, 3, 5)
    ]
    assert reasons[0]["a new drug 90 days ago", "2c"] == "baricitinib begun on 2021-10-03"
    assert reasons[0]["one", "2c"] == "no new b/tsDMARD since 2021-10-03"
    assert reasons[0]["CRP 10.1, DAS28 unknown", "2"] == "2b met: crp_mg_l 10.1 at the visit of 2022-01-01"
    assert reasons[1]["two visits in 365 days", "2a"] == "das28_esr or das28_crp 3.704 over 2 visits from 2021-01-01 to 2022-01-01"  # fmt: skip
    assert reasons[1]["DAS28 3.2", "2a"].startswith(
        "fewer than 2 visits with das28_esr or das28_crp since 2021-01-01"
    )
    assert reasons[2]["10 years", "4"] == "3653 days since 2012-01-01"
    assert reasons[2]["an old diagnosis", "4"] == "8036 days since 2000-01-01"
    assert reasons[2]["no date of diagnosis", "4"] == "no date of diagnosis; it would settle it"
    assert reasons[2]["an old diagnosis", "5"] == "at no visit so far"
    assert reasons[2]["no date of diagnosis", "5"].startswith(
        "unknown at the visit of 2022-01-01, which might"
    )
