"""Models with multiple imputation: what is imputed and computed again, how fits are pooled, and what is said of it."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from d2tra.config import parse
from d2tra.errors import StudyError
from d2tra.models import ModelPlan, fit_models
from d2tra.models.clip import combine_p_values, combine_profiles
from d2tra.models.diagnosed import diagnose_imputation
from d2tra.models.firth import fit_firth
from d2tra.models.imputation import Imputed, MultipleImputation, impute_analysis_set
from d2tra.models.imputation.chains import TRACE
from d2tra.models.imputed import ImputedSet, facts_of_imputation, fit_imputed
from d2tra.models.logistic import ROWS
from tables import frame

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
R = json.loads((REFERENCE / "e_pooling.json").read_text())
TWICE = MultipleImputation(m=2, iterations=2)


def reference_sets(study: str) -> tuple[ImputedSet, str, list[str]]:
    """The imputed data sets of the reference, its outcome and its terms."""
    outcome, terms = R[study]["formula"].split("~")
    frames = [
        data.with_columns(pl.col(outcome).cast(pl.Boolean))
        for _, data in pl.read_csv(REFERENCE / R[study]["imputed_file"]).group_by(".imp", maintain_order=True)
    ]
    done = Imputed(frames, pl.DataFrame(schema=TRACE), {}, {})
    return ImputedSet(frames[0], 0, done, MultipleImputation(m=5, iterations=1)), outcome, terms.split("+")


def cohort(n: int = 90) -> pl.DataFrame:
    """An analysis set with what the factors are made of; some of it, and of the outcomes, is not known."""
    generator = np.random.default_rng(11)
    bmi = generator.normal(29, 5, n).round(1)
    tender, swollen = generator.poisson(6, n).astype(float), generator.poisson(3, n).astype(float)
    whole = pl.DataFrame(
        {
            "site": "one",
            "patient_id": [f"p{number:03}" for number in range(n)],
            "d2t": np.where(generator.random(n) < 1 / (1 + np.exp(3 - bmi / 12)), "met", "not_met"),
            "bmi_kg_m2": bmi,
            "rf_positive": generator.random(n) < 0.6,
            "anti_ccp_positive": generator.random(n) < 0.6,
            "fibromyalgia": generator.random(n) < 0.2,
            "age_at_baseline": generator.normal(60, 9, n).round(0),
            "tjc28": tender,
            "sjc28": swollen,
            "patient_global_mm": generator.uniform(0, 100, n).round(0),
            "esr_mm_h": generator.uniform(2, 60, n).round(0),
        }
    )
    holes = {"bmi_kg_m2": 7, "rf_positive": 11, "anti_ccp_positive": 5, "tjc28": 13, "esr_mm_h": 9}
    place = pl.int_range(pl.len())
    lost = whole.with_columns(
        *(pl.when(place % every != 1).then(name).alias(name) for name, every in holes.items()),
        d2t=pl.when(place % 18 != 4).then("d2t").otherwise(pl.lit("not_assessable")),
    )
    return lost.with_columns(
        obese=pl.col("bmi_kg_m2") >= 30,
        seropositive_both=pl.col("rf_positive") & pl.col("anti_ccp_positive"),
        tjc_minus_sjc=pl.col("tjc28") - pl.col("sjc28"),
        das28_esr=0.56 * pl.col("tjc28").sqrt() + 0.28 * pl.col("sjc28").sqrt()
        + 0.7 * pl.col("esr_mm_h").log() + 0.014 * pl.col("patient_global_mm"),
    )  # fmt: skip


COHORT = cohort()
KNOWN = COHORT.filter(pl.col("d2t") != "not_assessable")
FACTORS = ["obese", "seropositive_both", "fibromyalgia"]


def plan(missing: object, factors: list[object] | None = None, **more: object) -> ModelPlan:
    section = {"factors": factors or FACTORS, "missing": missing, "above_budget": "report_as_exploratory"}
    return parse(ModelPlan, {**section, **more}, "config/models/m.yaml", name="m")


IMPUTED = plan({"multiple_imputation": {"m": 3, "iterations": 2, "auxiliary": ["age_at_baseline"]}})


# CLIP and Rubin against the reference


def test_clip_limits_and_p_values_agree_with_the_reference() -> None:
    """Own R code on logistf 1.26.1: the mean of the profile distribution functions; limits to 1e-5."""
    sets, outcome, terms = reference_sets("firth95")
    matrices = [np.column_stack([np.ones(f.height), f.select(terms)]) for f in sets.imputed.frames]
    events = [f[outcome].to_numpy().astype(float) for f in sets.imputed.frames]
    fits = [fit_firth(x, y) for x, y in zip(matrices, events, strict=True)]
    own = np.array([np.column_stack([found.ci_low, found.ci_high]) for found in fits])
    found = combine_profiles(matrices, events, range(5), own)
    want = pl.DataFrame(R["firth95"]["CLIP_own"])
    np.testing.assert_allclose(found, want.select("lower", "upper").to_numpy(), atol=1e-5)
    p = combine_p_values(np.array([f.estimate for f in fits]), np.array([f.p_value for f in fits]))
    np.testing.assert_allclose(p, want["p"], rtol=1e-6)


def test_a_separated_term_is_pooled_by_clip_and_not_by_wald() -> None:
    """0.85 to 8.10, not 0.12 to 6.20 (specification, 3.8)."""
    sets, outcome, terms = reference_sets("firth95")
    found = fit_imputed(sets, outcome, terms, "firth", {}, {})
    row = found.rows.row(by_predicate=pl.col("term") == "seropositive", named=True)
    assert [round(float(np.log(row[name])), 2) for name in ("ci_low", "ci_high")] == [0.85, 8.10]
    assert row["note"] == "separated; imputed (m = 5), pooled by CLIP"
    assert found.separated == ["seropositive"]
    for want in R["firth95"]["rubin_on_firth"]:
        row = found.rows.row(by_predicate=pl.col("term") == want["term"], named=True)
        assert row["estimate"] == pytest.approx(want["estimate"], rel=1e-6)
    assert found.pooled is not None
    assert found.pooled["pooling"].unique().to_list() == ["clip"]


def test_one_data_set_given_twice_is_pooled_to_its_own_profile_limits() -> None:
    sets, outcome, terms = reference_sets("firth95")
    x = np.column_stack([np.ones(95), sets.known.select(terms)])
    y = sets.known[outcome].to_numpy().astype(float)
    single = fit_firth(x, y)
    own = np.column_stack([single.ci_low, single.ci_high])
    np.testing.assert_allclose(
        combine_profiles([x, x], [y, y], range(5), np.array([own, own])), own, atol=1e-5
    )
    twice = combine_p_values(np.array([single.estimate] * 2), np.array([single.p_value] * 2))
    np.testing.assert_allclose(twice, single.p_value, rtol=1e-9)


def test_clip_limits_do_not_depend_on_where_a_number_has_its_zero() -> None:
    """A calendar year: the slope's limits are those of years since 2000."""
    sets, outcome, terms = reference_sets("firth95")
    generator, frames = np.random.default_rng(2), sets.imputed.frames[:2]
    year = generator.integers(1995, 2024, 95).astype(float)
    events = [f[outcome].to_numpy().astype(float) for f in frames]

    def limits(zero: float) -> np.ndarray:
        xs = [np.column_stack([np.ones(95), f[terms[2]].to_numpy(), year - zero]) for f in frames]
        fits = [fit_firth(x, y) for x, y in zip(xs, events, strict=True)]
        own = np.array([np.column_stack([f.ci_low, f.ci_high])[1:] for f in fits])
        return combine_profiles(xs, events, [1, 2], own)

    np.testing.assert_allclose(limits(0), limits(2000), atol=1e-5)


