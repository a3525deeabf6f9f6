"""Odds ratios told as risks: agreement with g_gcomputation.json and h_evalue.json, and what stays unsaid."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from d2tra.errors import StudyError
from d2tra.estimates import Z
from d2tra.models import find_e_value, fit_logistic, standardise_effects
from d2tra.models.effects import ROWS, compare_risks, find_marginal_effect, inverse_information
from d2tra.models.firth import fit_firth
from tables import frame

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
R = json.loads((REFERENCE / "g_gcomputation.json").read_text())
E_VALUES = json.loads((REFERENCE / "h_evalue.json").read_text())
NAMES = {  # measure: their estimate, standard error, limits
    "risk": ("risk1", "se_risk1", None),
    "risk_reference": ("risk0", "se_risk0", None),
    "risk_difference": ("rd", "rd_se", "rd_ci"),
    "risk_ratio": ("rr", "log_rr_se", "rr_ci"),
    "odds_ratio": ("marginal_or", "log_or_se", "marginal_or_ci"),
}


def read(file: str) -> tuple[pl.DataFrame, list[str]]:
    data = pl.read_csv(REFERENCE / file)
    return data, data.columns[1:]


def assert_agrees(effects: dict[str, dict], want: dict) -> None:
    assert set(effects) == set(NAMES)
    for measure, (estimate, error, limits) in NAMES.items():
        found = effects[measure]
        assert found["estimate"] == pytest.approx(want[estimate], rel=1e-6), measure
        assert found["std_error"] == pytest.approx(want[error], rel=1e-6), measure
        if limits:
            np.testing.assert_allclose(
                [found["ci_low"], found["ci_high"]], want[limits], rtol=1e-6, err_msg=measure
            )


def of_term(rows: pl.DataFrame, term: str) -> dict[str, dict]:
    return {row["measure"]: row for row in rows.filter(pl.col("term") == term).to_dicts()}


@pytest.fixture(scope="module")
def cohort722() -> pl.DataFrame:
    data, terms = read(R["glm722"]["file"])
    return standardise_effects(data, "d2t", terms, "logit")


@pytest.mark.parametrize("want", R["glm722"]["results"], ids=lambda case: case["exposure"])
def test_standardised_effects_after_maximum_likelihood_agree(cohort722: pl.DataFrame, want: dict) -> None:
    assert_agrees(of_term(cohort722, want["exposure"]), want)


def test_the_marginal_effect_of_a_number_agrees(cohort722: pl.DataFrame) -> None:
    want = R["glm722"]["ame_continuous"]
    found = of_term(cohort722, want["variable"])["marginal_effect"]
    assert found["estimate"] == pytest.approx(want["ame"], rel=1e-6)
    assert found["std_error"] == pytest.approx(want["se"], rel=1e-6)
    assert found["ci_high"] - found["estimate"] == pytest.approx(1.959963984540054 * want["se"], rel=1e-6)


def test_standardised_effects_after_flic_agree() -> None:
    data, terms = read(R["firth95"]["file"])
    rows = standardise_effects(data, "d2t", terms)
    for want in R["firth95"]["flic"]["results"]:
        assert_agrees(of_term(rows, want["exposure"]), want)
    assert rows["method"].unique().to_list() == ["flic"]


@pytest.mark.parametrize("want", R["firth95"]["results"], ids=lambda case: case["exposure"])
def test_the_arithmetic_agrees_at_firths_estimate_too(want: dict) -> None:
    data, terms = read(R["firth95"]["file"])
    matrix = np.column_stack([np.ones(data.height), data.select(terms).to_numpy()])
    beta = fit_firth(matrix, data["d2t"].to_numpy()).estimate
    exposed, unexposed = matrix.copy(), matrix.copy()
    j = 1 + terms.index(want["exposure"])
    exposed[:, j], unexposed[:, j] = 1, 0
    found = compare_risks(exposed, unexposed, beta, inverse_information(matrix, beta))
    assert_agrees({measure: effect._asdict() for measure, effect in found.items()}, want)


@pytest.mark.parametrize(
    ("case", "method", "results"),
    [("glm722", "logit", R["glm722"]["results"]), ("firth95", "flic", R["firth95"]["flic"]["results"])],
)
def test_the_uncertainty_about_the_patients_themselves_agrees(case: str, method: str, results: list) -> None:
    data, terms = read(R[case]["file"])
    rows = standardise_effects(data, "d2t", terms, method, of_population=True)
    for want in results:
        found = of_term(rows, want["exposure"])["risk_difference"]
        assert found["std_error"] == pytest.approx(want["rd_se_unconditional"], rel=1e-6)


def test_a_population_is_less_certain_than_its_sample_in_every_measure() -> None:
    sample, population = (
        standardise_effects(PATIENTS, "d2t", ["obese", "age"], of_population=wider)["std_error"]
        for wider in (False, True)
    )
    assert (population > sample).all()


PATIENTS = frame("""
    d2t           | obese | smoking | age | female
    met           | true  | never   | 50  | 1
    met           | true  | former  | 60  | 1
    met           | false | never   | 71  | 1
    not_met       | true  | never   | 44  | 1
    not_met       | true  | former  | 62  | 1
    not_met       | false | former  | 58  | 1
    not_met       | false | current | 66  | 1
    not_met       | false | current | 49  | 1
    not_met       | false | never   | 53  | 1
    met           | false | current | 69  | 1
    not_met       | false | never   | 51  | 1
    not_met       |       | never   | 57  | 1
    not_assessable | true | never   | 61  | 1
