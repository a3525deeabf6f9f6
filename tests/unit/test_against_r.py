"""Agreement with R. The numbers are in tests/data/reference (README.json there names each tool and version)."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from d2tra import estimates
from d2tra.errors import StudyError
from d2tra.models import fit_logistic, required_sample_size
from d2tra.models.checks import find_separation
from d2tra.models.design import design_matrix
from d2tra.models.firth import CRITICAL, Surface, climb, find_peak, fit_firth, held_peaks
from d2tra.models.logistic import c_statistic
from d2tra.risk_factor_plan import Characteristic
from d2tra.tables.comparison import standardised_difference
from d2tra.tables.describe import describe

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
LEVELS = {"race": "1", "bmi_class": "normal"}  # categorical columns with their reference level


def expected(name: str) -> dict:
    return json.loads((REFERENCE / f"{name}.json").read_text())


FIRTH = {name: case for name, case in expected("a_firth")["cases"].items() if "reference" in case}
# b_glm calls sex2 not separated although all 7 patients with dia = 1 are cases, and cohort95_quasi6 separated although
# its estimates are finite; the estimates themselves are what counts.
GLM = {
    name: case
    for name, case in expected("b_glm")["cases"].items()
    if name == "cohort95_quasi6" or (not case["separated"] and name != "sex2")
}


def fitted(name: str, method: str) -> pl.DataFrame:
    """The rows of a case, named as R names its coefficients."""
    case = FIRTH[name]
    data = pl.read_csv(REFERENCE / case["file"])
    outcome = case["outcome"]
    rows = fit_logistic(
        data, outcome, [column for column in data.columns if column != outcome], method, LEVELS
    )
    return rows.filter(pl.col("note").ne_missing("reference")).with_columns(
        name=pl.when(pl.col("reference").is_null())
        .then("term")
        .otherwise(pl.format("{}_{}", "term", "level"))
    )


def matrix_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The design of a case, intercept first, and its outcome."""
    data, outcome = pl.read_csv(REFERENCE / FIRTH[name]["file"]), FIRTH[name]["outcome"]
    terms = [column for column in data.columns if column != outcome]
    return design_matrix(data, terms, LEVELS).matrix, data[outcome].to_numpy() == 1


def column(rows: pl.DataFrame, quantity: str, names: dict[str, float]) -> np.ndarray:
    return np.array([rows.row(by_predicate=pl.col("name") == name, named=True)[quantity] for name in names])


@pytest.mark.parametrize("name", FIRTH)
def test_firth_agrees_with_logistf(name: str) -> None:
    rows, reference = fitted(name, "firth"), FIRTH[name]["reference"]
    relative = {"estimate": "coef", "std_error": "se_augmented_logistf124plus", "p_value": "plr_p"}
    for ours, theirs in relative.items():
        want = reference[theirs]
        np.testing.assert_allclose(column(rows, ours, want), list(want.values()), rtol=1e-6, err_msg=ours)
    for ours, theirs in {"ci_low": "ci95_profile_lower", "ci_high": "ci95_profile_upper"}.items():
        want = reference[theirs]
        limits = np.log(column(rows, ours, want))
        np.testing.assert_allclose(limits, list(want.values()), rtol=0, atol=1e-8, err_msg=ours)


@pytest.mark.parametrize("name", [name for name in FIRTH if "flic_intercept" in FIRTH[name]["flic_flac"]])
def test_flic_agrees_with_logistf(name: str) -> None:
    intercept = fitted(name, "flic").row(0, named=True)
    assert intercept["estimate"] == pytest.approx(FIRTH[name]["flic_flac"]["flic_intercept"], rel=1e-6)
    assert fitted(name, "flic")["estimate"][1:].to_list() == fitted(name, "firth")["estimate"][1:].to_list()


@pytest.mark.parametrize("name", GLM)
def test_logit_agrees_with_glm(name: str) -> None:
    rows = fitted(name, "logit")
    for ours, theirs in {"estimate": "coef", "std_error": "se", "p_value": "wald_p"}.items():
        want = GLM[name][theirs]
        np.testing.assert_allclose(column(rows, ours, want), list(want.values()), rtol=1e-6, err_msg=ours)
    for ours, theirs in {"ci_low": "wald_ci_lower", "ci_high": "wald_ci_upper"}.items():
        want = GLM[name][theirs]
        np.testing.assert_allclose(
            np.log(column(rows, ours, want)), list(want.values()), rtol=1e-6, atol=1e-7
        )


