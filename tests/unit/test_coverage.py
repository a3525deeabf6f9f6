"""The coverage simulation in small; benchmarks/coverage.py runs it in full, with the figures to be reached."""

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "data" / "reference"
R = json.loads((REFERENCE / "sim_coverage_10000.json").read_text())
# by its path: as a module it would stand before the package of that name
SPEC = importlib.util.spec_from_file_location("benchmark_of_coverage", ROOT / "benchmarks" / "coverage.py")
benchmark = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(benchmark)
Simulation, Term, misses, simulate = (
    benchmark.Simulation,
    benchmark.Term,
    benchmark.misses,
    benchmark.simulate,
)


def test_the_simulated_audits_are_those_of_the_reference() -> None:
    """And so in the run of 1,000."""
    for name in ("sim_coverage.json", "sim_coverage_10000.json"):
        meta = json.loads((REFERENCE / name).read_text())["meta"]
        assert (meta["n"], meta["prevalences"], meta["intercept"]) == (
            benchmark.PATIENTS,
            benchmark.PREVALENCES.tolist(),
            benchmark.INTERCEPT,
        )
        np.testing.assert_allclose(np.exp(benchmark.TRUTH), meta["OR"])


@pytest.mark.slow
def test_a_hundred_audits_cover_and_miss_as_those_of_logistf_do_within_three_monte_carlo_errors() -> None:
    found = simulate(100)
    assert found.n_failed == 0
    assert found.mean_events == pytest.approx(R["meta"]["mean_events"], abs=3 * math.sqrt(12 / 100))
    for term, theirs in zip(found.terms, (result["firth_profile"] for result in R["results"]), strict=True):
        error = math.sqrt(theirs["coverage"] * (1 - theirs["coverage"]) / 100)
        assert abs(term.coverage - theirs["coverage"]) < 3 * math.hypot(error, theirs["mc_se"])
        assert abs(term.bias - theirs["bias"]) < 3 * theirs["rmse"] * math.sqrt(1 / 100 + 1 / 10_000)
        assert term.width == pytest.approx(theirs["mean_width"], rel=0.1)


def test_the_same_seed_simulates_the_same_audits_and_another_others() -> None:
    assert simulate(3) == simulate(3)
    assert simulate(3, seed=1) != simulate(3)


def test_each_figure_that_is_missed_is_named() -> None:
    good = Term(0.955, 0.002, 0.01, 0.007, 3.0)
    assert misses(Simulation([good] * 3, 0, 12.0)) == []
    assert (
        misses(Simulation([good._replace(coverage=0.94), good, good._replace(coverage=0.97)], 0, 12.0)) == []
    )
    assert misses(Simulation([good, good._replace(coverage=0.9399), good], 0, 12.0)) == [
        "odds ratio 2: coverage 0.9399 is outside (0.94, 0.97)"
    ]
    assert misses(Simulation([good, good, good._replace(bias=-0.07)], 2, 12.0)) == [
        "2 failed audits",
        "odds ratio 4: bias -0.0700, 0.07 allowed",
    ]
