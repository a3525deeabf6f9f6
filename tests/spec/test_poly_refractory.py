"""poly_refractory: a drug of every mechanism failed that was available (tnf 2000, cd20 2006, ctla4_ig 2007, il6r 2009, jak 2017)."""

import datetime as dt

import pytest

from d2tra.definitions import label, load_definition
from ra_vignettes import extract_of, ra, reasons_of, statuses

ADA, RTX = "adalimumab 2010-01-01 2011-01-01 inefficacy", "rituximab 2011-02-01 2012-01-01 inefficacy"
ABA, TCZ = "abatacept 2012-02-01 2013-01-01 adverse_event", "tocilizumab 2013-02-01 2014-01-01 intolerance"
FOUR = (ADA, RTX, ABA, TCZ)
JAK = "baricitinib 2018-01-01 2019-01-01"

CASES = {
    "all five": (ra(*FOUR, f"{JAK} inefficacy"), "met"),
    "the last for an adverse event": (ra(*FOUR, f"{JAK} adverse_event"), "met"),
    "no JAK inhibitor": (ra(*FOUR), "not_met"),
    "the JAK inhibitor is taken": (ra(*FOUR, "baricitinib 2018-01-01 - -"), "not_met"),
    "stopped today": (ra(*FOUR, "baricitinib 2018-01-01 2022-01-01 inefficacy"), "met"),
    "stopped tomorrow": (ra(*FOUR, "baricitinib 2018-01-01 2022-01-02 inefficacy"), "not_met"),
    "the last without a reason": (ra(*FOUR, f"{JAK} -"), "not_assessable"),
    "the last presumed": (ra(*FOUR, f"{JAK} -", "etanercept 2019-02-01 - -"), "met"),
    "the last for remission": (ra(*FOUR, f"{JAK} remission"), "not_met"),
    "five drugs of four": (ra(*FOUR, "etanercept 2018-01-01 2019-01-01 inefficacy"), "not_met"),
    "anakinra in the place of one": (ra(*FOUR, "anakinra 2018-01-01 2019-01-01 inefficacy"), "not_met"),
    "one unknown, one missing": (ra(ADA, RTX, ABA, f"{JAK} -"), "not_met"),
    "nothing failed": (ra("adalimumab 2016-01-01 - -"), "not_met"),
    "no drug": (ra(), "not_met"),
}
STATUS = statuses("poly_refractory", CASES)


@pytest.mark.parametrize("name", CASES)
def test_poly_refractory(name):
    assert STATUS[name] == CASES[name][1]


@pytest.mark.parametrize(
    ("day", "first_met"),
    [("2017-02-12", True), ("2017-02-13", False), ("2014-01-01", True), ("2013-12-31", False)],
    ids=["before JAK inhibitors", "when they became available", "the fourth stops", "the day before"],
)
def test_what_was_available_is_judged_at_the_date(day, first_met):
    extract = extract_of({"one": ra(*FOUR, earlier={day: {}})})
    row = label(extract, load_definition("poly_refractory")).labels.row(0, named=True)
    assert row["first_met_date"] == (dt.date.fromisoformat(day) if first_met else None)
    assert row["status"] == "not_met"


def test_before_the_first_mechanism_nobody_has_failed_them_all():
    extract = extract_of({"one": ra(ADA, earlier={"2000-02-02": {}})})
    assert label(extract, load_definition("poly_refractory")).labels["first_met_date"].item() is None
    early = {**extract, "visits": extract["visits"].head(1)}
    evidence = label(early, load_definition("poly_refractory")).evidence
    assert evidence["met"].item() is False
    assert evidence["reason"].item() == "no mechanism was available by then"


def test_the_label_hangs_on_a_presumed_failure():
    extract = extract_of({name: CASES[name][0] for name in ("all five", "the last presumed")})
    labels = label(extract, load_definition("poly_refractory")).labels
    assert dict(labels.select("patient_id", "hangs_on_presumed").rows()) == {"all five": False, "the last presumed": True}  # fmt: skip


def test_the_reason_names_every_mechanism():
    reasons = reasons_of("poly_refractory", {name: case[0] for name, case in CASES.items()})
    assert reasons["no JAK inhibitor", "1"] == (
        "available by then: tnf failed, cd20 failed, ctla4_ig failed, il6r failed, jak not failed"
    )
    assert reasons["the last without a reason", "1"].endswith(
        "jak possibly failed; stop dates and reasons would settle it"
    )