def test_a_limit_that_a_fit_does_not_prove_is_not_combined() -> None:
    x = np.column_stack([np.ones(8), [0, 0, 0, 0, 1, 1, 1, 1]])
    y = np.array([0.0, 1, 0, 1, 0, 1, 0, 1])
    own = np.array([[[-3.0, np.nan]], [[-3.0, 3.0]]])
    found = combine_profiles([x, x], [y, y], [1], own)
    assert np.isnan(found[0, 1])


def test_maximum_likelihood_fits_are_pooled_as_mice_pools_them() -> None:
    """mice 3.15: limits within 1e-6 of a standard error (R's glm stops a little short of the maximum)."""
    sets, outcome, terms = reference_sets("glm722")
    found = fit_imputed(sets, outcome, terms, "logit", {}, {})
    assert found.pooled is not None
    assert found.pooled["pooling"].unique().to_list() == ["rubin"]
    for want in R["glm722"]["pool_dfcom_default"]:
        row = found.rows.row(by_predicate=pl.col("term") == want["term"], named=True)
        told = found.pooled.row(by_predicate=pl.col("term") == want["term"], named=True)
        limits = np.log([row["ci_low"], row["ci_high"]])
        np.testing.assert_allclose(limits, want["ci"], atol=1e-6 * want["se"])
        assert row["std_error"] == pytest.approx(want["se"], rel=2e-6)
        assert told["df"] == pytest.approx(want["df"], rel=5e-6)
        assert told["fmi"] == pytest.approx(want["fmi"], rel=5e-6)