""")


def test_one_factor_alone_gives_the_risks_that_were_observed() -> None:
    """2 of 4 obese and 2 of 7 others are D2T: standardising over nothing changes nothing."""
    rows = standardise_effects(PATIENTS, "d2t", ["obese"], "logit")
    assert dict(rows.schema) == ROWS
    found = of_term(rows, "obese")
    assert [found[name]["estimate"] for name in NAMES] == pytest.approx([1 / 2, 2 / 7, 3 / 14, 7 / 4, 5 / 2])
    assert found["risk"]["std_error"] == pytest.approx(math.sqrt(0.5 * 0.5 / 4))
    assert found["risk_ratio"]["std_error"] == pytest.approx(math.sqrt(1 / 2 - 1 / 4 + 1 / 2 - 1 / 7))
    row = found["risk_difference"]
    assert (row["level"], row["reference"], row["n"], row["n_events"]) == ("true", "false", 11, 4)
    assert (row["method"], row["smallest_cell"], row["note"]) == ("logit", 2, None)
    risk = found["risk"]  # its logit is 0 with standard error 1 / √(4 × ½ × ½) = 1
    assert [risk["ci_low"], risk["ci_high"]] == pytest.approx([1 / (1 + math.exp(Z)), 1 / (1 + math.exp(-Z))])


def test_each_level_stands_against_the_reference_alone() -> None:
    fewer = PATIENTS.filter(~pl.col("age").is_in([44, 58]))
    rows = standardise_effects(fewer, "d2t", ["smoking"], "logit", {"smoking": "never"})
    shown = rows.filter(pl.col("measure").is_in(["risk", "risk_reference"])).select(
        "level", "measure", "estimate"
    )
    want = [("current", 1 / 3), ("current", 2 / 5), ("former", 1 / 2), ("former", 2 / 5)]
    assert shown["level"].to_list() == [level for level, _ in want]
    assert shown["estimate"].to_list() == pytest.approx([risk for _, risk in want])


def test_a_number_is_told_per_unit_step() -> None:
    year = standardise_effects(PATIENTS, "d2t", ["age"]).row(0, named=True)
    decade = standardise_effects(PATIENTS, "d2t", ["age"], unit_steps={"age": 10}).row(0, named=True)
    assert (year["measure"], year["level"], decade["level"]) == ("marginal_effect", None, "per 10")
    for name in ("estimate", "std_error", "ci_low", "ci_high"):
        assert decade[name] == pytest.approx(10 * year[name], rel=1e-6)


def test_the_marginal_effect_is_the_slope_of_the_mean_risk() -> None:
    generator = np.random.default_rng(2)
    matrix, beta = np.column_stack([np.ones(40), generator.normal(size=(40, 2))]), np.array([-1.0, 0.4, 0.8])
    shift = np.array([0, 0, 1e-6])
    mean_risk = [float((1 / (1 + np.exp(-(matrix + way * shift) @ beta))).mean()) for way in (-1, 1)]
    found = find_marginal_effect(matrix, 2, beta, inverse_information(matrix, beta))
    assert found.estimate == pytest.approx((mean_risk[1] - mean_risk[0]) / 2e-6, rel=1e-6)


def test_separated_data_have_no_effects_by_logit_and_say_separated_by_flic() -> None:
    data, terms = read("cohort95_zero_cell.csv")
    silent = standardise_effects(data, "d2t", terms, "logit")
    assert silent["estimate"].null_count() == silent.height == len(terms)
    assert silent["note"].str.starts_with("separated: maximum likelihood is infinite").all()
    spoken = standardise_effects(data, "d2t", terms).filter(pl.col("term") == "seropositive")
    assert spoken["note"].unique().to_list() == ["separated"]
    assert spoken["estimate"].null_count() == 0


def test_a_factor_that_never_varies_says_so() -> None:
    rows = standardise_effects(PATIENTS, "d2t", ["obese", "female"])
    assert of_term(rows, "female")["risk_difference"]["note"] == "the same in every patient"
    assert of_term(rows, "female")["risk_difference"]["estimate"] is None
    assert len(of_term(rows, "obese")) == 5


def test_the_marginal_odds_ratio_is_nearer_to_1_than_the_models() -> None:
    """Odds ratios do not collapse: adjusting for a strong factor moves the conditional one away from 1."""
    data, terms = read("cohort722.csv")
    model = fit_logistic(data, "d2t", terms, "logit").filter(pl.col("term") == "fibromyalgia")
    rows = standardise_effects(data, "d2t", terms, "logit")
    assert 1 < of_term(rows, "fibromyalgia")["odds_ratio"]["estimate"] < model["odds_ratio"][0]


def test_firths_own_risks_are_refused_with_the_reason() -> None:
    with pytest.raises(StudyError, match="Firth's risks are too high on average; flic corrects them"):
        standardise_effects(PATIENTS, "d2t", ["obese"], "firth")
    with pytest.raises(StudyError, match="did you mean 'logit'"):
        standardise_effects(PATIENTS, "d2t", ["obese"], "logistic")


@pytest.mark.parametrize("case", E_VALUES["cases"], ids=lambda case: f"{case['or']} rare={case['rare']}")
def test_e_values_of_odds_ratios_agree(case: dict) -> None:
    found = find_e_value(case["or"], case["lo"], case["hi"], prevalence=0.05 if case["rare"] else 0.3)
    assert found.risk_ratio == pytest.approx(case["rr_used"], rel=1e-12)
    assert found.estimate == pytest.approx(case["evalue_point"], rel=1e-12)
    assert found.limit == pytest.approx(case["evalue_ci"], rel=1e-12)


def test_the_published_example_of_a_risk_ratio_agrees() -> None:
    published = E_VALUES["meta"]["published"]["result"]
    found = find_e_value(published["or"], published["lo"], published["hi"], measure="risk_ratio")
    assert found.estimate == pytest.approx(published["evalue_point"], rel=1e-12)
    assert found.limit == pytest.approx(published["evalue_ci"], rel=1e-12)
    assert (round(found.estimate, 1), round(found.limit, 1)) == (20.9, 15.5)


def test_an_outcome_in_15_percent_is_still_rare() -> None:
    assert find_e_value(4.0, prevalence=0.15).risk_ratio == 4.0
    assert find_e_value(4.0, prevalence=0.1501).risk_ratio == 2.0


def test_the_limit_nearer_to_1_is_all_that_the_e_value_of_the_limit_needs() -> None:
    both = find_e_value(4.0, 2.0, 8.0, "risk_ratio")
    assert (
        find_e_value(4.0, 2.0, None, "risk_ratio") == find_e_value(4.0, 2.0, math.inf, "risk_ratio") == both
    )
    assert find_e_value(4.0, None, 8.0, "risk_ratio").limit is None
    assert find_e_value(0.25, None, 0.5, "risk_ratio")[:2] == pytest.approx(both[:2])


def test_a_limit_on_1_leaves_nothing_to_explain_away() -> None:
    assert find_e_value(4.0, 1.0, 8.0, "risk_ratio").limit == 1.0
    assert find_e_value(0.5, 0.2, 1.0, "risk_ratio").limit == 1.0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"ratio": -1.3, "prevalence": 0.1}, "a ratio above 0"),
        ({"ratio": 2.0, "ci_low": -0.3, "ci_high": 1.4, "prevalence": 0.1}, "none of them on the log scale"),
        ({"ratio": 2.0, "ci_low": 2.5, "ci_high": 3.0, "prevalence": 0.1}, "limits on either side"),
        ({"ratio": 2.0, "ci_low": 1.5, "ci_high": math.nan, "prevalence": 0.1}, "limits on either side"),
        ({"ratio": 2.0}, "prevalence is None"),
        ({"ratio": 2.0, "prevalence": 12.6}, "prevalence is 12.6"),
        ({"ratio": 2.0, "measure": "hazard_ratio"}, "no E-value for 'hazard_ratio'"),
    ],
)
def test_what_has_no_e_value_is_said_in_plain_words(arguments: dict, named: str) -> None:
    with pytest.raises(StudyError, match=named):
        find_e_value(**arguments)
