"""Chained equations: what is drawn, from which model, and that it is the same again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from d2tra.errors import StudyError
from d2tra.models import pool_estimates
from d2tra.models.imputation import impute
from d2tra.models.imputation.draws import (
    augment,
    draw_level,
    draw_number,
    draw_ordered_level,
    fit_multinomial,
    fit_proportional_odds,
)
from tables import frame

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
BIRTHS = pl.read_csv(REFERENCE / "birthwt.csv")
TRUE_LOG_ODDS = np.array([0.9, 0.6])


def patients(n: int = 120, seed: int = 5) -> pl.DataFrame:
    """Numbers, a yes/no, an unordered and an ordered category that hang together, each missing in about a fifth."""
    generator = np.random.default_rng(seed)
    age = generator.normal(60, 10, n).round(1)
    obese = generator.random(n) < 1 / (1 + np.exp(-(age - 60) / 8))
    smoking = np.array(["never", "former", "current"])[(generator.random(n) * 3).astype(int)]
    quintile = np.clip(np.floor((age - 35) / 10 + generator.normal(0, 0.5, n)), 1, 5).astype(int).astype(str)
    whole = pl.DataFrame(
        {
            "site": "one",
            "patient_id": [f"p{number:03}" for number in range(n)],
            "met": generator.random(n) < 0.3,
            "age": age,
            "obese": obese,
            "smoking": smoking,
            "quintile": quintile,
        }
    )
    return whole.with_columns(
        pl.when(pl.Series(generator.random(n) > 0.2)).then(name).alias(name)
        for name in ("age", "obese", "smoking", "quintile")
    )


PATIENTS = patients()
VARIABLES = ["met", "age", "obese", "smoking", "quintile"]
ORDERED = {"quintile": ["1", "2", "3", "4", "5"]}


def imputed(data: pl.DataFrame = PATIENTS, m: int = 3, seed: int = 1) -> list[pl.DataFrame]:
    return impute(data, VARIABLES, m=m, iterations=3, seed=seed, ordered=ORDERED).frames


def test_every_missing_value_is_imputed_and_every_known_one_stays() -> None:
    for found in imputed():
        assert found.schema == PATIENTS.schema
        assert not found.null_count().sum_horizontal().item()
        for name in VARIABLES:
            known = PATIENTS[name].is_not_null()
            assert found[name].filter(known).to_list() == PATIENTS[name].filter(known).to_list()


def test_numbers_and_levels_are_imputed_with_values_that_somebody_has() -> None:
    for name in ("age", "smoking", "quintile"):
        recorded = set(PATIENTS[name].drop_nulls())
        assert all(set(found[name]) == recorded for found in imputed())


def test_the_imputed_sets_differ_from_one_another() -> None:
    first, second, third = imputed()
    assert not first.equals(second)
    assert not second.equals(third)


def test_the_same_seed_gives_the_same_values_and_another_seed_others() -> None:
    assert all(one.equals(two) for one, two in zip(imputed(), imputed(), strict=True))
    assert not imputed()[0].equals(imputed(seed=2)[0])


def test_the_order_of_rows_and_columns_makes_no_difference() -> None:
    shuffled = PATIENTS.sample(fraction=1, shuffle=True, seed=3).select(reversed(PATIENTS.columns))
    for one, two in zip(imputed(), imputed(shuffled), strict=True):
        assert one.equals(two.select(one.columns))


def test_the_first_chains_of_many_are_those_of_few() -> None:
    assert all(one.equals(two) for one, two in zip(imputed(m=2), imputed(m=4)[:2], strict=True))


def test_yes_no_as_0_and_1_stays_a_number() -> None:
    data = PATIENTS.with_columns(pl.col("obese").cast(pl.Int64), pl.col("met").cast(pl.Float64))
    as_numbers, as_words = imputed(data)[0], imputed()[0]
    assert as_numbers.schema["obese"] == pl.Int64
    assert as_numbers["obese"].to_list() == as_words["obese"].cast(pl.Int64).to_list()


def test_what_nobody_has_or_everybody_has_alike_is_left_unknown_with_the_reason() -> None:
    data = PATIENTS.with_columns(
        pain=pl.lit(None, pl.Float64), diabetes=pl.when(pl.col("met")).then(pl.lit(False))
    )
    found = impute(data, [*VARIABLES, "pain", "diabetes"], m=2, iterations=2, seed=1, ordered=ORDERED)
    assert found.left_unknown == {
        "pain": "not recorded in any patient",
        "diabetes": "the same in every patient in whom it is known",
    }
    assert found.frames[0]["diabetes"].null_count() == data["diabetes"].null_count()
    without = impute(PATIENTS, VARIABLES, m=2, iterations=2, seed=1, ordered=ORDERED)
    assert found.frames[0].select(PATIENTS.columns).equals(without.frames[0])
    assert {"pain", "diabetes"}.isdisjoint(found.n_imputed)


def test_a_variable_that_another_repeats_does_not_run_wild() -> None:
    """Twice the same factor, known in different patients: the second is worth nothing beside the first."""
    data = PATIENTS.with_columns(again=pl.col("age") * 2 + 1, constant=pl.lit(1.0))
    found = impute(data, [*VARIABLES, "again", "constant"], m=2, iterations=5, seed=1, ordered=ORDERED)
    assert all(f["age"].is_between(PATIENTS["age"].min(), PATIENTS["age"].max()).all() for f in found.frames)


def test_a_factor_that_separates_the_outcome_is_imputed_near_to_what_is_known_of_it() -> None:
    """Of 60 with the outcome all are exposed, of 60 without none is: maximum likelihood would be infinite."""
    met = [True] * 60 + [False] * 60
    exposed = [None if place % 6 == 0 else value for place, value in enumerate(met)]
    data = pl.DataFrame({"met": met, "exposed": exposed})
    found = impute(data, ["met", "exposed"], m=10, iterations=3, seed=1)
    agree = [(f["exposed"] == f["met"]).filter(data["exposed"].is_null()).mean() for f in found.frames]
    assert 0.8 < np.mean(agree) <= 1


def test_one_variable_alone_is_drawn_from_its_own_values() -> None:
    data = pl.DataFrame({"age": [50.0, None, 60.0, 70.0, None]})
    found = impute(data, ["age"], m=4, iterations=2, seed=1)
    assert {value for f in found.frames for value in f["age"]} <= {50.0, 60.0, 70.0}


def test_nothing_missing_gives_back_the_data() -> None:
    data = PATIENTS.drop_nulls()
    found = impute(data, VARIABLES, m=2, iterations=2, seed=1)
    assert all(f.equals(data) for f in found.frames)
    assert (found.trace.height, found.n_imputed) == (0, {})


def test_the_trace_tells_mean_and_spread_of_the_imputed_values_of_every_round() -> None:
    found = impute(PATIENTS, VARIABLES, m=2, iterations=4, seed=1, ordered=ORDERED)
    assert found.trace.select("imputation", "iteration").unique().height == 8
    last = found.trace.filter((pl.col("imputation") == 2) & (pl.col("iteration") == 4))
    drawn = found.frames[1].filter(PATIENTS["age"].is_null())["age"]
    age = last.row(by_predicate=pl.col("variable") == "age", named=True)
    assert (age["level"], age["mean"], age["std"]) == (
        None,
        pytest.approx(drawn.mean()),
        pytest.approx(drawn.std()),
    )
    smokers = found.frames[1].filter(PATIENTS["smoking"].is_null())["smoking"]
    former = last.row(
        by_predicate=(pl.col("variable") == "smoking") & (pl.col("level") == "former"), named=True
    )
    assert former["mean"] == pytest.approx((smokers == "former").mean())
    assert list(found.n_imputed) == sorted(found.n_imputed, key=lambda name: PATIENTS[name].null_count())


@pytest.mark.parametrize(
    ("data", "variables", "named"),
    [
        (PATIENTS, ["age", "obes"], "no column 'obes' in the analysis set, did you mean 'obese'"),
        (PATIENTS.with_columns(born=pl.date(1950, 1, 1)), ["born"], "'born' is a date"),
    ],
)
def test_what_cannot_be_imputed_is_said(data: pl.DataFrame, variables: list[str], named: str) -> None:
    with pytest.raises(StudyError, match=named):
        impute(data, variables, m=2, iterations=1, seed=1)


def test_a_recipient_is_given_one_of_its_five_nearest_donors() -> None:
    """Value = predictor without noise: the five donors nearest to 50.2 are 48 to 52."""
    seen = np.arange(100.0)
    drawn = [
        draw_number((seen - 50)[:, None], seen, np.array([[0.2]]), np.random.default_rng(seed)).item()
        for seed in range(60)
    ]
    assert set(drawn) == {48.0, 49.0, 50.0, 51.0, 52.0}


def test_donors_who_are_alike_are_all_drawn_from() -> None:
    """Nobody differs: every one of 40 donors is the nearest, whatever its place."""
    alike, values = np.zeros((40, 0)), np.arange(40.0)
    drawn = {
        value
        for seed in range(60)
        for value in draw_number(alike, values, np.zeros((9, 0)), np.random.default_rng(seed))
    }
    assert len(drawn) > 35


def test_the_proportional_odds_model_is_that_of_polr() -> None:
    """MASS 7.3-58.2, polr(ordered(race) ~ age + smoke + ht), reltol 1e-15. (polr's own search ends at about 1e-6.)"""
    x = BIRTHS.select("age", "smoke", "ht").to_numpy().astype(float)
    found = fit_proportional_odds(x, BIRTHS["race"].to_numpy() - 1, np.ones(len(x)), 2)
    want = [-2.18484844718, -1.53138763558, -0.0725787584591, -1.4434672746408, 0.2183178775621]
    np.testing.assert_allclose(found.parameters, want, atol=2e-6)


def test_the_multinomial_model_is_that_of_nnet() -> None:
    """nnet 7.3-18, multinom(factor(race) ~ age + smoke + ht), reltol 1e-15."""
    x = np.column_stack([np.ones(BIRTHS.height), BIRTHS.select("age", "smoke", "ht").to_numpy()])
    found = fit_multinomial(x, BIRTHS["race"].to_numpy() - 1, np.ones(len(x)))
    second = [1.67559572429, -0.1179752345403, -0.777391328266, 0.875573596102]
    third = [2.27194185706, -0.0866725536939, -1.792757594463, 0.177609798099]
    np.testing.assert_allclose(found.parameters, [*second, *third], atol=1e-6)
    errors = [1.151022010685, 0.0493534742974, 0.466679407188, 0.788345198299]
    np.testing.assert_allclose(np.sqrt(np.diag(np.linalg.inv(found.information)))[:4], errors, rtol=1e-5)


def test_data_are_augmented_as_mice_augments_them() -> None:
    """mice 3.15.0, mice:::augment(y, ry, x, wy): a pair to either side of each predictor's mean, for each level."""
    seen, unseen = np.array([[1, 0], [2, 0], [4, 1.0]]), np.array([[8, 1], [3, 0.0]])
    x, y, weights = augment(seen, np.array([0, 1, 1]), unseen)
    high, low, mid = (4.95092560861, 0.4), (2.24907439139, 0.4), 3.6
    want = {(*high, 0), (*low, 0), (*high, 1), (*low, 1)}
    want |= {(mid, share, level) for share in (0.673861278753, 0.126138721247) for level in (0, 1)}
    found = {(round(a, 10), round(b, 10), level) for (a, b), level in zip(x[3:], y[3:].tolist(), strict=True)}
    assert found == {(round(a, 10), round(b, 10), level) for a, b, level in want}
    assert weights.tolist() == [1, 1, 1, *[0.375] * 8]


def missing_at_random(generator: np.random.Generator, n: int = 400) -> pl.DataFrame:
    """met ~ −1.2 + 0.9 x + 0.6 z; whether x is recorded hangs on met and z together, so complete cases mislead."""
    z = generator.normal(size=n)
    x = generator.random(n) < 1 / (1 + np.exp(0.3 - 0.8 * z))
    met = generator.random(n) < 1 / (1 + np.exp(1.2 - 0.9 * x - 0.6 * z))
    recorded = generator.random(n) > 1 / (1 + np.exp(1.5 - 2 * met * (z > 0)))
    return pl.DataFrame({"met": met, "x": x, "z": z}).with_columns(x=pl.when(pl.Series(recorded)).then("x"))


def log_odds(data: pl.DataFrame) -> pl.DataFrame:
    """Maximum likelihood of met on x and z."""
    x = np.column_stack([np.ones(data.height), data.select("x", "z").to_numpy().astype(float)])
    peak = fit_multinomial(x, data["met"].to_numpy().astype(int), np.ones(len(x)))
    errors = np.sqrt(np.diag(np.linalg.inv(peak.information)))
    return pl.DataFrame({"term": ["x", "z"], "estimate": peak.parameters[1:], "std_error": errors[1:]})


def test_true_odds_ratios_are_recovered_where_complete_cases_mislead() -> None:
    """60 studies of 400: the mean within 3 Monte-Carlo standard errors, 95 % limits that hold about 95 % of the truths."""
    pooled, complete, held = [], [], []
    for number in range(60):
        data = missing_at_random(np.random.default_rng([7, number]))
        frames = impute(data, ["met", "x", "z"], m=5, iterations=3, seed=[3, number]).frames
        found = pool_estimates(pl.concat(log_odds(filled) for filled in frames), n=400, n_parameters=3)
        pooled.append(found["estimate"].to_numpy())
        limits = found.select("ci_low", "ci_high").to_numpy()
        held.append((limits[:, 0] < TRUE_LOG_ODDS) & (limits[:, 1] > TRUE_LOG_ODDS))
        complete.append(log_odds(data.drop_nulls())["estimate"].to_numpy())
    error = np.std(pooled, axis=0, ddof=1) / np.sqrt(60)
    assert (np.abs(np.mean(pooled, axis=0) - TRUE_LOG_ODDS) < 3 * error).all()
    assert np.abs(np.mean(complete, axis=0) - TRUE_LOG_ODDS)[1] > 10 * error[1]
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / 120) < np.mean(held) <= 1


