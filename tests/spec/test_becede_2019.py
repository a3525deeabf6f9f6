"""becede_2019: three DMARD courses, one of a b/tsDMARD, over 18 months (548 days), and CDAI never up to 10 in that time."""

import pytest

from ra_vignettes import ACTIVE, ra, reasons_of, statuses

MTX, SSZ, ADA = (
    "methotrexate 2018-01-01 - -",
    "sulfasalazine 2018-06-01 2019-06-01 remission",
    "adalimumab 2019-07-01 - -",
)
THREE = (MTX, SSZ, ADA)
EARLY = {"2020-07-02": ACTIVE}  # 548 days before
TEN = {"tjc28": 4, "sjc28": 2, "patient_global_mm": 20.0, "physician_global_mm": 20.0}
MORE_THAN_TEN = TEN | {"patient_global_mm": 21.0}
ON_AND_ON = EARLY | {"2021-01-01": ACTIVE}

CASES = {
    "three courses, always active": (ra(*THREE, earlier=EARLY, **ACTIVE), "met"),
    "a tsDMARD": (ra(MTX, SSZ, "baricitinib 2019-07-01 - -", earlier=EARLY, **ACTIVE), "met"),
    "a b/tsDMARD begun today": (ra(MTX, SSZ, "adalimumab 2022-01-01 - -", earlier=EARLY, **ACTIVE), "met"),
    "a b/tsDMARD begun tomorrow": (ra(MTX, SSZ, "adalimumab 2022-01-02 - -", earlier=EARLY, **ACTIVE), "not_met"),
    "two courses": (ra(MTX, ADA, earlier=EARLY, **ACTIVE), "not_met"),
    "one drug given again after a gap": (ra("methotrexate 2018-01-01 2018-03-01 other", "methotrexate 2019-01-01 - -", ADA, earlier=EARLY, **ACTIVE), "met"),
    "no b/tsDMARD": (ra(MTX, SSZ, "leflunomide 2019-07-01 - -", earlier=EARLY, **ACTIVE), "not_met"),
    "a glucocorticoid is no DMARD": (ra(MTX, "prednisolone 2018-06-01 - -", ADA, earlier=EARLY, **ACTIVE), "not_met"),
    "the first course 548 days ago": (ra("methotrexate 2020-07-02 - -", "sulfasalazine 2020-08-01 - -", "adalimumab 2021-01-01 - -", earlier=EARLY, **ACTIVE), "met"),
    "the first course 547 days ago": (ra("methotrexate 2020-07-03 - -", "sulfasalazine 2020-08-01 - -", "adalimumab 2021-01-01 - -", earlier=EARLY, **ACTIVE), "not_met"),
    "CDAI known over 547 days": (ra(*THREE, earlier={"2020-07-03": ACTIVE}, **ACTIVE), "not_assessable"),
    "CDAI known today only": (ra(*THREE, **ACTIVE), "not_assessable"),
    "CDAI never known": (ra(*THREE, earlier={"2020-07-02": {"sjc28": 3}}, pain_mm=50.0), "not_assessable"),
    "not known today": (ra(*THREE, earlier={"2020-01-01": ACTIVE, "2021-12-01": ACTIVE}, sjc28=3), "met"),
    "CDAI 10 once": (ra(*THREE, earlier=ON_AND_ON | {"2021-06-01": TEN}, **ACTIVE), "not_met"),
    "CDAI 10.1 once": (ra(*THREE, earlier=ON_AND_ON | {"2021-06-01": MORE_THAN_TEN}, **ACTIVE), "met"),
    "CDAI 10 before the first DMARD": (ra(*THREE, earlier={"2017-12-31": TEN} | EARLY, **ACTIVE), "met"),
    "CDAI 10 on the day of the first DMARD": (ra(*THREE, earlier={"2018-01-01": TEN} | EARLY, **ACTIVE), "not_met"),
    "CDAI 10 once, and too few courses": (ra(MTX, earlier={"2021-06-01": TEN}), "not_met"),
}  # fmt: skip
STATUS = statuses("becede_2019", CASES)


@pytest.mark.parametrize("name", CASES)
def test_becede_2019(name):
    assert STATUS[name] == CASES[name][1]


def test_without_treatments_nobody_is_assessable():
    assert set(statuses("becede_2019", CASES, without=["treatments"]).values()) == {"not_assessable"}


def test_the_reasons_hold_the_records():
    reasons = reasons_of("becede_2019", {name: CASES[name][0] for name in CASES})
    assert reasons["three courses, always active", "1a"] == (
        "3 courses of DMARDs begun: methotrexate (2018-01-01), sulfasalazine (2018-06-01), adalimumab (2019-07-01)"
    )
    assert reasons["CDAI 10 once", "2"] == "cdai remission or low at the visit of 2021-06-01"
    assert reasons["three courses, always active", "2"] == (
        "cdai never remission or low at the visits that have it, 2020-07-02 to 2022-01-01"
    )
    assert reasons["CDAI known over 547 days", "2"].endswith("cdai over at least 548 days would settle it")
    assert reasons["CDAI never known", "2"].startswith("no cdai at any visit since the first DMARD")
    assert reasons["two courses", "1a"].startswith("2 courses of DMARDs")
    assert reasons["no b/tsDMARD", "1b"] == "no courses of b/tsDMARDs begun"