def test_flic_pools_its_intercept_by_rubin_and_says_so() -> None:
    sets, outcome, terms = reference_sets("firth95")
    found = fit_imputed(sets, outcome, terms, "flic", {}, {})
    assert found.pooled is not None
    assert dict(found.pooled.select("term", "pooling").rows()) == {
        "(Intercept)": "rubin",
        **dict.fromkeys(terms, "clip"),
    }


def test_where_some_imputed_sets_are_separated_auto_is_firth_for_all() -> None:
    exposed = [True] * 10 + [False] * 90
    met = [True] * 10 + [place % 3 == 0 for place in range(90)]
    one = pl.DataFrame({"met": met, "exposed": exposed})
    other = one.with_columns(exposed=pl.Series([False, *exposed[1:-1], True]))
    done = Imputed([one, other], pl.DataFrame(schema=TRACE), {}, {})
    sets = ImputedSet(one.with_columns(exposed=pl.Series([None, *exposed[1:-1], None])), 0, done, TWICE)
    found = fit_imputed(sets, "met", ["exposed"], "auto", {}, {})
    assert found.method == "firth"
    assert found.rows["method"].unique().to_list() == ["firth"]
    assert found.separated == ["exposed"]
    likelihood = fit_imputed(sets, "met", ["exposed"], "logit", {}, {})
    row = likelihood.rows.row(by_predicate=pl.col("level") == "true", named=True)
    assert row["odds_ratio"] is None
    assert "not pooled: no estimate in 1 of 2 imputations" in row["note"]


# what is imputed, and what is computed from it


def test_a_factor_that_is_made_of_others_is_computed_from_what_is_imputed() -> None:
    found = impute_analysis_set(KNOWN, "d2t", FACTORS, TWICE, [1, 2])
    assert set(found.n_imputed) == {"bmi_kg_m2", "rf_positive", "anti_ccp_positive"}
    for filled in found.frames:
        assert filled["obese"].to_list() == (filled["bmi_kg_m2"] >= 30).to_list()
        assert (
            filled["seropositive_both"].to_list()
            == (filled["rf_positive"] & filled["anti_ccp_positive"]).to_list()
        )


def test_a_missing_score_is_computed_from_its_imputed_components_and_a_recorded_one_stays() -> None:
    known = KNOWN.with_columns(
        das28_esr=pl.when(pl.col("patient_id") == "p000").then(9.9).otherwise("das28_esr")
    )
    found = impute_analysis_set(known, "d2t", ["das28_esr", "tjc_minus_sjc"], TWICE, [1, 2])
    assert set(found.n_imputed) == {"tjc28", "esr_mm_h"}
    for filled in found.frames:
        formula = (
            0.56 * np.sqrt(filled["tjc28"]) + 0.28 * np.sqrt(filled["sjc28"])
            + 0.7 * np.log(filled["esr_mm_h"]) + 0.014 * filled["patient_global_mm"]
        )  # fmt: skip
        assert filled["das28_esr"][0] == 9.9
        np.testing.assert_allclose(filled["das28_esr"][1:], formula[1:], rtol=1e-12)
        assert filled["tjc_minus_sjc"].to_list() == (filled["tjc28"] - filled["sjc28"]).to_list()


def test_a_factor_whose_parts_are_not_in_the_data_is_imputed_itself() -> None:
    found = impute_analysis_set(KNOWN.drop("bmi_kg_m2"), "d2t", FACTORS, TWICE, [1, 2])
    assert "obese" in found.n_imputed
    assert found.frames[0]["obese"].null_count() == 0


def test_an_auxiliary_helps_to_impute_and_is_not_modelled() -> None:
    with_it, without = (
        impute_analysis_set(
            KNOWN, "d2t", FACTORS, MultipleImputation(m=2, iterations=2, auxiliary=names), [1, 2]
        )
        for names in (["age_at_baseline"], [])
    )
    assert not with_it.frames[0].equals(without.frames[0])
    rows, _ = fit_models(COHORT, IMPUTED, "d2t", seed=1)
    assert "age_at_baseline" not in rows["term"].to_list()


# the model


