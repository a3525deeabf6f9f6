"""Predicted risks against what happened: agreement with pROC 1.18 and rms 6.5 (f_validation.json), and edges."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import expit, logit

from d2tra.errors import StudyError
from d2tra.estimates import Z
from d2tra.models import fit_logistic, validate_predictions
from d2tra.models.validation import Validation, find_c_statistic

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
R = json.loads((REFERENCE / "f_validation.json").read_text())
PREDICTIONS = pl.read_csv(REFERENCE / "f_predictions722.csv")


@pytest.fixture(scope="module")
def apparent() -> Validation:
    return validate_predictions(PREDICTIONS["y"], PREDICTIONS["p"])


def test_c_statistic_and_its_limits_agree_with_proc(apparent: Validation) -> None:
    assert apparent.c_statistic == pytest.approx(R["auc_delong"]["auc"], rel=1e-9)
    assert apparent.c_statistic == pytest.approx(R["apparent"]["C"], rel=1e-9)
    assert 2 * apparent.c_statistic - 1 == pytest.approx(R["apparent"]["Dxy"], rel=1e-9)
    limits = [apparent.c_statistic_ci_low, apparent.c_statistic_ci_high]
    np.testing.assert_allclose(limits, R["auc_delong"]["ci95"], rtol=1e-9)
    np.testing.assert_allclose(np.diff(limits) / 2 / Z, R["auc_delong"]["se"], rtol=1e-9)


@pytest.mark.parametrize("divisor", [8, 10])
def test_tied_risks_agree_with_proc(divisor: int) -> None:
    """The number of risk factors as a score: many ties, and a risk of exactly 0."""
    found = validate_predictions(PREDICTIONS["y"], PREDICTIONS["count"] / divisor)
    assert found.c_statistic == pytest.approx(R["auc_tied_count"]["auc"], rel=1e-9)
    limits = [found.c_statistic_ci_low, found.c_statistic_ci_high]
    np.testing.assert_allclose(limits, R["auc_tied_count"]["ci95"], rtol=1e-9)


def test_calibration_and_brier_agree_with_val_prob(apparent: Validation) -> None:
    theirs = R["apparent"]["val_prob"]
    assert apparent.calibration_slope == pytest.approx(theirs["Slope"], rel=1e-6)
    assert apparent.recalibration_intercept == pytest.approx(theirs["Intercept"], abs=1e-6)
    assert apparent.calibration_intercept == pytest.approx(
        R["apparent"]["calibration_in_the_large"], abs=1e-6
    )
    assert apparent.brier == pytest.approx(theirs["Brier"], rel=1e-9)
    assert apparent.brier == pytest.approx(R["apparent"]["brier"], rel=1e-9)
    assert apparent.expected_over_observed == pytest.approx(R["apparent"]["E_over_O"], rel=1e-6)
    assert (apparent.n, apparent.n_events, apparent.n_left_out, apparent.note) == (722, 90, 0, None)


def test_risks_half_as_spread_have_slope_2_and_risks_too_low_an_intercept_above_0() -> None:
    """Both follow from the apparent model (slope 1, intercept 0) by algebra."""
    modest = validate_predictions(PREDICTIONS["y"], expit(PREDICTIONS["lp"].to_numpy() / 2))
    assert modest.calibration_slope == pytest.approx(2, rel=1e-6)
    assert modest.recalibration_intercept == pytest.approx(0, abs=1e-6)
    low = validate_predictions(PREDICTIONS["y"], expit(PREDICTIONS["lp"].to_numpy() - 0.7))
    assert low.calibration_intercept == pytest.approx(0.7, rel=1e-6)
    assert low.calibration_intercept_ci_low > 0
    assert low.calibration_slope == pytest.approx(1, rel=1e-6)
    assert low.recalibration_intercept == pytest.approx(0.7, rel=1e-6)


def test_the_limits_of_the_slope_are_walds_of_a_two_by_two_table() -> None:
    """20 patients at risk 0.2 with 6 events, 30 at 0.6 with 21: log odds ratio and its error by Woolf."""
    event = [1] * 6 + [0] * 14 + [1] * 21 + [0] * 9
    found = validate_predictions(event, [0.2] * 20 + [0.6] * 30)
    gap = float(logit(0.6) - logit(0.2))
    slope, error = math.log(21 / 9 / (6 / 14)) / gap, math.sqrt(1 / 6 + 1 / 14 + 1 / 21 + 1 / 9) / gap
    assert found.calibration_slope == pytest.approx(slope, rel=1e-9)
    limits = [found.calibration_slope_ci_low, found.calibration_slope_ci_high]
    np.testing.assert_allclose(limits, [slope - Z * error, slope + Z * error], rtol=1e-9)
    assert found.c_statistic == pytest.approx((21 * 14 + 0.5 * (6 * 14 + 21 * 9)) / (27 * 23))
    assert found.brier == pytest.approx((6 * 0.64 + 14 * 0.04 + 21 * 0.16 + 9 * 0.36) / 50)


def test_one_risk_for_everybody_has_no_slope_but_calibration_in_the_large() -> None:
    """12 events in 48, told 0.1: the intercept is logit(0.25) − logit(0.1), its error 1/√(n p q)."""
    found = validate_predictions([True] * 12 + [False] * 36, [0.1] * 48)
    value, error = float(logit(0.25) - logit(0.1)), 1 / math.sqrt(48 * 0.25 * 0.75)
    assert found.calibration_intercept == pytest.approx(value, rel=1e-9)
    limits = [found.calibration_intercept_ci_low, found.calibration_intercept_ci_high]
    np.testing.assert_allclose(limits, [value - Z * error, value + Z * error], rtol=1e-9)
    assert found.c_statistic == 0.5
    assert found.c_statistic_ci_low is found.calibration_slope is found.recalibration_intercept is None
    assert found.note == (
        "no DeLong limits: its variance is 0 or unknown; no calibration slope: the same risk for everybody"
    )
    assert found.expected_over_observed == pytest.approx(0.4)


def test_risks_that_separate_the_outcome_have_no_slope() -> None:
    found = validate_predictions([0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.3, 0.5])
    assert found.calibration_slope is None
    assert "separated" in found.note
    assert found.c_statistic == pytest.approx(5.5 / 6)
    assert found.c_statistic_ci_high == 1.0  # DeLong's limit is cut at 1


def test_the_wrong_way_round_is_below_a_half_and_not_turned() -> None:
    found = validate_predictions([1, 1, 1, 0, 0], [0.1, 0.2, 0.3, 0.4, 0.5])
    assert found.c_statistic == 0
    assert found.calibration_slope is None


def test_risks_of_exactly_0_or_1_have_no_calibration_but_a_brier_score() -> None:
    found = validate_predictions([0, 1, 0, 1], [0.0, 0.5, 0.6, 1.0])
    assert found.calibration_slope is found.calibration_intercept is None
    assert "2 of 4 risks are exactly 0 or 1" in found.note
    assert found.brier == pytest.approx((0.25 + 0.36) / 4)


def test_a_single_event_has_a_c_statistic_without_limits() -> None:
    found = validate_predictions([0, 0, 1], [0.1, 0.4, 0.3])
    assert found.c_statistic == 0.5
    assert found.c_statistic_ci_low is found.c_statistic_ci_high is None


def test_unknown_outcomes_and_risks_are_left_out_and_counted() -> None:
    outcome = ["met", "not_met", "not_assessable", "met", "not_met", None, "met"]
    found = validate_predictions(outcome, [0.3, 0.1, 0.9, None, 0.4, 0.5, math.nan])
    assert (found.n, found.n_events, found.n_left_out) == (3, 1, 4)
    assert found.c_statistic == 0.5
    assert found.brier == pytest.approx((0.49 + 0.01 + 0.16) / 3)


def test_equal_risks_stay_ties_whatever_rounding_did() -> None:
    assert (
        find_c_statistic(np.array([True, False, True, False]), np.array([0.3, 0.1 + 0.2, 0.3, 0.3])).estimate
        == 0.5
    )


def test_risks_of_flic_are_right_in_the_large_and_those_of_firth_are_not() -> None:
    """g_gcomputation.json: Firth's mean risk is 0.1433 where 0.1263 was observed."""
    data = pl.read_csv(REFERENCE / "cohort95_zero_cell.csv")
    matrix = np.column_stack([np.ones(data.height), data.drop("d2t").to_numpy()])
    judged = {}
    for method in ("firth", "flic"):
        beta = fit_logistic(data, "d2t", data.columns[1:], method)["estimate"].to_numpy()
        judged[method] = validate_predictions(data["d2t"], expit(matrix @ beta))
    assert judged["flic"].expected_over_observed == pytest.approx(1, rel=1e-9)
    assert judged["flic"].calibration_intercept == pytest.approx(0, abs=1e-9)
    assert judged["firth"].expected_over_observed == pytest.approx(0.143276847087506 / 0.126315789473684)
    assert judged["firth"].calibration_intercept < 0


@pytest.mark.parametrize(
    ("outcome", "risk", "named"),
    [
        ([0, 0, 0], [0.1, 0.2, 0.3], "none of 3 patients has the outcome"),
        ([1, 1], [0.1, 0.2], "every one of 2 patients has the outcome"),
        ([0, 1], [0.1, 12.0], "1 of 2 risks lie outside 0–1"),
        ([0, 1], [-0.1, 0.2], "1 of 2 risks lie outside 0–1"),
        ([0, 1, 1], [0.1, 0.2], "3 outcomes for 2 risks"),
        ([0, None], [None, 0.2], "none of 2 patients has both"),
        ([], [], "none of 0 patients has both"),
        ([0, 1], ["low", "high"], "the risks are no numbers"),
        ([0, 2], [0.1, 0.2], "outcome 'outcome' holds other values"),
    ],
)
def test_what_cannot_be_judged_is_said_in_plain_words(outcome: list, risk: list, named: str) -> None:
    with pytest.raises(StudyError, match=named):
        validate_predictions(outcome, risk)
