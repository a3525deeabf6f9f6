"""Rubin's rules: agreement with mice 3.15 (tests/data/reference/e_pooling.json), and what cannot be pooled."""

import functools
import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import expit, logit

from d2tra.errors import StudyError
from d2tra.models import fit_logistic, pool_estimates
from tables import frame

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
MICE = json.loads((REFERENCE / "e_pooling.json").read_text())
SCALARS = MICE["scalar"]
THREE = frame("""
    imputation | term   | estimate | std_error
    1          | obese  | 0.5      | 0.2
    1          | female | 1.0      | 0.4
    2          | obese  | 0.7      | 0.2
    2          | female | 1.0      | 0.4
    3          | obese  | 0.9      | 0.2
    3          | female |          |
""")


def glm_of_r(matrix: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and standard errors as R's glm gives them to mice: it stops once the deviance moves by less than
    1e-8, and its covariance has the weights of the step before. (At the maximum itself, df differs by 1.4e-6.)"""
    eta, before = logit((y + 0.5) / 2), np.inf
    for _ in range(25):
        risk = expit(eta)
        weight = risk * (1 - risk)
        covariance = np.linalg.inv((matrix.T * weight) @ matrix)
        beta = covariance @ (matrix.T @ (weight * eta + y - risk))
        eta = matrix @ beta
        deviance = -2 * float(np.sum(y * eta - np.logaddexp(0, eta)))
        if abs(deviance - before) / (abs(deviance) + 0.1) < 1e-8:
            break
        before = deviance
    return beta, np.sqrt(np.diag(covariance))


@functools.cache
def glm_rows() -> pl.DataFrame:
    """One row per imputation × term of the reference's model in 722 patients."""
    outcome, terms = MICE["glm722"]["formula"].split("~")
    rows = []
    for number, data in pl.read_csv(REFERENCE / MICE["glm722"]["imputed_file"]).group_by(".imp"):
        matrix = np.column_stack([np.ones(data.height), data.select(terms.split("+")).to_numpy()])
        estimate, error = glm_of_r(matrix, data[outcome].to_numpy())
        rows.append(
            pl.DataFrame(
                {
                    "imputation": number[0],
                    "term": ["(Intercept)", *terms.split("+")],
                    "estimate": estimate,
                    "std_error": error,
                }
            )
        )
    return pl.concat(rows)


@functools.cache
def fitted(study: str, method: str) -> pl.DataFrame:
    """The rows of fit_logistic for each imputed data set of the reference."""
    outcome, terms = MICE[study]["formula"].split("~")
    imputed = pl.read_csv(REFERENCE / MICE[study]["imputed_file"])
    return pl.concat(
        fit_logistic(data, outcome, terms.split("+"), method).with_columns(imputation=pl.lit(number[0]))
        for number, data in imputed.group_by(".imp", maintain_order=True)
    )


@pytest.mark.parametrize("case", SCALARS, ids=[f"{case['set']} n={case['n']}" for case in SCALARS])
def test_a_term_is_pooled_as_mice_pools_it(case: dict) -> None:
    rows = pl.DataFrame({"term": "x", "estimate": case["Q"], "std_error": np.sqrt(case["U"])})
    found = pool_estimates(rows, float(case["n"]), n_parameters=case["k"]).row(0, named=True)
    assert found["n_imputations"] == len(case["Q"])
    for ours, theirs in [("estimate", "qbar"), ("std_error", "se"), ("fmi", "fmi"), ("p_value", "p")]:
        assert found[ours] == pytest.approx(case[theirs], rel=1e-6), ours
    for ours in ("df", "riv"):
        assert found[ours] == pytest.approx(case[ours], rel=1e-6, abs=1e-12), ours
    assert found["riv"] / (1 + found["riv"]) == pytest.approx(case["lambda"], rel=1e-6, abs=1e-12)
    np.testing.assert_allclose([found["ci_low"], found["ci_high"]], case["ci95"], rtol=1e-6)


@pytest.mark.parametrize(
    ("n", "theirs"), [(722, "pool_dfcom_default"), (722, "pool_dfcom_715"), (None, "pool_dfcom_Inf")]
)
def test_a_logistic_model_of_5_imputations_agrees_with_mice_pool(n: int | None, theirs: str) -> None:
    judged = pool_estimates(glm_rows(), n)
    want = pl.DataFrame(MICE["glm722"][theirs])
    assert judged["term"].to_list() == want["term"].to_list()
    for ours, mice in [("df", "df"), ("riv", "riv"), ("fmi", "fmi"), ("std_error", "se"), ("p_value", "p")]:
        np.testing.assert_allclose(judged[ours], want[mice], rtol=1e-6, err_msg=ours)
    np.testing.assert_allclose(judged["estimate"], want["estimate"], rtol=1e-6)
    np.testing.assert_allclose(judged["std_error"] ** 2, want["t"], rtol=1e-6)
    np.testing.assert_allclose(judged.select("ci_low", "ci_high").to_numpy(), want["ci"].to_list(), rtol=1e-6)


def test_large_sample_limits_agree_with_mitools() -> None:
    found = pool_estimates(glm_rows())
    want = pl.DataFrame(MICE["glm722"]["mitools"])
    for ours, theirs in {"estimate": "est", "std_error": "se", "ci_low": "lo", "ci_high": "hi"}.items():
        np.testing.assert_allclose(found[ours], want[theirs], rtol=1e-6, err_msg=ours)


def test_the_models_own_fits_pool_to_the_same_within_what_glm_stops_short_of() -> None:
    """Limits within 1e-6 of a standard error, also where a limit is near 0."""
    found = pool_estimates(fitted("glm722", "logit"), 722)
    want = pl.DataFrame(MICE["glm722"]["pool_dfcom_default"])
    for ours, mice in [("std_error", "se"), ("df", "df"), ("riv", "riv"), ("fmi", "fmi")]:
        np.testing.assert_allclose(found[ours], want[mice], rtol=2e-6, err_msg=ours)
    gap = np.abs(found.select("ci_low", "ci_high").to_numpy() - np.array(want["ci"].to_list()))
    assert (gap / want["se"].to_numpy()[:, None] < 1e-6).all()


def test_rubin_on_firth_agrees_with_the_reference() -> None:
    """On the reference's own fits: its standard errors have weights p(1-p), those of fit_logistic p(1-p)(1+h)."""
    fits = MICE["firth95"]["per_imputation"]
    rows = pl.DataFrame(
        [
            {"term": t, "estimate": fit["coef"][t], "std_error": fit["se"][t]}
            for fit in fits
            for t in fit["coef"]
        ]
    )
    found = pool_estimates(rows, n=95)
    for want in MICE["firth95"]["rubin_on_firth"]:
        row = found.row(by_predicate=pl.col("term") == want["term"], named=True)
        assert row["std_error"] ** 2 == pytest.approx(want["total_variance"], rel=1e-6)
        for name in ("estimate", "df", "fmi"):
            assert row[name] == pytest.approx(want[name], rel=1e-6), name
        np.testing.assert_allclose([row["ci_low"], row["ci_high"]], want["ci"], rtol=1e-6)


def test_the_notes_of_the_fits_are_kept() -> None:
    """Whoever tells a separated term's pooled odds ratio must be able to say that it is separated."""
    found = pool_estimates(fitted("firth95", "firth"))
    estimates = {row["term"]: row["estimate"] for row in MICE["firth95"]["rubin_on_firth"]}
    assert found["estimate"].to_list() == pytest.approx(list(estimates.values()), rel=1e-6)
    notes = dict(found.select("term", "note").rows())
    assert notes["seropositive"] == "separated"
    assert notes["obesity"] is None


def test_a_term_that_an_imputation_could_not_estimate_is_not_pooled_over_the_others() -> None:
    found = pool_estimates(THREE)
    assert found["term"].to_list() == ["obese", "female"]
    obese, female = found.rows(named=True)
    assert obese["estimate"] == pytest.approx(0.7)
    assert obese["std_error"] == pytest.approx(math.sqrt(0.04 + 4 / 3 * 0.04))
    assert (obese["pooling"], obese["note"]) == ("rubin", None)
    assert female["note"] == "not pooled: no estimate in 1 of 3 imputations"
    assert female["estimate"] is female["ci_low"] is female["df"] is female["riv"] is None


@pytest.mark.parametrize("unknown", [math.nan, math.inf])
def test_an_estimate_that_is_no_number_is_no_estimate(unknown: float) -> None:
    rows = THREE.with_columns(estimate=pl.col("estimate").fill_null(unknown), std_error=pl.lit(0.4))
    assert pool_estimates(rows)["estimate"].to_list() == [pytest.approx(0.7), None]


def test_a_missing_row_counts_as_a_missing_estimate() -> None:
    found = pool_estimates(THREE.drop_nulls())
    assert found["note"].to_list() == [None, "not pooled: no estimate in 1 of 3 imputations"]


def test_levels_and_outcomes_are_pooled_apart_and_reference_levels_stay_references() -> None:
    one = frame("""
        definition | term    | level | reference | estimate | std_error | note
        d2t        | smoking | never | never     | 0.0      |           | reference
        d2t        | smoking | now   | never     | 0.5      | 0.2       |
        d2t        | age     |       |           | 0.1      | 0.2       |
        other      | age     |       |           | 0.3      | 0.2       |
    """)
    both = pl.concat([one, one.with_columns(pl.col("estimate") * 2)])
    found = pool_estimates(both, n=30)
    assert (
        found.select("definition", "term", "level").rows() == one.select("definition", "term", "level").rows()
    )
    reference = found.row(0, named=True)
    assert (reference["estimate"], reference["note"]) == (0.0, "reference")
    assert reference["std_error"] is reference["ci_low"] is reference["p_value"] is None
    assert found["estimate"].to_list() == pytest.approx([0.0, 0.75, 0.15, 0.45])
    # the reference level is no parameter: d2t has two, the other outcome one
    apart = [pool_estimates(both.filter(pl.col("definition") == name), n, n_parameters=k)["df"].to_list()[-1]
             for name, n, k in (("d2t", 30, 2), ("other", 30, 1))]  # fmt: skip
    assert found["df"].to_list()[2:] == apart


def test_the_more_patients_the_nearer_the_degrees_of_freedom_to_the_large_sample() -> None:
    few, many, endless, unstated = (pool_estimates(THREE, n)["df"][0] for n in (20, 2000, math.inf, None))
    assert few < many < endless == unstated


@pytest.mark.parametrize(
    ("rows", "n", "named"),
    [
        (THREE.filter(pl.col("imputation") == 1), None, "one imputation only"),
        (THREE.clear(), None, "no rows"),
        (pl.concat([THREE, THREE[:1]]), None, "2 of 7 rows share their imputation and term"),
        (THREE.with_columns(std_error=pl.lit(0.0)), None, "standard error is 0 or below in 6 of 6 rows"),
        (THREE.rename({"std_error": "std_err"}), None, "no column 'std_error', did you mean 'std_err'"),
        (THREE, 2, "n is 2 patients for 2 parameters"),
    ],
)
def test_what_cannot_be_pooled_is_said_in_plain_words(rows: pl.DataFrame, n: int | None, named: str) -> None:
    with pytest.raises(StudyError, match=named):
        pool_estimates(rows, n)


def test_without_an_imputation_column_one_row_per_term_is_one_imputation_only() -> None:
    with pytest.raises(StudyError, match="one imputation only"):
        pool_estimates(frame("term | estimate | std_error\nage | 0.1 | 0.2"))
