"""first_2022: two b/tsDMARDs failed, of whatever mechanism; no activity, no perception."""

import pytest

from d2tra.definitions import label, load_definition
from ra_vignettes import extract_of, ra, reasons_of, statuses

ADA, ETA = "adalimumab 2016-01-01 2017-01-01 inefficacy", "etanercept 2018-01-01 2019-01-01"

CASES = {
    "two TNF inhibitors": (ra(ADA, f"{ETA} inefficacy"), "met"),
    "the second for an adverse event": (ra(ADA, f"{ETA} adverse_event"), "met"),
    "the second for remission": (ra(ADA, f"{ETA} remission"), "not_met"),
    "the second without a reason": (ra(ADA, f"{ETA} -"), "not_assessable"),
    "the second presumed": (ra(ADA, f"{ETA} -", "abatacept 2019-02-01 - -"), "met"),
    "the second goes on": (ra(ADA, "etanercept 2018-01-01 - -"), "not_met"),
    "the second goes on, with a reason": (ra(ADA, "etanercept 2018-01-01 - inefficacy"), "not_assessable"),
    "the second stopped today": (ra(ADA, "etanercept 2018-01-01 2022-01-01 inefficacy"), "met"),
    "the second stops tomorrow": (ra(ADA, "etanercept 2018-01-01 2022-01-02 inefficacy"), "not_met"),
    "the second of 84 days": (ra(ADA, "etanercept 2018-01-01 2018-03-26 inefficacy"), "met"),
    "the second of 83 days": (ra(ADA, "etanercept 2018-01-01 2018-03-25 inefficacy"), "not_assessable"),
    "one drug failed twice": (ra(ADA, "adalimumab 2018-01-01 2019-01-01 inefficacy"), "not_met"),
    "a csDMARD is none": (ra("methotrexate 2014-01-01 2015-01-01 inefficacy", ADA), "not_met"),
    "no drug": (ra(), "not_met"),
}
STATUS = statuses("first_2022", CASES)


@pytest.mark.parametrize("name", CASES)
def test_first_2022(name):
    assert STATUS[name] == CASES[name][1]


def test_it_hangs_on_a_presumed_failure_only_where_it_does():
    three = ra(ADA, f"{ETA} inefficacy", "abatacept 2019-02-01 2020-01-01 -", "tocilizumab 2020-02-01 - -")
    patients = {name: CASES[name][0] for name in ("two TNF inhibitors", "the second presumed")} | {
        "three": three
    }
    labels = label(extract_of(patients), load_definition("first_2022")).labels
    assert dict(labels.select("patient_id", "hangs_on_presumed").rows()) == {
        "two TNF inhibitors": False, "the second presumed": True, "three": False,
    }  # fmt: skip


def test_the_reason_holds_the_records():
    reasons = reasons_of("first_2022", {name: case[0] for name, case in CASES.items()})
    assert reasons["two TNF inhibitors", "1"] == (
        "failed drugs: adalimumab, stopped 2017-01-01, inefficacy; etanercept, stopped 2019-01-01, inefficacy"
    )
    assert reasons["no drug", "1"] == "failed drugs: none"
    assert reasons["the second without a reason", "1"].endswith(
        "possibly also etanercept, stopped 2019-01-01, no reason recorded; its stop date and reason would settle it"
    )
