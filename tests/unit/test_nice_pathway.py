"""The NICE pathway to the first b/tsDMARD: its DAS28, its two eras, its standard, and what is not known."""

import polars as pl
import pytest

from d2tra.config import Study
from d2tra.definitions import load_definition
from d2tra.disclosure.relations import bind
from d2tra.extract.schemas import complete
from d2tra.risk_factor_plan import BandsOf, load_plan
from d2tra.risk_factors import derive_factors
from d2tra.tables import Results
from d2tra.tables.cells import formatted
from d2tra.tables.nice_pathway import nice_pathway
from tables import frame

PLAN = load_plan()
ALL, BEFORE, SINCE, STANDARD = "All", "Begun before 1 July 2021", "Begun from 1 July 2021", "Standard, %"
TWO, STEP, WITHIN, BANDS = (
    "At least two csDMARDs including methotrexate",
    "At least two csDMARDs including methotrexate, or csDMARDs contraindicated",
    "DAS28 at the first b/tsDMARD within what NICE then asked for",
    "DAS28 at the first b/tsDMARD as NICE bands it",
)
OF_THE_STEP = ("two_csdmards", "two_csdmards_with_methotrexate", "csdmard_step")
MEMBERS = frame("""
    patient_id | first_bts_from_july_2021 | two_csdmards_with_methotrexate | csdmard_step | nice_band_at_first_bts
    A          | false                    | true                           | true         | severe
    B          | false                    | true                           | true         | moderate
    C          | false                    | false                          | true         |
    D          | true                     | true                           | true         | moderate
    E          | true                     | false                          |              | none
    F          |                          |                                |              |
""")


def band_at_start(*scores, first_bts="2021-07-01", baseline="2023-01-01"):
    """The band of a patient with these (visit_date, das28_esr, das28_crp)."""
    rows = "\n".join(f"A | {day} | {esr} | {crp}" for day, esr, crp in scores)
    tables = {
        "patients": complete(frame("patient_id | disease | sex\nA | RA | female"), "patients"),
        "scores": frame(
            f"patient_id | visit_date | das28_esr | das28_crp\n{rows}",
            visit_date=pl.Date, das28_esr=pl.Float64, das28_crp=pl.Float64,
        ),
    }  # fmt: skip
    at = frame(f"patient_id | baseline_date | first_bts_date\nA | {baseline} | {first_bts}")
    factors = [factor for name, factor in PLAN.factors.items() if name.endswith("_at_first_bts")]
    return derive_factors(factors, at, tables, True)["nice_band_at_first_bts"].item()


@pytest.mark.parametrize(
    ("das28", "band"),
    [
        (3.1999, "none"),
        (3.2, "moderate"),
        (5.1, "moderate"),
        (5.1001, "severe"),
        (4.4 + 0.7, "moderate"),  # 5.1000000000000005 in binary
    ],
)
def test_moderate_disease_is_3_2_to_5_1_both_included_and_severe_above(das28, band):
    """TA375, TA715; clinical reference 1.1, column NICE band."""
    assert band_at_start(("2021-06-30", das28, "")) == band


def test_the_das28_is_that_nearest_before_the_start_in_ninety_days_and_never_a_later_one():
    assert band_at_start(("2021-04-02", 6.0, "")) == "severe"  # 90 days
    assert band_at_start(("2021-04-01", 6.0, "")) is None  # 91 days
    assert band_at_start(("2021-07-01", 4.0, "")) == "moderate"  # the day itself
    assert band_at_start(("2021-07-02", 6.0, "")) is None
    assert band_at_start(("2021-05-01", 6.0, ""), ("2021-06-01", 4.0, "")) == "moderate"


def test_the_crp_form_counts_only_where_the_esr_form_is_not_known():
    assert band_at_start(("2021-06-01", 4.0, 6.0)) == "moderate"
    assert band_at_start(("2021-06-01", "", 6.0)) == "severe"


def test_a_start_after_baseline_is_not_read():
    assert band_at_start(("2021-06-01", 6.0, ""), baseline="2021-06-30") is None


