"""Pooling across centres. Reference numbers: metafor 3.8-1 (tests/data/reference/j_meta.json); edges below."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from d2tra.errors import StudyError
from d2tra.pooling import MetaAnalysis, meta_analyse

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
META = json.loads((REFERENCE / "j_meta.json").read_text())
OURS = {"FE": "fixed", "DL": "dl", "REML": "reml", "z": "wald", "knha": "hksj"}
CASES = [
    (part["file"], model)
    for part in (META, META["homogeneous"])
    for model in part["models"]
    if model["method"] in OURS
]


def pooled(file: str, method: str = "reml", ci: str = "hksj", leave_out: int | None = None) -> MetaAnalysis:
    studies = pl.read_csv(REFERENCE / file)
    if leave_out is not None:
        studies = studies.filter(pl.int_range(pl.len()) != leave_out)
    return meta_analyse(studies["yi"].to_list(), studies["sei"].to_list(), method, ci)


@pytest.mark.parametrize(("file", "model"), CASES)
def test_it_agrees_with_metafor(file: str, model: dict) -> None:
    found = pooled(file, OURS[model["method"]], OURS[model["test"]])
    names = {
        "estimate": "estimate",
        "std_error": "se",
        "p_value": "p",
        "tau2": "tau2",
        "i2": "I2",
        "q": "Q",
        "q_p_value": "Q_p",
    }
    ours = [getattr(found, name) for name in names]
    theirs = [model[name] for name in names.values()]
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-12, err_msg=str(list(names)))
    np.testing.assert_allclose([found.ci_low, found.ci_high], model["ci"], rtol=1e-6)
    np.testing.assert_allclose(found.weights, model["weights_percent"], rtol=1e-6)
    expected = model["prediction_interval_metafor"]
    if expected is None:
        assert found.prediction_low is found.prediction_high is None
    else:
        np.testing.assert_allclose([found.prediction_low, found.prediction_high], expected, rtol=1e-6)


def test_reml_without_each_study_agrees_with_metafor() -> None:
    for left_out in range(5):
        found = pooled("j_meta5.csv", "reml", "wald", left_out)
        for ours, theirs in {"estimate": "estimate", "std_error": "se", "tau2": "tau2"}.items():
            want = META["leave1out_REML"][theirs][left_out]
            assert getattr(found, ours) == pytest.approx(want, rel=1e-6), (left_out, ours)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # statsmodels, where its τ² is negative
def test_random_studies_agree_with_statsmodels() -> None:
    random, n_compared = np.random.default_rng(20), 0
    for _ in range(20):
        k = int(random.integers(2, 12))
        effect, error = random.normal(0.4, 0.6, k), random.uniform(0.1, 0.8, k)
        theirs = combine_effects(effect, error**2, method_re="chi2", use_t=True)
        if theirs.tau2 < 0:  # which statsmodels does not cut at 0
            continue
        n_compared += 1
        found = meta_analyse(effect.tolist(), error.tolist(), "dl", "wald")
        assert (found.estimate, found.tau2, found.q) == pytest.approx(
            (theirs.mean_effect_re, theirs.tau2, theirs.q), rel=1e-9
        )
        assert found.std_error == pytest.approx(theirs.sd_eff_w_re, rel=1e-9)
        adjusted = meta_analyse(effect.tolist(), error.tolist(), "dl", "hksj")
        assert adjusted.std_error == pytest.approx(theirs.sd_eff_w_re_hksj, rel=1e-9)
    assert n_compared > 10


def test_reml_is_the_highest_point_of_the_restricted_likelihood() -> None:
    """Also where the likelihood has two modes, which precise and imprecise studies together bring about."""
    random = np.random.default_rng(3)
    for _ in range(100):
        k = int(random.integers(2, 12))
        error = np.exp(random.normal(-1, random.uniform(0, 1.5), k))
        effect = random.normal(0.4, np.hypot(error, random.choice([0, 0.2, 1, 3])))
        tau2 = meta_analyse(effect.tolist(), error.tolist()).tau2
        around = np.array([tau2, 0, *np.geomspace(1e-4, 50, 100), tau2 * 0.999, tau2 * 1.001])
        weight = 1 / (error**2 + around[:, None])
        mean = (weight * effect).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        likelihood = (
            np.log(weight).sum(axis=1)
            - np.log(weight.sum(axis=1))
            - (weight * (effect - mean) ** 2).sum(axis=1)
        )
        assert likelihood[0] >= likelihood.max() - 1e-9


def test_a_hartung_knapp_interval_narrower_than_walds_is_said() -> None:
    """The five alike studies: Wald 0.18 to 0.64, Hartung–Knapp 0.37 to 0.45 (metafor 3.8)."""
    note = pooled("j_meta5_homogeneous.csv").note
    assert note is not None
    assert "narrower than Wald" in note
    assert pooled("j_meta5_homogeneous.csv", ci="wald").note is None
    assert pooled("j_meta5.csv").note is None


def test_a_common_effect_has_walds_interval_and_says_so() -> None:
    asked = pooled("j_meta5.csv", "fixed", "hksj")
    assert asked.ci == "wald"
    assert asked.note is not None
    assert asked._replace(note=None) == pooled("j_meta5.csv", "fixed", "wald")


def test_the_order_of_the_studies_does_not_matter() -> None:
    one, other = (
        meta_analyse([0.1, 0.9, 0.4], [0.2, 0.3, 0.1]),
        meta_analyse([0.4, 0.9, 0.1], [0.1, 0.3, 0.2]),
    )
    assert one.weights == pytest.approx(other.weights[::-1])
    assert one[:12] == pytest.approx(other[:12], rel=1e-9)


@pytest.mark.parametrize("method", ["fixed", "dl", "reml"])
def test_equal_studies_leave_nothing_between_them(method: str) -> None:
    found = meta_analyse([0.5, 0.5], [0.2, 0.2], method)
    assert (found.estimate, found.tau2, found.i2, found.q) == pytest.approx((0.5, 0, 0, 0), abs=1e-12)
    assert sum(found.weights) == pytest.approx(100)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([0.4], [0.2]), "two studies or more; given: 1"),
        (([], []), "two studies or more; given: 0"),
        (([0.4, 0.5, 0.6], [0.2, 0.1]), "3 log odds ratios but 2 standard errors"),
        (([0.4, 0.5], [0.2, 0.0]), "1 of 2 studies with a standard error that is missing or not above 0"),
        (([0.4, 0.5], [-0.2, -0.1]), "2 of 2 studies with a standard error"),
        (([0.4, 0.5], [0.2, None]), "1 of 2 studies with a standard error"),
        (([0.4, 0.5], [0.2, float("inf")]), "1 of 2 studies with a standard error"),
        (([float("inf"), 0.5], [0.2, 0.1]), "1 of 2 studies with a log odds ratio"),
        (([0.4, 0.5], [0.2, 0.1], "remel"), "no method 'remel'.*did you mean 'reml'"),
        (([0.4, 0.5], [0.2, 0.1], "dl", "hks"), "no interval 'hks'.*did you mean 'hksj'"),
    ],
)
def test_what_cannot_be_pooled_is_said_in_words(arguments: tuple, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        meta_analyse(*arguments)
