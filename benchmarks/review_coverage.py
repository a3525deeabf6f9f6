"""Do the intervals of the chart review hold the truth 95 times in 100? Simulated cohorts of known truth, per scenario.

Each replicate gives every patient of a cohort a true status, draws charts as `d2tra review-sample` does, lets the
reviewers be right, and asks whether the interval holds what is true of that cohort. Counts of the strata are those of
the synthetic demo; the charts of a title come with a few of the not assessable. In a scenario `varied` the strata's
shares of yes differ from replicate to replicate (met: mean 0.8; not met: 0.05; not assessable: 0.3).
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import polars as pl

from d2tra.review import posterior
from d2tra.review.sampling import GROUPS, UNJUDGED, Sizes, allocate

SEED = 20240424
DRAWS = 4_000  # per interval; the pipeline takes more
MEASURES = {
    "prevalence": posterior.prevalence_assessable,
    "of all members": posterior.prevalence_all,
    "sensitivity": posterior.sensitivity,
    "PPV": posterior.positive_predictive,
}
STRATA = [(f"{group}, {label}", label) for label in ("met", "not_met") for group in GROUPS]
STRATA.append((UNJUDGED, UNJUDGED))
# discordant, near, rest: of the met, of the not met; not assessable
AUDIT, FULL = [6, 0, 6, 27, 12, 40, 4], [45, 0, 53, 227, 35, 327, 35]
USUAL, POOR, RARE = (
    [0.8, 0.7, 0.95, 0.06, 0.08, 0.02, 0.3],
    [0.6, 0.5, 0.8, 0.2, 0.2, 0.08, 0.3],
    [0.9, 0.8, 0.95, 0.02, 0.02, 0.005, 0.3],
)


class Scenario(NamedTuple):
    """A cohort by stratum, how many charts are read of it, and the share of yes per stratum (None: varied)."""

    counts: list[int]
    sizes: Sizes
    shares: list[float] | None


SCENARIOS = {
    "95 patients, 30 charts, labels usual": Scenario(AUDIT, Sizes(20, 5, 5, 2), USUAL),
    "95 patients, 30 charts, labels poor": Scenario(AUDIT, Sizes(20, 5, 5, 2), POOR),
    "95 patients, 30 charts, varied": Scenario(AUDIT, Sizes(20, 5, 5, 2), None),
    "95 patients, 60 charts, labels poor": Scenario(AUDIT, Sizes(40, 10, 10, 2), POOR),
    "95 patients, 60 charts, varied": Scenario(AUDIT, Sizes(40, 10, 10, 2), None),
    "722 patients, 60 charts, labels usual": Scenario(FULL, Sizes(30, 15, 15, 10), USUAL),
    "722 patients, 60 charts, labels poor": Scenario(FULL, Sizes(30, 15, 15, 10), POOR),
    "722 patients, 60 charts, varied": Scenario(FULL, Sizes(30, 15, 15, 10), None),
    "722 patients, 80 charts, labels usual": Scenario(FULL, Sizes(40, 20, 20, 10), USUAL),
    "722 patients, 80 charts, errors rare": Scenario(FULL, Sizes(40, 20, 20, 10), RARE),
    "722 patients, 80 charts, varied": Scenario(FULL, Sizes(40, 20, 20, 10), None),
    "722 patients, 200 charts, labels usual": Scenario(FULL, Sizes(140, 30, 30, 10), USUAL),
}


def cover(scenario: Scenario, replicates: int, seed: int = SEED) -> dict[str, tuple[float, float]]:
    """Returns measure → share of replicates whose interval holds the truth, and the interval's mean width (0–1)."""
    random = np.random.default_rng(seed)
    present = [i for i, count in enumerate(scenario.counts) if count]
    strata = pl.DataFrame(
        {
            "stratum": [STRATA[i][0] for i in present],
            "label": [STRATA[i][1] for i in present],
            "n": [scenario.counts[i] for i in present],
        }
    )
    drawn = allocate(dict(strata.select("stratum", "n").rows()), scenario.sizes)
    n, n_decided = strata["n"].to_numpy(), np.array([drawn[name] for name in strata["stratum"]])
    held: dict[str, list[bool]] = {name: [] for name in MEASURES}
    widths: dict[str, list[float]] = {name: [] for name in MEASURES}
    for replicate in range(replicates):
        shares = scenario.shares or [*random.beta(8, 2, 3), *random.beta(1, 19, 3), random.beta(3, 7)]
        truth = random.binomial(n, np.array(shares)[present])
        read = strata.with_columns(
            n_decided=pl.Series(n_decided),
            n_yes=pl.Series(random.hypergeometric(truth, n - truth, n_decided)),
        )
        whole = posterior.weighted_totals(strata.with_columns(n_decided="n", n_yes=pl.Series(truth)))
        possible = posterior.draw_totals(read, seed + replicate, DRAWS)
        for name, measure in MEASURES.items():
            _, low, high = posterior.estimate_measure(measure, read, possible)
            true_value = float(measure(whole)[0])
            if low is None or high is None or not np.isfinite(true_value):
                continue
            held[name].append(low - 1e-9 <= true_value <= high + 1e-9)
            widths[name].append(high - low)
    return {name: (float(np.mean(held[name])), float(np.mean(widths[name]))) for name in MEASURES}


def main(replicates: int) -> None:
    """Prints coverage in percent (and mean width in points) per scenario."""
    print(f"{replicates} simulated cohorts per scenario, seed {SEED}; nominal 95 %")
    print(f"{'':42}" + "".join(f"{name:>16}" for name in MEASURES))
    for title, scenario in SCENARIOS.items():
        found = cover(scenario, replicates)
        cells = (f"{100 * covered:.1f} ({100 * width:.1f})" for covered, width in found.values())
        print(f"{title:42}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