def csdmard_step(n, methotrexate, contraindicated):
    patients = complete(frame("patient_id | disease | sex\nA | RA | female"), "patients")
    patients = patients.with_columns(csdmard_contraindicated=pl.lit(contraindicated, pl.Boolean))
    at = frame("patient_id | baseline_date | first_bts_date\nA | 2023-01-01 | 2020-01-01").with_columns(
        n_csdmards_before_bts=pl.lit(n), methotrexate_before_bts=pl.lit(methotrexate)
    )
    factors = [PLAN.factors[name] for name in OF_THE_STEP]
    return derive_factors(factors, at, {"patients": patients}, True)["csdmard_step"].item()


@pytest.mark.parametrize(
    ("n", "methotrexate", "contraindicated", "taken"),
    [
        (2, True, False, True),
        (2, False, False, False),
        (1, True, False, False),
        (1, True, True, True),
        (1, True, None, None),  # not said is not "not contraindicated"
    ],
)
def test_two_csdmards_with_methotrexate_or_a_contraindication_make_the_step(
    n, methotrexate, contraindicated, taken
):
    assert csdmard_step(n, methotrexate, contraindicated) is taken


def table(members=MEMBERS, disease="RA", **changes):
    study = Study(name="s", title="t", sites=["north"], cohorts=[{"name": "audit", "disease": disease}],
                  definitions=["eular_2021"], seed=1, baseline="index")  # fmt: skip
    given = {
        "study": study,
        "cohort": "audit",
        "plan": PLAN,
        "flow": None,
        "prevalence": None,
        "analysis_set": members,
    }
    return nice_pathway(
        Results(**given, definitions={"eular_2021": load_definition("eular_2021")}, **changes)
    )


def shown(row, column, level=None):
    texts = formatted(table().cells)
    return texts.filter(pl.col("row") == row, pl.col("level").eq_missing(level))[column].item()


def test_each_step_is_counted_among_those_in_whom_it_is_known_in_all_and_by_era_beside_the_standard():
    assert [shown("Patients", era) for era in (ALL, BEFORE, SINCE)] == ["5", "3", "2"]
    assert shown(TWO, ALL).startswith("3/5 (60.0 %")
    assert shown(STEP, ALL).startswith("4/4 (100.0 %")
    assert shown(STEP, SINCE, "not recorded") == "1"
    assert [shown(row, STANDARD) for row in (TWO, STEP, WITHIN)] == ["100"] * 3


def test_moderate_disease_is_within_the_guidance_from_july_2021_only_and_an_unknown_das28_is_neither():
    assert shown(WITHIN, BEFORE).startswith("1/2")
    assert shown(WITHIN, SINCE).startswith("1/2")  # one moderate, one below 3.2
    assert shown(WITHIN, BEFORE, "not recorded") == "1"
    assert shown(BANDS, ALL, "moderate").startswith("2/4")


def test_who_has_not_begun_is_not_audited_and_a_cohort_without_a_start_or_of_another_disease_has_no_table():
    assert table(MEMBERS.filter(patient_id="F")).cells.is_empty()
    assert table(disease="PsA").cells.is_empty()


def test_the_table_says_where_bands_and_standard_come_from():
    notes = " ".join(table(synthetic=True).footnotes)
    for said in ("none below 3.2; moderate up to 5.1; severe above 5.1", "TA375", "TA715", "Synthetic"):
        assert said in notes


def test_disclosure_control_knows_that_both_eras_make_all():
    sums = bind({"audit": [table()]}, {"audit": range(6)}).sums
    of_two = [
        {(sign, name[3]) for sign, name in terms} for terms in sums if {name[1] for _, name in terms} == {TWO}
    ]
    assert {(1, ALL), (-1, BEFORE), (-1, SINCE)} in of_two


def test_bands_are_said_once_and_a_scheme_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="das28_nice"):
        BandsOf(of="das28_esr", scheme="das28_nise")
    for said in ({}, {"scheme": "das28_nice", "bands": [{"band": "any"}]}):
        with pytest.raises(ValueError, match="bands or scheme, one of them"):
            BandsOf(of="das28_esr", **said)
