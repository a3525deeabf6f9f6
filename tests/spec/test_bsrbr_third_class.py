"""bsrbr_third_class and bsrbr_third_drug: the third class, or the third drug, of bDMARD is started."""

import datetime as dt

import pytest

from d2tra.definitions import label, load_definition
from ra_vignettes import extract_of, ra, reasons_of, statuses

ADA, ETA = "adalimumab 2016-01-01 2017-01-01 inefficacy", "etanercept 2017-01-01 2018-01-01 adverse_event"
RTX, ABA = "rituximab 2018-02-01 2019-01-01 remission", "abatacept 2019-02-01 - -"

CASES = {  # name: patient, third class, third drug
    "three classes": (ra(ADA, RTX, ABA), "met", "met"),
    "three drugs of two classes": (ra(ADA, ETA, RTX), "not_met", "met"),
    "two classes": (ra(ADA, RTX), "not_met", "not_met"),
    "the third begun today": (ra(ADA, RTX, "abatacept 2022-01-01 - -"), "met", "met"),
    "the third begun tomorrow": (ra(ADA, RTX, "abatacept 2022-01-02 - -"), "not_met", "not_met"),
    "the third is a tsDMARD": (ra(ADA, RTX, "tofacitinib 2020-01-01 - -"), "not_met", "not_met"),
    "the third is a csDMARD": (ra(ADA, RTX, "leflunomide 2020-01-01 - -"), "not_met", "not_met"),
    "a biosimilar is the same drug": (ra(ADA, RTX, "amgevita 2020-01-01 - -"), "not_met", "not_met"),
    "a drug given again is the same drug": (ra(ADA, RTX, "adalimumab 2020-01-01 - -"), "not_met", "not_met"),
    "whatever became of them": (ra("adalimumab 2016-01-01 - -", "tocilizumab 2016-02-01 - -", "abatacept 2016-03-01 - -"), "met", "met"),
    "no drug": (ra(), "not_met", "not_met"),
}  # fmt: skip
CLASS, DRUG = (statuses(f"bsrbr_third_{what}", CASES) for what in ("class", "drug"))


@pytest.mark.parametrize("name", CASES)
def test_bsrbr_third_class_and_third_drug(name):
    assert (CLASS[name], DRUG[name]) == CASES[name][1:]


def test_without_treatments_nobody_is_assessable():
    assert set(statuses("bsrbr_third_class", CASES, without=["treatments"]).values()) == {"not_assessable"}


def test_the_event_is_met_at_the_first_visit_from_the_start_on():
    visits = {"2019-01-31": {}, "2019-02-01": {}, "2020-01-01": {}}
    extract = extract_of({"one": ra(ADA, RTX, ABA, earlier=visits)})
    row = label(extract, load_definition("bsrbr_third_class")).labels.row(0, named=True)
    assert row["first_met_date"] == dt.date(2019, 2, 1)
    assert not row["hangs_on_presumed"]


def test_the_reason_holds_the_starts():
    reasons = reasons_of("bsrbr_third_class", {"one": CASES["three classes"][0], "none": CASES["no drug"][0]})
    expected = "3 mechanisms of bDMARDs begun: tnf (2016-01-01), cd20 (2018-02-01), ctla4_ig (2019-02-01)"
    assert reasons["one", "1"] == expected
    assert reasons["none", "1"] == "no mechanisms of bDMARDs begun"
