"""What a fitted model reports beside its odds ratios: risks, E-values, variance inflation, apparent fit; and what not."""

import json
import math
from pathlib import Path

import polars as pl
import pytest
from statsmodels.stats.outliers_influence import variance_inflation_factor

from d2tra.models import ModelPlan, find_e_value, fit_models
from d2tra.models.facts import COMMON, RARE, facts_of_model, find_vif
from d2tra.models.logistic import fit
from d2tra.models.plan import fit_factors, impute_factors
from tables import frame

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
R = json.loads((REFERENCE / "g_gcomputation.json").read_text())
ALLOWED = "report_as_exploratory"


def facts_of(file: str, method: str, kind: str = "multivariable", above_budget: str = ALLOWED) -> dict:
    data = pl.read_csv(REFERENCE / file)
    plan = ModelPlan(name="m", factors=data.columns[1:], method=method, kind=kind, above_budget=above_budget)
    return fit_models(data, plan, "d2t")[1]


def effect_of(facts: dict, term: str) -> dict:
    (found,) = [effect for effect in facts["effects"] if effect["term"] == term]
    return found


NOT_SEPARATED = [want for want in R["firth95"]["flic"]["results"] if want["exposure"] != "seropositive"]


@pytest.mark.parametrize(
    ("file", "method", "results"),
    [
        (R["glm722"]["file"], "logit", R["glm722"]["results"]),
        (R["firth95"]["file"], "firth", NOT_SEPARATED),  # risks after Firth are those of FLIC
    ],
)
def test_the_risks_of_a_fitted_model_agree_with_the_reference(file: str, method: str, results: list) -> None:
    facts = facts_of(file, method)
    for want in results:
        found = effect_of(facts, want["exposure"])
        assert found["risk_difference"]["estimate"] == pytest.approx(want["rd"], rel=1e-6)
        assert found["risk_difference"]["ci_low"] == pytest.approx(want["rd_ci"][0], rel=1e-6)
        assert found["risk_ratio"]["ci_high"] == pytest.approx(want["rr_ci"][1], rel=1e-6)
        assert found["method"] == {"firth": "flic"}.get(method, method)


def test_a_number_has_a_marginal_effect_and_no_risk_difference() -> None:
    want = R["glm722"]["ame_continuous"]
    found = effect_of(facts_of(R["glm722"]["file"], "logit"), want["variable"])
    assert found["marginal_effect"]["estimate"] == pytest.approx(want["ame"], rel=1e-6)
    assert found["risk_difference"] is None


def test_maximum_likelihood_is_perfectly_calibrated_where_it_was_fitted() -> None:
    apparent = facts_of("cohort722.csv", "logit")["apparent"]
    assert apparent["calibration_slope"] == pytest.approx(1, abs=1e-6)
    assert apparent["calibration_intercept"] == pytest.approx(0, abs=1e-6)
    assert "apparent" in apparent["judged_in"]
    assert apparent["c_statistic"] == pytest.approx(facts_of("cohort722.csv", "logit")["c_statistic"])


def test_after_firth_the_apparent_fit_is_that_of_flic_whose_mean_risk_is_the_observed_one() -> None:
    apparent = facts_of("cohort95_regular3.csv", "firth")["apparent"]
    assert apparent["method"] == "flic"
    assert apparent["expected_over_observed"] == pytest.approx(1, abs=1e-9)
    assert apparent["calibration_slope"] > 1  # shrunken: too modest where it was fitted


def test_the_variance_inflation_of_one_column_agrees_with_statsmodels() -> None:
    """statsmodels 0.14 variance_inflation_factor, intercept in the design."""
    data = pl.read_csv(REFERENCE / "cohort722.csv")
    found = fit(data, "d2t", data.columns[1:], "logit")
    told = find_vif(found)["terms"]
    for place, term in enumerate(data.columns[1:], start=1):
        assert told[term]["gvif"] == pytest.approx(
            variance_inflation_factor(found.design.matrix, place), rel=1e-9
        )
        assert told[term]["df"] == 1


def test_the_variance_inflation_of_a_factor_of_three_levels_does_not_hang_on_its_reference() -> None:
    patients = pl.concat([PATIENTS] * 3)
    told = [
        find_vif(fit(patients, "d2t", ["smoking", "obese"], "logit", {"smoking": reference}))["terms"]
        for reference in ("never", "former")
    ]
    assert told[0]["smoking"]["gvif"] == pytest.approx(told[1]["smoking"]["gvif"])
    assert told[0]["smoking"]["df"] == 2
    assert told[0]["smoking"]["gvif_scaled"] == pytest.approx(told[0]["smoking"]["gvif"] ** 0.5)
    assert told[0]["obese"]["gvif"] == pytest.approx(
        told[0]["smoking"]["gvif"]
    )  # two terms: the same relation


PATIENTS = frame("""
    d2t      | obese | smoking
    met      | true  | never
    met      | true  | former
    met      | false | never
    not_met  | true  | never
    not_met  | true  | former
    not_met  | false | former
    not_met  | false | current
    not_met  | false | current
    not_met  | false | never
    met      | false | current
    met      | true  | current
    not_met  | false | former
""")


