"""A model carried to other patients, what they can show, and how the chapter's tables tell it."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.optimize import brentq
from scipy.special import expit

from d2tra.config import ValidationPlan, load_study
from d2tra.disclosure import disclose, load_profile
from d2tra.errors import StudyError
from d2tra.figures import FIGURES
from d2tra.figures.style import load_style
from d2tra.models.logistic import Fitted, fit
from d2tra.models.plan import ModelPlan
from d2tra.models.power import expect_odds_ratio
from d2tra.models.transport import apply_model, group_risks, judge_transport, weigh_decisions
from d2tra.models.validated import validate_every_outcome
from d2tra.risk_factor_plan import load_plan
from d2tra.tables.cells import formatted
from d2tra.tables.comparability import comparability, what_the_extension_can_show
from d2tra.tables.table import Table
from d2tra.tables.validation import calibration, decision_curve, validation
from d2tra.tables.validation_results import Validated
from tables import frame

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
R = json.loads((REFERENCE / "f_validation.json").read_text())
PREDICTIONS = pl.read_csv(REFERENCE / "f_predictions722.csv")
EVENT = PREDICTIONS["y"].to_numpy() == 1
RISK = PREDICTIONS["p"].to_numpy()


# 30 exposed with 12 events, 60 others with 6: the odds ratio is 6, the risks are 0.4 and 0.1.
OWN = pl.DataFrame({"event": [1] * 12 + [0] * 18 + [1] * 6 + [0] * 54, "exposed": [True] * 30 + [False] * 60})
OTHERS = frame("""
event | exposed
1     | true
0     | true
0     | false
1     | false
0     |
      | true
