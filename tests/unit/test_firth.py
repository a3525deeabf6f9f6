"""Firth's likelihood, its peak and its profiles: what must hold of any data. Numbers of R: test_against_r."""

import numpy as np
import pytest
from scipy.special import expit

from d2tra.models.firth import CRITICAL, Surface, climb, find_peak, fit_firth


def draw_patients(seed: int, n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Intercept, two yes/no factors and a number; about a third have the outcome."""
    generator = np.random.default_rng(seed)
    yes_no = (generator.random((n, 2)) < [0.5, 0.2]).astype(float)
    matrix = np.column_stack([np.ones(n), yes_no, generator.normal(60, 10, n)])
    return matrix, generator.random(n) < expit(-1.2 + yes_no @ [0.3, 1.0])


def separate(matrix: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Everybody with the second factor has the outcome."""
    return event | (matrix[:, 2] == 1)


def test_the_likelihood_of_many_points_is_the_definition_at_each() -> None:
    matrix, event = draw_patients(1)
    points = np.random.default_rng(2).normal(0, [1, 1, 1, 0.02], (5, 4))
    loglik, score, augmented = Surface(matrix, event).at(points)
    for row, beta in enumerate(points):
        p = expit(matrix @ beta)
        information = matrix.T @ (matrix * (p * (1 - p))[:, None])
        root = matrix * np.sqrt(p * (1 - p))[:, None]
        hat = np.diag(root @ np.linalg.inv(information) @ root.T)
        plain = np.log(np.where(event, p, 1 - p)).sum()
        assert loglik[row] == pytest.approx(plain + np.log(np.linalg.det(information)) / 2, rel=1e-10)
        np.testing.assert_allclose(score[row], matrix.T @ (event - p + hat * (0.5 - p)), atol=1e-8)
        np.testing.assert_allclose(
            augmented[row], matrix.T @ (matrix * (p * (1 - p) * (1 + hat))[:, None]), rtol=1e-9
        )


@pytest.mark.parametrize("third", [0.1, 1 / 3])
def test_where_columns_add_up_there_is_no_likelihood_and_no_climb(third: float) -> None:
    """Rounding may leave a determinant just above 0; the hat values then tell."""
    matrix, event = draw_patients(1)
    matrix = np.column_stack([matrix, third * matrix[:, 1] + matrix[:, 3]])
    loglik, score, _ = Surface(matrix, event).at(np.random.default_rng(3).normal(0, 0.02, (50, 5)))
    assert (loglik == -np.inf).all()
    assert not score.any()
    assert not climb(matrix, event.astype(float), np.zeros(5)).converged


@pytest.mark.parametrize("separated", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_codes_and_units_change_the_figures_as_algebra_says_and_nothing_else(
    seed: int, separated: bool
) -> None:
    matrix, event = draw_patients(seed)
    event = separate(matrix, event) if separated else event
    plain = fit_firth(matrix, event)
    # the other way round, in decades, in another order; no becomes yes in the outcome
    turned = fit_firth(matrix[:, [0, 3, 2, 1]] * [1, 0.1, 1, -1], event)
    for ours, theirs in ((turned.estimate, plain.estimate), (turned.ci_low[:3], plain.ci_low[[0, 3, 2]])):
        scale = np.array([1, 10, 1, -1])[: len(ours)]
        np.testing.assert_allclose(
            ours, theirs[[0, 3, 2, 1]] * scale if len(ours) == 4 else theirs * scale, atol=1e-7
        )
    assert turned.ci_low[3] == pytest.approx(-plain.ci_high[1], abs=1e-7)
    np.testing.assert_allclose(turned.p_value, plain.p_value[[0, 3, 2, 1]], rtol=1e-6)
    opposite = fit_firth(matrix, ~event)
    np.testing.assert_allclose(opposite.estimate, -plain.estimate, atol=1e-7)
    np.testing.assert_allclose(opposite.ci_low, -plain.ci_high, atol=1e-6)


@pytest.mark.parametrize("spread", [0.5, 3.0])
def test_calendar_years_far_from_zero_have_the_limits_of_years_since_2015(spread: float) -> None:
    matrix, event = draw_patients(5)
    near, far = matrix.copy(), matrix.copy()
    near[:, 3] = (matrix[:, 3] - 60) / 10 * spread
    far[:, 3] = near[:, 3] + 2015
    here, there = fit_firth(near, event), fit_firth(far, event)
    assert there.converged
    for ours, theirs in zip(there[:5], here[:5], strict=True):
        np.testing.assert_allclose(ours[1:], theirs[1:], rtol=1e-6, atol=1e-8)
    assert there.estimate[0] == pytest.approx(here.estimate[0] - 2015 * here.estimate[3], rel=1e-7)
    for limit in (
        there.ci_low[0],
        there.ci_high[0],
    ):  # what the intercept loses, by the slope that it leaves over
        shifted = near[:, 3] / 2015 + 1  # b0 + b·year = b0·(1 − year/2015) + (b + b0/2015)·year
        moved = np.column_stack([1 - shifted, near[:, 1], near[:, 2], shifted])
        start = find_peak(Surface(moved, event)).beta[0]
        start[0] = limit
        held = climb(moved, event.astype(float), start, fixed=0)
        top = find_peak(Surface(moved, event)).loglik[0]
        assert 2 * (top - held.loglik) == pytest.approx(CRITICAL, abs=1e-5)


def test_a_p_value_below_5_percent_is_a_limit_on_the_same_side_of_0_as_the_estimate() -> None:
    for seed in range(20):
        matrix, event = draw_patients(seed)
        found = fit_firth(matrix, separate(matrix, event) if seed % 2 else event)
        assert ((found.p_value < 0.05) == (found.ci_low * found.ci_high > 0)).all()
        assert ((found.ci_low < found.estimate) & (found.estimate < found.ci_high)).all()