def test_a_separated_term_has_neither_risks_nor_an_e_value_and_says_why() -> None:
    facts = facts_of("cohort95_zero_cell.csv", "firth")
    (term,) = facts["separated_terms"]
    silent = effect_of(facts, term)
    assert [silent[name] for name in ("risk", "risk_difference", "risk_ratio", "e_value")] == [None] * 4
    assert silent["note"].startswith("separated")
    spoken = [effect for effect in facts["effects"] if effect["term"] != term]
    assert all(effect["risk_difference"]["estimate"] is not None for effect in spoken)


def test_a_model_that_was_not_fitted_reports_nothing_and_says_why() -> None:
    facts = facts_of("cohort95_regular3.csv", "firth", above_budget="refuse")
    assert facts["problem"] == "not fitted: 3 parameters above the budget of 0 (Riley)"
    assert [facts[name] for name in ("vif", "apparent", "c_statistic")] == [None] * 3
    for effect in facts["effects"]:
        assert (effect["risk_difference"], effect["e_value"], effect["note"]) == (
            None,
            None,
            facts["problem"],
        )


def test_a_collinear_model_reports_nothing_and_says_why() -> None:
    facts = facts_of("cohort95_collinear.csv", "firth")
    assert [facts[name] for name in ("vif", "apparent")] == [None] * 2
    assert all("collinear" in effect["note"] for effect in facts["effects"])


@pytest.mark.parametrize(("n_events", "approximation"), [(15, RARE), (16, COMMON)])
def test_above_15_percent_the_e_value_comes_from_the_square_root_and_says_so(
    n_events: int, approximation: str
) -> None:
    """100 patients, 10 of the events among 40 exposed."""
    data = pl.DataFrame(
        {
            "d2t": [1] * 10 + [0] * 30 + [1] * (n_events - 10) + [0] * (70 - n_events),
            "exposed": [True] * 40 + [False] * 60,
        }
    )
    rows, facts = fit_models(
        data, ModelPlan(name="m", factors=["exposed"], kind="univariable", method="logit"), "d2t"
    )
    row, found = rows.row(-1, named=True), effect_of(facts["terms"]["exposed"], "exposed")
    want = find_e_value(
        row["odds_ratio"], row["ci_low"], row["ci_high"], prevalence=0.15 if n_events == 15 else 0.16
    )
    assert found["e_value"] == {**want._asdict(), "approximation": approximation}


def test_each_univariable_model_reports_its_risks_and_budget_but_no_variance_inflation() -> None:
    facts = facts_of("cohort95_regular3.csv", "auto", "univariable")
    for name, told in facts["terms"].items():
        assert effect_of(told, name)["risk_ratio"]["estimate"] > 0
        assert (told["parameter_budget"], told["events_per_parameter"]) == (0, 12.0)
        assert "vif" not in told


def test_over_imputed_sets_risks_are_pooled_by_rubin_and_the_apparent_fit_is_the_mean() -> None:
    data = pl.read_csv(REFERENCE / "cohort722.csv").select("d2t", "obesity", "fibromyalgia", "age")
    gone = pl.when(pl.int_range(pl.len()) % 7 > 0)
    data = data.with_columns(gone.then("obesity").alias("obesity"), gone.then("age").alias("age"))
    plan = ModelPlan(
        name="m",
        factors=["obesity", "fibromyalgia", "age"],
        missing={"multiple_imputation": {"m": 3, "iterations": 2}},
    )
    sets = impute_factors(data, "d2t", plan, 7)
    found = fit_factors(data, "d2t", plan.factors, plan, sets)
    parts = [facts_of_model(part) for part in found.imputations]
    facts = fit_models(data, plan, "d2t", seed=7)[1]
    assert json.dumps(facts, allow_nan=False)
    pooled = effect_of(facts, "fibromyalgia")
    of_each = [effect_of(part, "fibromyalgia") for part in parts]
    differences = [effect["risk_difference"]["estimate"] for effect in of_each]
    ratios = [effect["risk_ratio"]["estimate"] for effect in of_each]
    assert pooled["risk_difference"]["estimate"] == pytest.approx(sum(differences) / 3)
    assert pooled["risk_ratio"]["estimate"] == pytest.approx(math.prod(ratios) ** (1 / 3))
    assert pooled["risk_difference"]["std_error"] > min(
        effect["risk_difference"]["std_error"] for effect in of_each
    )
    assert effect_of(facts, "age")["marginal_effect"]["ci_low"] is not None
    mean = sum(part["apparent"]["brier"] for part in parts) / 3
    assert facts["apparent"]["brier"] == pytest.approx(mean)
    assert facts["vif"]["terms"]["age"]["gvif"] >= 1


@pytest.mark.parametrize("file", sorted(path.name for path in REFERENCE.glob("cohort95_*.csv")))
@pytest.mark.parametrize("kind", ["univariable", "multivariable"])
def test_what_is_reported_is_json_without_nan(file: str, kind: str) -> None:
    assert json.dumps(facts_of(file, "auto", kind), allow_nan=False)