@pytest.mark.parametrize("ordered", [None, {"level": ["a", "b", "c"]}])
def test_the_shares_of_levels_are_recovered_where_those_recorded_mislead(ordered: dict | None) -> None:
    """The higher the number, the higher the level, and the rarer its record."""
    generator = np.random.default_rng(4)
    number = generator.normal(size=3000)
    place = (number + generator.logistic(0, 0.5, 3000) > -0.5).astype(int) + (
        number + generator.logistic(0, 0.5, 3000) > 0.7
    )
    level = pl.Series(np.array(["a", "b", "c"])[place])
    recorded = pl.Series(generator.random(3000) > 1 / (1 + np.exp(1 - 2 * number)))
    data = pl.DataFrame({"number": number, "level": level}).with_columns(
        level=pl.when(recorded).then("level")
    )
    frames = impute(data, ["number", "level"], m=4, iterations=1, seed=1, ordered=ordered).frames
    for name in ("a", "b", "c"):
        true, seen = (level == name).mean(), (data["level"].drop_nulls() == name).mean()
        found = np.mean([(filled["level"] == name).mean() for filled in frames])
        assert found == pytest.approx(true, abs=0.02)
        assert name == "b" or abs(seen - true) > 0.06


def test_a_frame_of_words_is_imputed_too() -> None:
    data = frame("""
        patient_id | smoking
        3          | never
        1          |
        2          | now
        4          | never
    """)
    found = impute(data, ["smoking"], m=1, iterations=1, seed=2).frames[0]
    assert found["patient_id"].to_list() == [1, 2, 3, 4]
    assert found["smoking"].null_count() == 0