def test_an_imputed_model_has_the_rows_of_any_model() -> None:
    rows, facts = fit_models(COHORT, IMPUTED, "d2t", seed=1)
    complete, _ = fit_models(COHORT, plan("complete_case"), "d2t", seed=1)
    assert rows.schema == pl.Schema(ROWS)
    assert rows.select("term", "level", "reference").equals(complete.select("term", "level", "reference"))
    assert (
        rows.filter(pl.col("note") != "reference")["note"]
        .str.starts_with("imputed (m = 3), pooled by CLIP")
        .all()
    )
    assert facts["missing"] == {
        "multiple_imputation": {"m": 3, "iterations": 2, "auxiliary": ["age_at_baseline"]}
    }
    assert facts["imputation"]["n_imputed"] == {
        name: KNOWN[name].null_count() for name in ("rf_positive", "bmi_kg_m2", "anti_ccp_positive")
    }
    assert len(facts["imputation"]["pooled"]) == 4
    assert all(0 <= row["fmi"] < 1 for row in facts["imputation"]["pooled"])


def test_patients_whose_outcome_is_unknown_are_left_out_and_levels_count_what_is_recorded() -> None:
    rows, facts = fit_models(COHORT, IMPUTED, "d2t", seed=1)
    assert (facts["n"], facts["n_rows"]) == (KNOWN.height, 90)
    assert facts["dropped_for_missing"] == {"d2t": 5, **dict.fromkeys(FACTORS, 0)}
    level = rows.row(by_predicate=(pl.col("term") == "obese") & (pl.col("level") == "true"), named=True)
    recorded = KNOWN.filter(pl.col("obese"))
    assert (level["n"], level["n_events"]) == (recorded.height, (recorded["d2t"] == "met").sum())
    table = KNOWN.drop_nulls("obese").group_by("obese", "d2t").len()
    assert level["smallest_cell"] == table["len"].min()
    intercept = rows.row(0, named=True)
    assert (intercept["n"], intercept["n_events"]) == (KNOWN.height, (KNOWN["d2t"] == "met").sum())


def test_with_nothing_missing_an_imputed_model_is_the_complete_case_model() -> None:
    whole = COHORT.drop_nulls()
    imputed, facts = fit_models(whole, IMPUTED, "d2t", seed=1)
    complete, _ = fit_models(whole, plan("complete_case"), "d2t", seed=1)
    assert imputed.equals(complete)
    assert (facts["imputation"]["n_imputed"], facts["imputation"]["pooled"]) == ({}, [])


def test_univariable_models_share_one_imputation() -> None:
    alone = plan(
        {"multiple_imputation": {"m": 3, "iterations": 2, "auxiliary": ["age_at_baseline"]}},
        kind="univariable",
    )
    rows, facts = fit_models(COHORT, alone, "d2t", seed=1)
    assert rows["term"].unique(maintain_order=True).to_list() == FACTORS
    assert rows["estimate"].null_count() == 0
    assert facts["terms"]["obese"]["n"] == KNOWN.height
    together = fit_models(COHORT, IMPUTED, "d2t", seed=1)[1]["imputation"]["n_imputed"]
    assert facts["imputation"]["n_imputed"] == together


def test_the_same_seed_gives_the_same_rows_and_each_outcome_its_own_numbers() -> None:
    rows, _ = fit_models(COHORT, IMPUTED, "d2t", seed=1)
    assert rows.equals(fit_models(COHORT, IMPUTED, "d2t", seed=1)[0])
    assert rows.equals(fit_models(COHORT.sample(fraction=1, shuffle=True, seed=4), IMPUTED, "d2t", seed=1)[0])
    assert not rows["estimate"].equals(fit_models(COHORT, IMPUTED, "d2t", seed=2)[0]["estimate"])
    again, _ = fit_models(COHORT.with_columns(other="d2t"), IMPUTED, "other", seed=1)
    assert not rows["estimate"].equals(again["estimate"])


def test_a_factor_that_nobody_has_recorded_is_said_and_not_invented() -> None:
    nobody = COHORT.with_columns(pl.lit(None, pl.Boolean).alias("fibromyalgia"))
    rows, facts = fit_models(nobody, IMPUTED, "d2t", seed=1)
    assert facts["imputation"]["left_unknown"] == {"fibromyalgia": "not recorded in any patient"}
    assert rows["odds_ratio"].null_count() == rows.height
    assert "no complete cases: fibromyalgia not recorded" in rows["note"].to_list()


def test_too_few_patients_to_pool_are_said_and_stop_nothing() -> None:
    """Whether the third is sick cannot be imputed: it is the same in the others."""
    three = frame("""
        met   | age | sick
        true  | 50  | true
        false | 61  | true
        true  |     |
    """)
    asked = plan({"multiple_imputation": {"m": 2, "iterations": 1}}, ["age", "sick"])
    rows, facts = fit_models(three, asked, "met", seed=1)
    assert rows["estimate"].null_count() == rows.height
    assert facts["problem"] == "2 patients for 2 parameters, the intercept among them."


