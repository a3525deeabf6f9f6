"""Do 95 % limits hold the truth in 95 % of audits? Simulated audits of 95 patients, beside R's logistf on its own.

`--long` simulates 10,000 instead of 1,000. Ends with 1 where a figure is missed.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # threads only slow problems of this size down

import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from d2tra.models.firth import fit_firth

SEED = 20240424
REFERENCE = Path(__file__).parents[1] / "tests" / "data" / "reference"
PATIENTS = 95
PREVALENCES = np.array([0.7, 0.4, 0.2])
TRUTH = np.log([1.0, 2.0, 4.0])
INTERCEPT = -2.65296845827049  # 12 events are expected (sim_coverage.json)
COVERAGE, BIAS = (0.94, 0.97), 0.07  # what is to be reached


class Term(NamedTuple):
    """How one factor fared over all audits; bias, error and width on the log odds scale."""

    coverage: float
    coverage_error: float  # Monte-Carlo standard error
    bias: float
    bias_error: float
    width: float


class Simulation(NamedTuple):
    """A Term per factor, and the audits in which nothing, or a limit, could not be had."""

    terms: list[Term]
    n_failed: int
    mean_events: float


def simulate(n_audits: int, seed: int = SEED) -> Simulation:
    """Returns how Firth's estimates and profile limits fare in audits whose truth is known."""
    generator = np.random.default_rng(seed)
    estimates, covered, widths = [], [], []
    n_failed = n_events = 0
    for _ in range(n_audits):
        factors = (generator.random((PATIENTS, len(TRUTH))) < PREVALENCES).astype(float)
        event = generator.random(PATIENTS) < expit(INTERCEPT + factors @ TRUTH)
        n_events += int(event.sum())
        try:
            found = fit_firth(np.column_stack([np.ones(PATIENTS), factors]), event)
        except np.linalg.LinAlgError:
            n_failed += 1
            continue
        low, high = found.ci_low[1:], found.ci_high[1:]
        if not found.converged or not np.isfinite([low, high]).all():
            n_failed += 1
            continue
        estimates.append(found.estimate[1:])
        covered.append((low <= TRUTH) & (high >= TRUTH))
        widths.append(high - low)
    n = len(estimates)
    share, mean = np.mean(covered, axis=0), np.mean(estimates, axis=0)
    columns = [
        share,
        np.sqrt(share * (1 - share) / n),
        mean - TRUTH,
        np.std(estimates, axis=0, ddof=1) / np.sqrt(n),
        np.mean(widths, axis=0),
    ]
    return Simulation(
        [Term(*map(float, row)) for row in zip(*columns, strict=True)], n_failed, n_events / n_audits
    )


def misses(found: Simulation) -> list[str]:
    """Returns a sentence per figure that is not reached."""
    said = [f"{found.n_failed} failed audits"] if found.n_failed else []
    for odds_ratio, term in zip(np.exp(TRUTH), found.terms, strict=True):
        if not COVERAGE[0] <= term.coverage <= COVERAGE[1]:
            said.append(f"odds ratio {odds_ratio:.0f}: coverage {term.coverage:.4f} is outside {COVERAGE}")
        if not abs(term.bias) < BIAS:
            said.append(f"odds ratio {odds_ratio:.0f}: bias {term.bias:+.4f}, {BIAS} allowed")
    return said


def main() -> int:
    n_audits = 10_000 if "--long" in sys.argv[1:] else 1_000
    of_r = "sim_coverage_10000.json" if n_audits == 10_000 else "sim_coverage.json"
    started = time.perf_counter()
    found = simulate(n_audits)
    seconds = time.perf_counter() - started
    print(f"{n_audits:,} simulated audits of {PATIENTS} patients, {found.mean_events:.2f} events on average;")
    print(f"seed {SEED}, {seconds:.1f} s. R: logistf 1.26.1, as many audits of its own ({of_r}).\n")
    print(f"{'true OR':>8} {'':5} {'coverage':>9} {'± MC':>7} {'bias':>8} {'± MC':>7} {'width':>6}")
    theirs = [result["firth_profile"] for result in json.loads((REFERENCE / of_r).read_text())["results"]]
    for odds_ratio, term, r in zip(np.exp(TRUTH), found.terms, theirs, strict=True):
        print(
            f"{odds_ratio:8.0f} {'here':5} {term.coverage:9.4f} {term.coverage_error:7.4f} {term.bias:+8.4f} "
            f"{term.bias_error:7.4f} {term.width:6.3f}"
        )
        print(
            f"{'':8} {'R':5} {r['coverage']:9.4f} {r['mc_se']:7.4f} {r['bias']:+8.4f} "
            f"{r['rmse'] / n_audits**0.5:7.4f} {r['mean_width']:6.3f}"
        )
    print(f"\nfailed audits: {found.n_failed}")
    missed = misses(found)
    for sentence in missed:
        print(f"MISSED: {sentence}")
    if not missed:
        print(f"reached: coverage within {COVERAGE[0]}–{COVERAGE[1]}, |bias| below {BIAS}, no failed audit")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
