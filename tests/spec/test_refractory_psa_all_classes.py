"""refractory_psa_all_classes: every class of b/tsDMARD failed that was licensed for psoriatic arthritis by then."""

import pytest

from psa_vignettes import judge_all, patient, reasons_of

LICENSED = {  # by 2022-01-01: a drug of each class
    "tnf": "adalimumab", "il12_23": "ustekinumab", "pde4": "apremilast", "il17": "secukinumab",
    "ctla4_ig": "abatacept", "jak": "tofacitinib", "il23": "guselkumab",
}  # fmt: skip


def failed(**ends):
    """All seven classes failed one after the other; `il23="2021-01-01 2021-06-01 remission"` changes one, None drops it."""
    rows = {
        mechanism: f"{drug} {2014 + year}-01-01 {2014 + year}-12-01 inefficacy"
        for year, (mechanism, drug) in enumerate(LICENSED.items())
    }
    changed = {mechanism: end and f"{LICENSED[mechanism]} {end}" for mechanism, end in ends.items()}
    return [row for row in (rows | changed).values() if row]


CASES = {
    "all seven": (patient(*failed()), "met"),
    "one not tried": (patient(*failed(pde4=None)), "not_met"),
    "one still taken": (patient(*failed(il23="2020-01-01 - -")), "not_met"),
    "one stopped on the day": (patient(*failed(il23="2020-01-01 2022-01-01 inefficacy")), "met"),
    "one stopped the day after": (patient(*failed(il23="2020-01-01 2022-01-02 inefficacy")), "not_met"),
    "one for an adverse event": (patient(*failed(jak="2019-01-01 2019-12-01 adverse_event")), "not_met"),
    "one of 84 days": (patient(*failed(il23="2020-01-01 2020-03-25 inefficacy")), "met"),
    "one of 83 days": (patient(*failed(il23="2020-01-01 2020-03-24 inefficacy")), "not_assessable"),
    "one without a reason": (patient(*failed(il23="2020-01-01 2020-12-01 -")), "not_assessable"),
    "one without a reason, the next drug followed": (patient(*failed(jak="2019-01-01 2019-12-01 -")), "met"),
    "a class not licensed for it as well": (patient(*failed(), "tocilizumab 2021-01-01 - -"), "met"),
    "nothing": (patient(), "not_met"),
}  # fmt: skip


@pytest.fixture(scope="module")
def judged():
    return judge_all("refractory_psa_all_classes", {name: given for name, (given, _) in CASES.items()})


@pytest.mark.parametrize("name", CASES)
def test_every_available_class_must_have_failed(judged, name):
    assert judged[name]["status"] == CASES[name][1]


@pytest.mark.parametrize(
    ("visit", "expected"), [("2013-09-24", "met"), ("2013-09-25", "not_met")], ids=["the day before the licence of ustekinumab", "the day of it"]
)  # fmt: skip
def test_a_class_counts_from_the_day_of_its_licence(visit, expected):
    given = patient("etanercept 2010-01-01 2011-01-01 inefficacy")
    given["visits"][0]["visit_date"] = type(given["visits"][0]["visit_date"]).fromisoformat(visit)
    assert judge_all("refractory_psa_all_classes", {"one": given})["one"]["status"] == expected


def test_the_reason_names_every_available_class():
    reasons = reasons_of("refractory_psa_all_classes", {name: given for name, (given, _) in CASES.items()})
    assert reasons["one of 83 days", "1"] == (
        "available by then: tnf failed, il12_23 failed, pde4 failed, il17 failed, ctla4_ig failed, jak failed, "
        "il23 possibly failed; stop dates and reasons would settle it"
    )