def test_an_outcome_that_nobody_has_is_said_as_in_any_model() -> None:
    nobody = COHORT.with_columns(d2t=pl.col("d2t").replace("met", "not_met"))
    rows, facts = fit_models(nobody, IMPUTED, "d2t", seed=1)
    assert facts["problem"] == "no patient has the outcome"
    assert "no patient has the outcome" in rows["note"].to_list()


def test_without_a_seed_nothing_is_imputed() -> None:
    with pytest.raises(StudyError, match="model m: multiple imputation needs a seed"):
        fit_models(COHORT, IMPUTED, "d2t")


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("complete_cases", "key 'missing': complete_case, or multiple_imputation: {m: 20, iterations: 10}"),
        ({"multiple_imputation": None}, "complete_case, or multiple_imputation"),
        ({"multiple_imputation": {"iterations": 5}}, "required key 'missing.multiple_imputation.m' is missing"),
        ({"multiple_imputation": {"m": 1, "iterations": 5}}, "'missing.multiple_imputation.m'.*greater than or equal to 2"),
        (
            {"multiple_imputation": {"m": 5, "iterations": 5, "auxilary": []}},
            "unknown key 'missing.multiple_imputation.auxilary', did you mean 'auxiliary'",
        ),
        ({"mutliple_imputation": {}}, "unknown key 'missing.mutliple_imputation', did you mean 'multiple_imputation'"),
    ],
)  # fmt: skip
def test_a_missing_data_plan_that_is_none_is_refused_in_words(missing: object, named: str) -> None:
    with pytest.raises(StudyError, match=named):
        plan(missing)


def test_a_plan_is_written_as_it_was_read() -> None:
    assert plan("complete_case").model_dump()["missing"] == "complete_case"
    assert list(IMPUTED.model_dump()["missing"]) == ["multiple_imputation"]


# diagnostics


def test_diagnostics_are_those_of_the_imputation_that_is_modelled() -> None:
    trace, density = diagnose_imputation(COHORT, IMPUTED, ["d2t"], seed=1)
    assert trace["definition"].unique().to_list() == ["d2t"]
    assert trace.select("imputation", "iteration").unique().height == 6
    assert set(trace["variable"]) == {"rf_positive", "bmi_kg_m2", "anti_ccp_positive"}
    numbers = density.filter(pl.col("variable") == "bmi_kg_m2")
    for _, curve in numbers.group_by("imputation"):
        assert np.trapezoid(curve["density"], curve["x"]) == pytest.approx(1, abs=0.01)
    shares = density.filter(pl.col("variable") == "rf_positive", pl.col("imputation") == 0)
    assert dict(shares.select("level", "density").rows())["true"] == pytest.approx(
        KNOWN["rf_positive"].mean()
    )
    assert shares["n"].unique().to_list() == [KNOWN["rf_positive"].count()]


def chains(*means: list[float]) -> dict[str, float | None]:
    """The scale reduction of a variable whose chains had these means, iteration after iteration."""
    rows = [
        {"variable": "age", "imputation": number, "iteration": iteration, "mean": mean}
        for number, chain in enumerate(means)
        for iteration, mean in enumerate(chain, start=1)
    ]
    done = Imputed([], pl.DataFrame(rows, schema=TRACE), {}, {})
    return facts_of_imputation(TWICE, ImputedSet(KNOWN, 0, done, TWICE), [])["scale_reduction"]


def test_chains_that_stay_apart_are_told_from_chains_that_mix() -> None:
    """Only the later half counts. By hand: within 0.5; between the means 0.5 and 10.5 a variance of 50."""
    apart = chains([99, 99, 0, 1], [99, 99, 10, 11])
    assert apart["age"] == pytest.approx(np.sqrt((0.5 * 0.5 + 50) / 0.5))
    assert chains([0, 0, 0, 1], [9, 9, 1, 0])["age"] == pytest.approx(np.sqrt(0.5))
    assert chains([1, 1, 1, 1], [1, 1, 1, 1]) == {"age": None}


def test_a_complete_case_model_has_nothing_to_diagnose() -> None:
    trace, density = diagnose_imputation(COHORT, plan("complete_case"), ["d2t"], seed=1)
    assert (trace.height, density.height) == (0, 0)
    assert trace.columns[:3] == ["definition", "variable", "level"]
