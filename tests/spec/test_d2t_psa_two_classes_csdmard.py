"""d2t_psa_two_classes_csdmard: two classes of b/tsDMARD and a csDMARD failed; a missing csDMARD record is unknown, never no."""

import pytest

from psa_vignettes import judge_all, patient, reasons_of

TWO = (
    "adalimumab 2016-01-01 2017-01-01 inefficacy",
    "secukinumab 2018-01-01 2019-01-01 inefficacy",
)
CASES = {  # csDMARDs beside the two classes: verdict of criterion 2
    "stopped for inefficacy": (patient("methotrexate 2014-01-01 2015-01-01 inefficacy", *TWO), True),
    "stopped for inefficacy within days": (patient("methotrexate 2014-01-01 2014-01-15 inefficacy", *TWO), True),
    "stopped for intolerance": (patient("leflunomide 2014-01-01 2014-02-01 intolerance", *TWO), True),
    "stopped without a reason, then a biologic": (patient("methotrexate 2014-01-01 2015-01-01 -", *TWO), True),
    "goes on while a biologic is added": (patient("methotrexate 2014-01-01 - -", *TWO), True),
    "stopped for pregnancy long after a biologic was added": (patient("methotrexate 2014-01-01 2020-01-01 pregnancy", *TWO), True),
    "stopped for pregnancy before": (patient("methotrexate 2014-01-01 2015-01-01 pregnancy", *TWO), None),
    "stopped for pregnancy as the biologic begins": (patient("methotrexate 2014-01-01 2016-01-01 pregnancy", *TWO), None),
    "begun with the biologics, none added since": (patient("methotrexate 2018-01-01 - -", *TWO), None),
    "begun after the last biologic": (patient("methotrexate 2020-01-01 - -", *TWO), None),
    "begun after it, and failed": (patient("methotrexate 2020-01-01 2021-01-01 inefficacy", *TWO), True),
    "none recorded": (patient(*TWO), None),
    "contraindicated": (patient(*TWO, contraindicated=True), True),
    "a glucocorticoid is none": (patient("prednisolone 2014-01-01 2015-01-01 inefficacy", *TWO), None),
}  # fmt: skip
DEFINITION = "d2t_psa_two_classes_csdmard"


@pytest.fixture(scope="module")
def judged():
    return judge_all(DEFINITION, {name: given for name, (given, _) in CASES.items()})


@pytest.mark.parametrize("name", CASES)
def test_2_asks_for_a_csdmard_failure_and_is_never_false(judged, name):
    expected = CASES[name][1]
    assert judged[name]["2"] is expected
    assert judged[name]["status"] == ("met" if expected else "not_assessable")


def test_one_class_is_not_enough_whatever_the_csdmards():
    cases = {"known": patient(TWO[0], contraindicated=True), "unknown": patient(TWO[0])}
    assert {given["status"] for given in judge_all(DEFINITION, cases).values()} == {"not_met"}


def test_an_added_biologic_counts_from_the_day_it_is_added():
    on_the_day = patient("methotrexate 2014-01-01 - -", "adalimumab 2022-01-01 - -")
    a_day_later = patient("methotrexate 2014-01-01 - -", "adalimumab 2022-01-02 - -")
    judged = judge_all(DEFINITION, {"day": on_the_day, "later": a_day_later})
    assert (judged["day"]["2"], judged["later"]["2"]) == (True, None)


def test_2_names_the_csdmards_and_what_is_missing():
    found = reasons_of(DEFINITION, {name: given for name, (given, _) in CASES.items()})
    for name, sentence in {
        "stopped for inefficacy": "failed: methotrexate (stopped 2015-01-01, inefficacy)",
        "goes on while a biologic is added": "failed: methotrexate (not stopped, a b/tsDMARD was added)",
        "none recorded": "no csDMARD recorded to have failed; an earlier csDMARD failure or a recorded contraindication would settle it",
        "contraindicated": "csDMARDs are contraindicated",
    }.items():  # fmt: skip
        assert found[name, "2"] == sentence
    without = reasons_of(DEFINITION, {"anybody": patient(contraindicated=True), "other": patient("methotrexate 2014-01-01 - -")}, without=["treatments"])  # fmt: skip
    assert without["anybody", "2"] == "csDMARDs are contraindicated"
    assert "no treatments" in without["other", "2"]