def test_what_is_predicted_for_a_recipient_is_drawn_and_not_the_estimate() -> None:
    """Twelve donors hardly tell the slope: over many draws, more than five of them are the nearest."""
    seen, known = np.linspace(-1, 1, 12), np.tile([0.0, 9.0, 3.0], 4) + np.arange(12)
    drawn = {
        draw_number(seen[:, None], known, np.array([[0.9]]), np.random.default_rng(seed)).item()
        for seed in range(80)
    }
    assert len(drawn) > 6


@pytest.mark.parametrize(
    ("draw", "known"), [(draw_level, [0, 1]), (draw_level, [0, 1, 2]), (draw_ordered_level, [0, 1, 2])]
)
def test_the_shares_that_levels_are_drawn_with_are_as_uncertain_as_few_patients_leave_them(
    draw: Callable, known: list[int]
) -> None:
    """Six known patients, half or a third at the first level: its logit has a standard error of about 0.8."""
    alike, unseen = np.zeros((6, 0)), np.zeros((2000, 0))
    values = np.array(known * (6 // len(known)))
    shares = [(draw(alike, values, unseen, np.random.default_rng(seed)) == 0).mean() for seed in range(60)]
    assert 0.1 < np.std(shares) < 0.25
    assert np.mean(shares) == pytest.approx(1 / len(known), abs=0.1)
