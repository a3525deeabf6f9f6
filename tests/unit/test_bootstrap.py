"""Bootstrap optimism: agreement with R (rms 6.5; f_validation.json), what is counted, and what is repeated."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from d2tra.config import ValidationPlan
from d2tra.models.bootstrap import (
    MEASURES,
    Sample,
    Source,
    bootstrap_optimism,
    complete_cases,
    estimable_columns,
)
from d2tra.models.design import design_matrix
from d2tra.models.imputation import MissingPlan
from d2tra.models.logistic import Fitted, fit
from d2tra.models.plan import ModelPlan
from d2tra.models.risks import fit_risks
from d2tra.models.validated import validate_every_outcome, validate_model
from tables import frame

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
R = json.loads((REFERENCE / "f_validation.json").read_text())
COHORT = pl.read_csv(REFERENCE / "cohort722.csv")
TERMS = [name for name in COHORT.columns if name != "d2t"]
PLAN = ValidationPlan(resamples=20, thresholds=[0.2])


def fitted(method: str, terms: list[str] = TERMS, data: pl.DataFrame = COHORT) -> Fitted:
    return fit(data, "d2t", terms, method)


def source_of(found: Fitted) -> Source:
    return complete_cases(found.design, found.event)


def test_the_optimism_agrees_with_r_within_three_monte_carlo_errors() -> None:
    """R: 20,000 resamples of its own (own_bootstrap), and the mean of five rms::validate of 1,000."""
    found = bootstrap_optimism(source_of(fitted("logit")), "logit", 600, seed=1)
    own, rms = R["own_bootstrap"], R["rms_validate_mean_of_5_seeds"]
    theirs = {
        "c_statistic": (own["corrected_C"], rms["Dxy"]["index.corrected"] / 2 + 0.5),
        "calibration_slope": (own["slope_corrected"], rms["Slope"]["index.corrected"]),
        "brier": (own["brier_corrected"], rms["B"]["index.corrected"]),
    }
    for name, values in theirs.items():
        error = found.monte_carlo_error[name]
        assert error is not None
        for value, share in zip(values, (600 / 20000, 600 / 5000), strict=True):
            assert abs(found.corrected[name] - value) < 3 * error * np.sqrt(1 + share), name
    assert found.apparent["c_statistic"] == pytest.approx(own["apparent_C"], rel=1e-9)
    assert found.apparent["calibration_slope"] == pytest.approx(1, rel=1e-9)
    assert found.apparent["brier"] == pytest.approx(own["brier_apparent"], rel=1e-9)
    spread = own["optimism_C_sd_per_replicate"] / np.sqrt(600)
    assert found.monte_carlo_error["c_statistic"] == pytest.approx(spread, rel=0.15)
    assert (found.failed, set(found.n_used.values())) == ({}, {600})


@pytest.mark.parametrize("method", ["logit", "firth", "flic", "auto"])
def test_risks_come_from_the_coefficients_that_the_full_fit_gives(method: str) -> None:
    found = fitted(method)
    quick = fit_risks(found.design.matrix, found.event, method)
    np.testing.assert_allclose(quick.beta, found.risk_coefficients(), atol=1e-7)
    assert quick.method == ("logit" if method == "logit" else "flic")


def test_a_calendar_year_far_from_zero_is_fitted_like_any_number() -> None:
    data = COHORT.with_columns(year=2000 + pl.col("disease_duration"))
    found = fitted("firth", ["obesity", "year"], data)
    quick = fit_risks(found.design.matrix, found.event, "firth")
    np.testing.assert_allclose(quick.beta, found.risk_coefficients(), rtol=1e-6)


def test_auto_turns_to_firth_where_events_are_few_and_where_likelihood_is_infinite() -> None:
    few, many, separated = (
        fitted("auto", TERMS),
        fitted("auto", ["obesity"]),
        fitted("auto", ["x"], COHORT.with_columns(x=pl.col("d2t") * (pl.col("age") > 50))),
    )
    methods = [fit_risks(one.design.matrix, one.event, "auto").method for one in (few, many, separated)]
    assert methods == ["flic", "logit", "flic"]
    assert fit_risks(separated.design.matrix, separated.event, "logit").problem == "separated"


def test_a_sum_of_columns_and_a_column_that_does_not_vary_are_problems() -> None:
    matrix = fitted("firth", ["obesity", "smoker"]).design.matrix
    event = COHORT["d2t"].to_numpy() == 1
    twice = np.column_stack([matrix, matrix[:, 1] + matrix[:, 2]])
    assert fit_risks(twice, event, "firth").problem == "collinear"
    assert fit_risks(np.column_stack([matrix, np.ones(len(matrix))]), event, "firth").problem


SMOKING = frame("""
patient_id | smoking | obese | d2t
1          | never   | true  | true
2          | never   | false | false
3          | former  | true  | true
4          | former  | false | false
5          | current | true  | false
6          | current | false | true
""")


def test_in_a_resample_a_level_that_nobody_has_is_left_out_and_a_term_without_its_reference_is_whole() -> (
    None
):
    design = design_matrix(SMOKING, ["smoking", "obese"], {"smoking": "never"})
    assert [column.label for column in design.fitted[1:]] == [
        "smoking: current",
        "smoking: former",
        "obese: true",
    ]
    without_former = design.matrix[[0, 1, 4, 5]]
    without_never = design.matrix[[2, 3, 4, 5]]
    all_obese = design.matrix[[0, 2, 4]]
    assert estimable_columns(design, design.matrix).tolist() == [True, True, True, True]
    assert estimable_columns(design, without_former).tolist() == [True, True, False, True]
    assert estimable_columns(design, without_never).tolist() == [True, False, False, True]
    assert estimable_columns(design, all_obese).tolist() == [True, True, True, False]


def test_every_resample_is_used_or_counted_with_its_reason() -> None:
    """Two events in 30 patients: about one resample in eight has none."""
    data = pl.DataFrame({"d2t": [1, 1] + [0] * 28, "x": [1, 0] * 15, "y": [0, 1, 1] * 10})
    found = bootstrap_optimism(source_of(fitted("firth", ["x", "y"], data)), "firth", 200, seed=3)
    assert 0.05 < found.failed["no patient has the outcome"] / 200 < 0.25
    assert found.n_used["calibration_slope"] + sum(found.failed.values()) == found.n_resamples == 200
    assert found.n_used["brier"] >= found.n_used["calibration_slope"]


def test_a_resample_without_patients_or_without_non_events_is_counted_too() -> None:
    design = design_matrix(SMOKING, ["obese"])
    event = SMOKING["d2t"].to_numpy()
    draws = iter([Sample(design.matrix[:0], event[:0]), Sample(design.matrix[[0, 2]], event[[0, 2]])])
    source = Source(design, [Sample(design.matrix, event)], lambda _: next(draws))
    found = bootstrap_optimism(source, "firth", 2, seed=1)
    assert found.failed == {"every patient has the outcome": 1, "no complete cases": 1}
    assert found.corrected == dict.fromkeys(MEASURES)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    source = source_of(fitted("logit", ["obesity", "smoker"]))
    first, again, other = (bootstrap_optimism(source, "logit", 30, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def model(**changes: object) -> ModelPlan:
    stated = {"name": "m", "method": "firth", "factors": TERMS[3:6], "above_budget": "report_as_exploratory"}
    return ModelPlan.model_validate({**stated, **changes})


def cohorts() -> dict[str, pl.DataFrame]:
    """722 patients: the first 95 and the others; the obesity of every tenth unknown."""
    numbered = COHORT.with_row_index("patient_id").with_columns(
        site=pl.lit("s"),
        obesity=pl.when(pl.col("patient_id") % 10 > 0).then(pl.col("obesity") == 1),
        d2t=pl.col("d2t") == 1,
    )
    return {"audit": numbered[:95], "extension": numbered[95:], "full": numbered}


def judge(model: ModelPlan, **more: object) -> dict[str, object]:
    sets = cohorts()
    return validate_model(model, "d2t", sets["audit"], {"extension": sets["extension"]}, {}, PLAN, 7, **more)


def test_a_model_is_carried_to_the_cohorts_that_share_no_patient_with_its_own() -> None:
    facts = {"d2t": {"refused": {}}}
    by_cohort = {
        name: validate_every_outcome(model(outcomes="primary"), ["d2t"], name, cohorts(), facts, PLAN, 7)
        for name in ("audit", "full")
    }
    assert list(by_cohort["audit"]["d2t"]["transport"]) == ["extension"]
    assert by_cohort["full"]["d2t"]["transport"] == {}


def test_what_is_corrected_is_the_apparent_less_the_optimism_limits_and_all() -> None:
    found = judge(model())
    assert (found["n"], found["n_without_factors"], found["exploratory"]) == (85, 10, True)
    for name in MEASURES:
        moved = found["apparent"][name] - found["optimism"][name]
        assert found["optimism_corrected"][name] == pytest.approx(moved, abs=1e-12)
    low = found["apparent"]["c_statistic_ci_low"] - found["optimism"]["c_statistic"]
    assert found["optimism_corrected"]["c_statistic_ci_low"] == pytest.approx(low)
    assert found["below_500_resamples"] is True


def test_a_factor_that_is_refused_is_in_no_resample() -> None:
    sets = cohorts()
    found = validate_model(model(), "d2t", sets["full"], {}, {"obesity": "read by 2e"}, PLAN, 7)
    assert (found["n_parameters"], found["n"]) == (2, 722)
    everything = dict.fromkeys(TERMS[3:6], "read")
    assert "every factor" in validate_model(model(), "d2t", sets["full"], {}, everything, PLAN, 7)["problem"]


def test_what_predicts_no_risk_or_must_not_be_reported_is_not_validated_and_says_so() -> None:
    assert "predicts no risk" in judge(model(kind="univariable"))["problem"]
    assert "above the budget of 0" in judge(model(above_budget="refuse"))["problem"]


def test_with_imputed_data_each_resample_is_imputed_and_nobody_is_left_out_for_a_factor() -> None:
    plan = MissingPlan.model_validate({"multiple_imputation": {"m": 2, "iterations": 1}})
    found = judge(model(missing=plan))
    assert (found["n"], found["n_without_factors"], found["problem"]) == (95, 0, None)
    assert found["n_used"]["c_statistic"] + sum(found["failed_resamples"].values()) >= 20
    assert found["transport"]["extension"]["n_without_factors"] > 0
    apparent = found["apparent"]
    assert apparent["c_statistic_ci_low"] < apparent["c_statistic"] < apparent["c_statistic_ci_high"]
    assert judge(model(missing=plan)) == found