""").with_columns(pl.col("exposed").cast(pl.Boolean))


def two_by_two() -> Fitted:
    return fit(OWN, "event", ["exposed"], "logit")


def test_risks_in_other_patients_are_those_of_the_model_as_it_stands() -> None:
    found = two_by_two()
    risk = apply_model(found.design, found.risk_coefficients(), OTHERS)
    assert risk.round(9).to_list() == [0.4, 0.4, 0.1, 0.1, None, 0.4]


def test_firths_risks_elsewhere_have_the_intercept_that_was_corrected_at_home() -> None:
    found = fit(OWN, "event", ["exposed"], "firth")
    at_home = apply_model(found.design, found.risk_coefficients(), OWN)
    assert at_home.mean() == pytest.approx(18 / 90, abs=1e-9)
    assert apply_model(found.design, found.risk_coefficients(), OTHERS)[0] == pytest.approx(at_home[0])


def test_numbers_keep_their_unit_step_and_levels_their_reference() -> None:
    own = pl.DataFrame(
        {
            "event": [1, 0, 0, 1, 1, 0, 0, 1] * 5,
            "age": [70, 40, 65, 50, 40, 60, 50, 80] * 5,
            "smoking": ["never", "never", "former", "former", "former", "never", "never", "former"] * 5,
        }
    )
    found = fit(own, "event", ["age", "smoking"], "logit", {"smoking": "never"}, {"age": 10})
    beta = found.risk_coefficients()
    others = pl.DataFrame(
        {"age": [55.0, 55.0, 55.0, None], "smoking": ["former", "never", "current", "never"]}
    )
    risk = apply_model(found.design, beta, others)
    assert risk[0] == pytest.approx(expit(beta[0] + 5.5 * beta[1] + beta[2]))
    assert risk[1] == pytest.approx(expit(beta[0] + 5.5 * beta[1]))
    assert risk.to_list()[2:] == [None, None]  # a level that the model's patients did not have; no age


def test_who_is_left_out_is_counted_by_reason() -> None:
    found = two_by_two()
    judged = judge_transport(found.design, found.risk_coefficients(), OTHERS, "event", [0.2])
    assert (judged["n"], judged["n_events"]) == (4, 2)
    assert (judged["n_without_outcome"], judged["n_without_factors"], judged["n_left_out"]) == (1, 1, 2)
    assert judged["c_statistic"] == 0.5


def test_a_cohort_without_an_event_says_so_instead_of_a_number() -> None:
    found, nobody = two_by_two(), OTHERS.with_columns(event=pl.lit(0))
    judged = judge_transport(found.design, found.risk_coefficients(), nobody, "event", [0.2])
    assert "none of 5 patients has the outcome" in judged["problem"]
    assert "c_statistic" not in judged


def test_net_benefit_agrees_with_r() -> None:
    """f_validation.json, net_benefit: base R from the same predictions."""
    points = weigh_decisions(EVENT, RISK, [row["threshold"] for row in R["net_benefit"]])
    for point, theirs in zip(points, R["net_benefit"], strict=True):
        assert point["net_benefit"] == pytest.approx(theirs["model"], rel=1e-9)
        assert point["net_benefit_all"] == pytest.approx(theirs["treat_all"], rel=1e-9)


def test_a_risk_on_the_threshold_is_acted_on() -> None:
    (point,) = weigh_decisions(np.array([True, False]), np.array([0.2, 0.19999]), [0.2])
    assert (point["n_acted_on"], point["n_true"], point["net_benefit"]) == (1, 1, 0.5)


def test_groups_of_risk_hold_everybody_and_equal_risks_stay_together() -> None:
    groups = group_risks(EVENT, RISK)
    assert [group["n"] for group in groups] == [145, 144, 145, 144, 144]
    assert sum(group["n_events"] for group in groups) == 90
    assert [g["mean_risk"] for g in groups] == sorted(g["mean_risk"] for g in groups)
    tied = group_risks(np.array([True, False, False, True, False]), np.array([0.1, 0.1, 0.1, 0.1, 0.3]))
    assert [(group["n"], group["n_events"], group["mean_risk"]) for group in tied] == [
        (4, 2, 0.1),
        (1, 0, 0.3),
    ]
    assert tied[0]["observed"] == 0.5


def test_precision_of_a_yes_no_factor_is_woolfs_for_the_expected_table() -> None:
    """200 exposed and 400 others, odds ratio 3, 120 events to be expected: the risks that give them, by bisection."""
    found = expect_odds_ratio(3, np.repeat([1, 0], [200, 400]), 0.2)
    low = brentq(lambda p: 200 * 3 * p / (1 + 2 * p) + 400 * p - 120, 0.01, 0.5)
    high = 3 * low / (1 + 2 * low)
    woolf = math.sqrt(1 / (200 * high * (1 - high)) + 1 / (400 * low * (1 - low)))
    assert found.std_error == pytest.approx(woolf, rel=1e-9)
    assert math.log(found.ci_high / 3) == pytest.approx(1.959964 * found.std_error, rel=1e-6)


def test_power_is_near_that_of_hsieh_1998() -> None:
    """Hsieh, Bloch & Larsen 1998 (Stat Med 17:1623), table II: 1,281 patients, half exposed, event rates 0.4 and 0.5, have
    95 % power (by a test of proportions; Wald's differs in the third decimal)."""
    found = expect_odds_ratio(1.5, np.arange(1281) % 2, 0.45)
    assert found.power == pytest.approx(0.95, abs=0.004)


@pytest.mark.parametrize(("odds_ratio", "step"), [(2.5, None), (0.5, None), (1.6, 1.0)])
def test_power_is_what_a_simulation_finds(odds_ratio: float, step: float | None) -> None:
    """2,000 cohorts of 500, a fifth exposed (or a normal number), a quarter with the outcome; Wald's test at 5 %."""
    generator = np.random.default_rng(5)
    exposure = (np.arange(500) % 5 == 0).astype(float) if step is None else generator.standard_normal(500)
    found = expect_odds_ratio(odds_ratio, exposure, 0.25)
    intercept = brentq(lambda a: expit(a + math.log(odds_ratio) * exposure).mean() - 0.25, -5, 5)
    risk, hits = expit(intercept + math.log(odds_ratio) * exposure), 0
    matrix = np.column_stack([np.ones(500), exposure])
    for _ in range(2000):
        event, beta = generator.random(500) < risk, np.zeros(2)
        for _ in range(6):
            p = expit(matrix @ beta)
            information = (matrix.T * (p * (1 - p))) @ matrix
            beta = beta + np.linalg.solve(information, matrix.T @ (event - p))
        hits += abs(beta[1]) > 1.959964 * np.sqrt(np.linalg.inv(information)[1, 1])
    assert found.power == pytest.approx(hits / 2000, abs=0.05)


@pytest.mark.parametrize(
    ("odds_ratio", "exposure", "prevalence", "said"),
    [
        (1, [0, 1], 0.5, "other than 1"),
        (2, [1, 1], 0.5, "same in every patient"),
        (2, [0, 1], 0, "prevalence"),
    ],
)
def test_what_cannot_be_expected_is_refused(
    odds_ratio: float, exposure: list[int], prevalence: float, said: str
) -> None:
    with pytest.raises(StudyError, match=said):
        expect_odds_ratio(odds_ratio, np.array(exposure), prevalence)


def cohort(seed: int, n: int) -> pl.DataFrame:
    """Patients in whom fibromyalgia has odds ratio 4 and obesity 2; every ninth BMI unknown."""
    generator = np.random.default_rng(seed)
    fibromyalgia, obese = generator.random(n) < 0.25, generator.random(n) < 0.3
    risk = expit(-1.6 + math.log(4) * fibromyalgia + math.log(2) * obese)
    met = np.where(generator.random(n) < risk, "met", "not_met")
    known = (
        pl.Series(obese)
        .to_frame("obese")
        .with_columns(obese=pl.when(pl.int_range(pl.len()) % 9 > 0).then("obese"))
    )
    kinds = {"number": pl.Float64, "yes_no": pl.Boolean, "category": pl.String}
    others = [
        pl.lit(None, kinds[row.coding]).alias(row.name)
        for row in load_plan().rows_of("table_1")
        if row.name not in ("obese", "fibromyalgia")
    ]
    return known.with_columns(
        *others,
        site=pl.lit("s"),
        patient_id=pl.lit(str(seed)) + pl.int_range(pl.len()).cast(pl.String),
        fibromyalgia=pl.Series(fibromyalgia),
        eular_2021=pl.Series(met),
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Validated:
    path = tmp_path_factory.mktemp("study") / "s.yaml"
    cohorts = ", ".join(f"{{name: {name}}}" for name in ("audit", "extension", "full"))
    path.write_text(
        f"title: T\nsites: [demo]\ncohorts: [{cohorts}]\ndefinitions: [eular_2021]\nseed: 1\n"
        "validation: {resamples: 10, thresholds: [0.1, 0.2, 0.9]}\n"
    )
    study = load_study(str(path))
    sets = {"audit": cohort(1, 95), "extension": cohort(2, 627)}
    sets["full"] = pl.concat([sets["audit"], sets["extension"]])
    stated = {"name": "fibromyalgia", "expected_odds_ratio": {"value": 3.91, "source": "Luciano 2025"}}
    section = {"name": "risk_factors", "method": "firth", "factors": [stated, "obese"]}
    plan = ModelPlan.model_validate({**section, "above_budget": "report_as_exploratory"})
    facts = {"eular_2021": {"refused": {}}}
    validations = {
        name: {
            "risk_factors": validate_every_outcome(
                plan, ["eular_2021"], name, sets, facts, study.validation, 1
            )
        }
        for name in sets
    }
    definition = type("Definition", (), {"name": "eular_2021", "title": "EULAR 2021"})()
    return Validated(study, load_plan(), definition, sets, {"risk_factors": plan}, validations, True)


def cell(table: Table, row: str, level: str | None, column: str) -> str:
    texts = formatted(table.cells).filter(
        pl.col("row").str.starts_with(row), pl.col("level").eq_missing(level)
    )
    return texts[column].item()


def test_the_table_sets_apparent_corrected_and_carried_side_by_side_and_says_exploratory(
    results: Validated,
) -> None:
    table, facts = validation(results), results.validations["audit"]["risk_factors"]["eular_2021"]
    row = "risk_factors (exploratory), made from audit"
    assert "(exploratory)" in table.title
    assert any("below 500" in note for note in table.footnotes)
    assert any(note.startswith("Synthetic data") for note in table.footnotes)
    corrected = facts["optimism_corrected"]
    assert cell(table, row, "c-statistic", "Corrected for optimism").startswith(
        f"{corrected['c_statistic']:.2f} ("
    )
    elsewhere = facts["transport"]["extension"]
    assert cell(table, row, "c-statistic", "In extension").startswith(f"{elsewhere['c_statistic']:.2f} (")
    assert cell(table, row, "Resamples", "Optimism") == "10"
    assert cell(table, row, "Left out: a factor unknown", "In extension") == "70"
    assert cell(table, "risk_factors, made from full", "c-statistic", "In extension") == ""


def test_every_number_of_the_chapter_says_which_small_count_it_would_give_away(results: Validated) -> None:
    for table in (validation(results), calibration(results), decision_curve(results)):
        estimates = table.cells.filter(
            pl.col("kind").is_in(["estimate", "number"]), ~pl.col("level").str.starts_with("Resamples")
        )
        assert estimates.height
        assert estimates["smallest"].null_count() == 0
        exposed = table.cells.with_columns(smallest=pl.lit(3))
        released = disclose(exposed, load_profile("opensafely"))
        assert released["estimate"].null_count() == released.height


def test_the_other_cohorts_are_compared_with_the_first_and_shared_patients_are_not(
    results: Validated,
) -> None:
    assert results.others == ["extension"]
    table = comparability(results)
    assert table.title == "Comparability of audit and extension"
    assert cell(table, "Patients", None, "extension") == "627"
    gap = table.cells.filter(row="Fibromyalgia", column="Standardised difference")["estimate"].item()
    shares = [results.analysis_sets[name]["fibromyalgia"].mean() for name in ("audit", "extension")]
    spread = math.sqrt(sum(share * (1 - share) for share in shares) / 2)
    assert gap == pytest.approx(abs(shares[0] - shares[1]) / spread)


def test_a_stated_odds_ratio_has_its_expected_interval_its_power_and_its_source(results: Validated) -> None:
    table = what_the_extension_can_show(results)
    assert set(table.cells["row"]) == {"Fibromyalgia"}
    members = results.analysis_sets["extension"]
    found = expect_odds_ratio(
        3.91, members["fibromyalgia"].cast(float).to_numpy(), (members["eular_2021"] == "met").mean()
    )
    assert cell(table, "Fibromyalgia", "in extension", "Power at 5 %, %") == f"{100 * found.power:.2f}"
    interval = f"3.91 ({found.ci_low:.2f}–{found.ci_high:.2f})"
    assert cell(table, "Fibromyalgia", "in extension", "Expected 95 % interval") == interval
    assert cell(table, "Fibromyalgia", "in extension", "Stated in") == "Luciano 2025"


@pytest.mark.parametrize("name", ["calibration", "decision_curve", "comparability"])
def test_the_figures_draw_what_is_released_and_leave_out_what_is_held_back(
    results: Validated, name: str
) -> None:
    build = {"calibration": calibration, "decision_curve": decision_curve, "comparability": comparability}[
        name
    ]
    for profile in ("local_audit", "opensafely"):
        cells = disclose(build(results).cells, load_profile(profile))
        figure = FIGURES[name].draw({name: cells}, load_style())
        assert figure.axes
    everything = cells.with_columns(pl.lit(None, pl.Float64).alias(c) for c in ("estimate", "low", "high"))
    assert FIGURES[name].draw({name: everything}, load_style()).axes


def test_thresholds_are_risks() -> None:
    with pytest.raises(ValueError, match="less than 1"):
        ValidationPlan(thresholds=[20])
