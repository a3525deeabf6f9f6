"""d2t_psa_two_classes: two or more classes of b/tsDMARD failed; the survey asks for nothing else."""

import pytest

from psa_vignettes import judge_all, patient

ADALIMUMAB = "adalimumab 2016-01-01 2017-01-01 inefficacy"
CASES = {
    "one class": (patient(ADALIMUMAB), "not_met"),
    "two classes": (patient(ADALIMUMAB, "secukinumab 2018-01-01 2019-01-01 inefficacy"), "met"),
    "two drugs of one class": (patient(ADALIMUMAB, "etanercept 2018-01-01 2019-01-01 inefficacy"), "not_met"),
    "IL-17A and IL-17RA are one class": (patient("secukinumab 2016-01-01 2017-01-01 inefficacy", "brodalumab 2018-01-01 2019-01-01 inefficacy"), "not_met"),
    "IL-12/23 and IL-23 are two": (patient("ustekinumab 2016-01-01 2017-01-01 inefficacy", "guselkumab 2018-01-01 2019-01-01 inefficacy"), "met"),
    "a targeted synthetic drug is a class": (patient(ADALIMUMAB, "apremilast 2018-01-01 2019-01-01 inefficacy"), "met"),
    "an adverse event counts": (patient(ADALIMUMAB, "tofacitinib 2018-01-01 2018-01-08 adverse_event"), "met"),
    "84 days are long enough": (patient(ADALIMUMAB, "abatacept 2018-01-01 2018-03-26 inefficacy"), "met"),
    "83 days are too short to tell": (patient(ADALIMUMAB, "abatacept 2018-01-01 2018-03-25 inefficacy"), "not_assessable"),
    "remission is no failure": (patient(ADALIMUMAB, "secukinumab 2018-01-01 2019-01-01 remission"), "not_met"),
    "the second class is still taken": (patient(ADALIMUMAB, "secukinumab 2018-01-01 - -"), "not_met"),
    "stopped the day after the judgement": (patient(ADALIMUMAB, "secukinumab 2018-01-01 2022-01-02 inefficacy"), "not_met"),
    "stopped on the day itself": (patient(ADALIMUMAB, "secukinumab 2018-01-01 2022-01-01 inefficacy"), "met"),
    "no reason recorded, nothing followed": (patient(ADALIMUMAB, "secukinumab 2018-01-01 2019-01-01 -"), "not_assessable"),
    "no reason recorded, another drug followed": (patient(ADALIMUMAB, "secukinumab 2018-01-01 2019-01-01 -", "guselkumab 2019-02-01 - -"), "met"),
    "csDMARDs are no classes": (patient(ADALIMUMAB, "methotrexate 2014-01-01 2015-01-01 inefficacy"), "not_met"),
}  # fmt: skip


@pytest.fixture(scope="module")
def judged():
    return judge_all("d2t_psa_two_classes", {name: given for name, (given, _) in CASES.items()})


@pytest.mark.parametrize("name", CASES)
def test_two_classes_failed_are_enough(judged, name):
    assert judged[name]["status"] == CASES[name][1]


def test_the_cases_reach_every_status():
    assert {status for _, status in CASES.values()} == {"met", "not_met", "not_assessable"}


def test_without_treatments_nobody_can_be_judged():
    one = {"anybody": patient(ADALIMUMAB)}
    assert judge_all("d2t_psa_two_classes", one, without=["treatments"])["anybody"]["status"] == "not_assessable"  # fmt: skip