@pytest.mark.parametrize("name", FIRTH)
def test_firth_agrees_with_logistf_and_brglm2_themselves(name: str) -> None:
    """What the packages print, beside the reference that was checked with them; logistf with tight control. brglm2
    runs away where one patient is exposed (cohort95_singleton): that one coefficient is left out."""
    rows, case = fitted(name, "firth"), FIRTH[name]
    for printed in (case["brglm2_AS_mean_coef"], case["logistf_tight"]["coef"]):
        want = {term: value for term, value in printed.items() if abs(value) < 1e6}
        assert set(printed) - set(want) <= ({"rare"} if name == "cohort95_singleton" else set())
        np.testing.assert_allclose(column(rows, "estimate", want), list(want.values()), rtol=1e-6, atol=1e-8)
    for ours, theirs in {"ci_low": "ci_lower", "ci_high": "ci_upper"}.items():
        want = case["logistf_tight"][theirs]
        np.testing.assert_allclose(np.log(column(rows, ours, want)), list(want.values()), rtol=0, atol=1e-5)
    want = case["logistf_tight"]["p"]
    np.testing.assert_allclose(column(rows, "p_value", want), list(want.values()), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", FIRTH)
def test_the_penalised_likelihood_agrees_with_logistf(name: str) -> None:
    """Its maximum; a numeric factor's test by chi-squared, which the p-value is made from."""
    case = FIRTH[name]
    matrix, y = matrix_of(name)
    found = fit_firth(matrix, y)
    assert found.loglik == pytest.approx(case["reference"]["penalised_loglik"], rel=1e-9)
    assert found.loglik == pytest.approx(case["logistf_tight"]["loglik_full"], rel=1e-9)
    for j, chi_squared in enumerate(list(case["reference"]["plr_chisq"].values())[:3]):
        held = climb(
            matrix, y.astype(float), np.where(np.arange(len(found.estimate)) == j, 0, found.estimate), j
        )
        assert 2 * (found.loglik - held.loglik) == pytest.approx(chi_squared, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", [name for name in FIRTH if "flic_intercept" in FIRTH[name]["flic_flac"]])
def test_the_mean_risks_of_firth_and_flic_agree_with_logistf(name: str) -> None:
    matrix, _ = matrix_of(name)
    for method in ("firth", "flic"):
        mean = (1 / (1 + np.exp(-matrix @ fitted(name, method)["estimate"].to_numpy()))).mean()
        assert mean == pytest.approx(FIRTH[name]["flic_flac"][f"mean_pred_{method}"], rel=1e-6)


def test_firth_of_each_imputed_set_agrees_with_logistf() -> None:
    known = expected("e_pooling")["firth95"]
    outcome, terms = known["formula"].split("~")
    imputed = pl.read_csv(REFERENCE / known["imputed_file"]).partition_by(".imp", maintain_order=True)
    for data, want in zip(imputed, known["per_imputation"], strict=True):
        matrix = design_matrix(data, [term.strip() for term in terms.split("+")]).matrix
        found = fit_firth(matrix, data[outcome.strip()].to_numpy() == 1)
        np.testing.assert_allclose(found.estimate, list(want["coef"].values()), rtol=1e-6)
        np.testing.assert_allclose(found.ci_low, list(want["lo"].values()), rtol=0, atol=1e-5)
        np.testing.assert_allclose(found.ci_high, list(want["hi"].values()), rtol=0, atol=1e-5)


def test_firth_of_a_two_by_two_table_is_half_a_patient_more_in_every_cell() -> None:
    assert fitted("table2x2_zero", "firth")["estimate"][1] == pytest.approx(
        FIRTH["table2x2_zero"]["analytic"]["log_or"], rel=1e-9
    )


def test_a_collinear_column_that_r_drops_is_named_and_without_it_the_fit_agrees() -> None:
    case = expected("a_firth")["cases"]["cohort95_collinear"]
    data = pl.read_csv(REFERENCE / case["file"])
    dropped = [name for name, value in case["glm_coef"].items() if value == "NA"]
    assert dropped == ["any_comorb_score"]
    with pytest.raises(StudyError, match=f"1 collinear.*{dropped[0]}"):
        fit_logistic(data, "d2t", data.columns[1:])
    kept = [name for name in data.columns[1:] if name not in dropped]
    for method, theirs in (("firth", case["brglm2"]["coef"]), ("logit", case["glm_coef"])):
        found = fit_logistic(data, "d2t", kept, method)["estimate"].to_list()
        assert found == pytest.approx([value for value in theirs.values() if value != "NA"], rel=1e-6)


def test_a_limit_on_the_wrong_mode_of_the_profile_is_walked_out_to_the_true_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under complete separation a restart from the estimate stops at −11.79; the limit is −14.004 (logistf)."""
    data = pl.read_csv(REFERENCE / "cohort95_complete_sep.csv")
    matrix = data.drop("d2t").insert_column(0, pl.Series("one", [1.0] * data.height)).to_numpy().astype(float)
    outcome = data["d2t"].to_numpy() == 1
    true = fit_firth(matrix, outcome)
    wrong = np.vstack([np.full((5, 5), -11.79), np.full((5, 5), np.nan)])
    monkeypatch.setattr("d2tra.models.firth._seek_limits", lambda *_: wrong)
    found = fit_firth(matrix, outcome)
    np.testing.assert_allclose(found.ci_low, true.ci_low, atol=1e-8)
    np.testing.assert_allclose(found.ci_high, true.ci_high, atol=1e-8)
    assert found.ci_low[0] == pytest.approx(-14.0040230711882, abs=1e-8)


@pytest.mark.parametrize("name", FIRTH)
def test_at_each_limit_twice_the_loglik_has_lost_3_8415(name: str) -> None:
    """Under separation a profile has several modes: the highest that two climbs reach counts."""
    matrix, y = matrix_of(name)
    y = y.astype(float)
    found = fit_firth(matrix, y)
    surface = Surface(matrix, y)
    peak = find_peak(surface)
    for j, limits in enumerate(zip(found.ci_low, found.ci_high, strict=True)):
        for limit in limits:
            start = np.where(np.arange(len(found.estimate)) == j, limit, found.estimate)
            climbs = [
                held_peaks(surface, peak, np.array([j]), np.array([limit])),
                climb(matrix, y, start, fixed=j),
            ]
            highest = max(float(np.squeeze(held.loglik)) for held in climbs if held.converged)
            assert 2 * (found.loglik - highest) == pytest.approx(CRITICAL, abs=1e-5)


def test_separation_is_what_an_infinite_maximum_likelihood_estimate_shows() -> None:
    """Infinite in R's glm: a standard error above 100 where iteration stopped."""
    for name, case in expected("b_glm")["cases"].items():
        data = pl.read_csv(REFERENCE / case["file"])
        if data.schema.get("bmi_class") == pl.String:
            data = data.with_columns(pl.col("bmi_class") == "obese")
        outcome = FIRTH[name]["outcome"]
        matrix = np.column_stack([np.ones(data.height), data.drop(outcome).to_numpy().astype(float)])
        found = find_separation(matrix, data[outcome].to_numpy() == 1)
        assert bool(found.any()) == (max(case["se"].values()) > 100), name


@pytest.mark.parametrize(
    ("method", "theirs"),
    [
        ("wilson", "wilson"),
        ("clopper_pearson", "clopper_pearson"),
        ("exact", "clopper_pearson"),
        ("jeffreys", "jeffreys_modified_0_1_at_ends"),
        ("agresti_coull", "agresti_coull_clipped"),
    ],
)
def test_intervals_of_a_proportion_agree_with_binom(method: str, theirs: str) -> None:
    for case in expected("c_proportions")["single"]:
        found = estimates.proportion(case["x"], case["n"], method)
        assert found.estimate == pytest.approx(case["p"], rel=1e-12)
        np.testing.assert_allclose([found.ci_low, found.ci_high], case[theirs], rtol=1e-6, atol=1e-12)


def test_wilson_columns_agree_with_binom() -> None:
    cases = expected("c_proportions")["single"]
    counts = pl.DataFrame({"k": [case["x"] for case in cases], "n": [case["n"] for case in cases]})
    found = counts.select(low=estimates.wilson_low("k", "n"), high=estimates.wilson_high(pl.col("k"), "n"))
    np.testing.assert_allclose(found.to_numpy(), [case["wilson"] for case in cases], rtol=1e-12, atol=1e-15)


def test_differences_agree_with_newcombe() -> None:
    for case in expected("c_proportions")["difference"]:
        found = estimates.difference(case["x1"], case["n1"], case["x2"], case["n2"])
        assert found.estimate == pytest.approx(case["diff"], abs=1e-12)
        want = case["newcombe_method10_hybrid_wilson"]
        np.testing.assert_allclose([found.ci_low, found.ci_high], want, rtol=1e-6, atol=1e-12)


def test_newcombes_published_example_agrees() -> None:
    """Newcombe 1998: 56/70 against 48/80; Wilson 1927: 81 and 1 of 263 and 29."""
    published = expected("c_proportions")["published_check"]
    assert estimates.difference(56, 70, 48, 80)[1:] == pytest.approx(published["m10"], rel=1e-6)
    for k, n in ((81, 263), (1, 29)):
        assert estimates.proportion(k, n)[1:] == pytest.approx(published[f"wil_{k}_{n}"], rel=1e-6)


def test_every_count_of_the_input_is_among_the_compared() -> None:
    compared = expected("c_proportions")
    counts = pl.read_csv(REFERENCE / "c_counts.csv").rows()
    assert counts == [(case["x"], case["n"]) for case in compared["single"]]
    pairs = pl.read_csv(REFERENCE / "c_pairs.csv").rows()
    assert pairs == [
        tuple(case[name] for name in ("x1", "n1", "x2", "n2")) for case in compared["difference"]
    ]


def test_fisher_agrees_with_fisher_test() -> None:
    tests = expected("d_tests")
    for case in tests["tables2x2"]:
        t = case["table"]
        table = [[t["exposed_case"], t["unexposed_case"]], [t["exposed_noncase"], t["unexposed_noncase"]]]
        assert estimates.fisher_exact(table) == pytest.approx(case["fisher"]["p_two_sided"], rel=1e-9)
    for case in tests["rxc"]:
        assert estimates.fisher_exact(case["table"]) == pytest.approx(case["p"], rel=1e-9)


def test_mann_whitney_agrees_with_wilcox_test() -> None:
    for case in expected("d_tests")["two_sample"].values():
        assert estimates.mann_whitney(case["x"], case["y"]) == pytest.approx(
            case["asymptotic_cc_p"], rel=1e-9
        )


def test_the_c_statistic_of_two_samples_is_the_mann_whitney_count_of_r() -> None:
    for case in expected("d_tests")["two_sample"].values():
        event = np.repeat([True, False], [len(case["x"]), len(case["y"])])
        assert c_statistic(event, np.array([*case["x"], *case["y"]])) == pytest.approx(case["auc"], rel=1e-12)


def test_standardised_differences_agree_with_tableone() -> None:
    want = expected("d_tests")["smd"]
    thirds = pl.when(pl.col("age") <= 52).then(pl.lit("low")).when(pl.col("age") <= 66).then(pl.lit("middle"))
    thirds = thirds.otherwise(pl.lit("high"))
    data = pl.read_csv(REFERENCE / want["file"]).with_columns(bmi3=thirds)
    for name, theirs in want["tableone"].items():
        values = data[name]
        kind = {"name": name, "title": name, "source": "", "coding": "number", "unit": "1"}
        if name == "bmi3":
            kind |= {"coding": "category", "unit": None, "levels": ["low", "middle", "high"]}
        elif values.cast(pl.Float64).is_in([0.0, 1.0]).all():
            values, kind = values.cast(pl.Boolean), kind | {"coding": "yes_no", "unit": None}
        met = data[want["by"]] == 1
        found = standardised_difference(values.filter(met), values.filter(~met), Characteristic(**kind))
        assert found == pytest.approx(theirs, rel=1e-6), name


def test_quartiles_means_and_deviations_agree_with_r() -> None:
    """Quartiles of type 7, R's default."""
    data = pl.read_csv(REFERENCE / "cohort722.csv")
    for case in expected("d_tests")["quantiles"]:
        kind = {"name": case["var"], "title": case["var"], "source": "", "coding": "number", "unit": "1"}
        (quartiles,) = describe(Characteristic(**kind), {"all": data})
        found = [quartiles[name] for name in ("low", "estimate", "high")]
        assert found == pytest.approx(case["type7_q"], rel=1e-12)
        (mean,) = describe(Characteristic(**kind, describe="mean_sd"), {"all": data})
        assert [mean["estimate"], mean["low"]] == pytest.approx([case["mean"], case["sd"]], rel=1e-12)


def test_sample_size_agrees_with_the_unrounded_formulae() -> None:
    """pmsampsize rounds the R² it derives, so its 900 and 637 are 895 and 639 unrounded (see i_samplesize.json)."""
    cases = {case["case"]: case for case in expected("i_samplesize")["formulae"]}
    found = {
        "c=0.70 (binormal, exact integral)": required_sample_size(0.13, 6, c_statistic=0.7),
        "c=0.70 with pmsampsize's simulated R2": required_sample_size(
            0.13, 6, r2_nagelkerke=0.107938539831362
        ),
        "R2cs=.05": required_sample_size(0.13, 6, r2_nagelkerke=0.0928903096655443),
        "Nagelkerke .15": required_sample_size(0.13, 6, r2_nagelkerke=0.15),
        "paper example R2=.288, 24 params, prev .174": required_sample_size(
            0.174, 24, r2_nagelkerke=0.477446720164221
        ),
        "R2cs=.10 k=10 p=90/722": required_sample_size(90 / 722, 10, r2_nagelkerke=0.189154783220079),
    }
    assert set(found) == set(cases)
    for name, size in found.items():
        case = cases[name]
        assert size[:4] == (case["n"], case["n1"], case["n2"], case["n3"]), name
        assert size.r2_cox_snell == pytest.approx(case["r2_cs"], rel=1e-9)
        assert size.r2_max == pytest.approx(case["max_r2_cs"], rel=1e-12)
        assert size.events == pytest.approx(case["events"], rel=1e-9)
        assert size.events_per_parameter == pytest.approx(case["epp"], rel=1e-9)
