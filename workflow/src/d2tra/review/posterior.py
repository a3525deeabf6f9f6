"""What a sample of charts tells of the whole cohort: estimates weighted by design, and what the unread charts may hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from d2tra.estimates import Interval

DRAWS = 100_000
METHOD = (
    "Each stratum weighted by its count. 95 % limits of the cohort at hand: what the undecided charts of a stratum hold is "
    "beta-binomial (Jeffreys prior of each label, shared out to its strata by their counts), equal-tailed, mid-P, "
    "by simulation."
)
Totals = Mapping[str, np.ndarray]
Measure = Callable[[Totals], np.ndarray]


def merge_undecided(strata: pl.DataFrame) -> pl.DataFrame:
    """Returns the strata with each of which no chart was decided put to the largest decided one of its label.

    Columns: stratum, label, n (patients), n_decided, n_yes. A label without any decided chart keeps its strata.
    """
    decided = pl.col("n_decided") > 0
    host = (
        strata.filter(decided)
        .sort("n", "stratum", descending=[True, False])
        .group_by("label", maintain_order=True)
        .agg(host=pl.col("stratum").first())
    )
    return (
        strata.join(host, on="label", how="left", validate="m:1", maintain_order="left")
        .with_columns(stratum=pl.when(decided).then("stratum").otherwise(pl.coalesce("host", "stratum")))
        .group_by("stratum", "label", maintain_order=True)
        .agg(pl.col("n", "n_decided", "n_yes").sum())
    )


def weighted_totals(strata: pl.DataFrame) -> dict[str, np.ndarray]:
    """Returns the estimated number of patients by label and truth, `met yes`, `met no`, `not_met yes` …: each stratum's
    count times its share of yes among the decided; not a number where a label has a stratum without a decided chart."""
    n, n_decided, n_yes = (strata[name].to_numpy().astype(float) for name in ("n", "n_decided", "n_yes"))
    with np.errstate(invalid="ignore"):
        yes = np.where(n_decided > 0, n * n_yes / n_decided, np.nan)
    return _by_label(strata, yes[None, :])


def draw_totals(strata: pl.DataFrame, seed: int, draws: int = DRAWS) -> dict[str, np.ndarray]:
    """Returns `draws` possible numbers of patients by label and truth, given the decided charts; keys as above.

    Only the undecided charts are uncertain, so that a stratum read to its end varies no more.
    """
    n, n_decided, n_yes = (strata[name].to_numpy() for name in ("n", "n_decided", "n_yes"))
    # Jeffreys' half a yes and half a no belong to the label, however many strata it is cut into.
    prior = strata.select(0.5 * pl.col("n") / pl.col("n").sum().over("label")).to_series().to_numpy()
    random = np.random.default_rng(seed)
    share = random.beta(n_yes + prior, n_decided - n_yes + prior, size=(draws, len(n)))
    return _by_label(strata, n_yes + random.binomial(n - n_decided, share))


def mid_interval(values: np.ndarray, estimate: float) -> Interval:
    """Returns the estimate with the equal-tailed 95 % limits of simulated values, half of a tied value counting as beyond.

    The limits never exclude the estimate. All None where the estimate, or any value, is not a number.
    """
    if not np.isfinite(estimate) or not np.isfinite(values).any():
        return Interval(None, None, None)
    found, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    low = found[min(int(np.searchsorted(middle, 0.025)), len(found) - 1)]
    high = found[max(int(np.searchsorted(middle, 0.975, side="right")) - 1, 0)]
    return Interval(float(estimate), float(min(low, estimate)), float(max(high, estimate)))


def estimate_measure(measure: Measure, strata: pl.DataFrame, drawn: Totals) -> Interval:
    """Returns a measure of the whole cohort from the reviewed charts of its strata; see METHOD."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return mid_interval(measure(drawn), float(measure(weighted_totals(strata))[0]))


def _by_label(strata: pl.DataFrame, yes: np.ndarray) -> dict[str, np.ndarray]:
    totals = {}
    for label in ("met", "not_met", "not_assessable"):
        of_label = (strata["label"] == label).to_numpy()
        totals[f"{label} yes"] = yes[:, of_label].sum(axis=1).astype(float)
        totals[f"{label} no"] = strata.filter(pl.col("label") == label)["n"].sum() - totals[f"{label} yes"]
    return totals


def sensitivity(t: Totals) -> np.ndarray:
    """Labelled met among the patients whom the review calls D2T, of those who could be labelled."""
    return t["met yes"] / (t["met yes"] + t["not_met yes"])


def specificity(t: Totals) -> np.ndarray:
    """Labelled not met among those whom the review calls not D2T."""
    return t["not_met no"] / (t["not_met no"] + t["met no"])


def positive_predictive(t: Totals) -> np.ndarray:
    """D2T by review among those labelled met."""
    return t["met yes"] / (t["met yes"] + t["met no"])


def negative_predictive(t: Totals) -> np.ndarray:
    """Not D2T by review among those labelled not met."""
    return t["not_met no"] / (t["not_met yes"] + t["not_met no"])


def prevalence_assessable(t: Totals) -> np.ndarray:
    """D2T by review among those who could be labelled: the prevalence corrected for misclassification."""
    return (t["met yes"] + t["not_met yes"]) / sum(
        t[f"{label} {truth}"] for label in ("met", "not_met") for truth in ("yes", "no")
    )


def prevalence_all(t: Totals) -> np.ndarray:
    """D2T by review among all members, those who could not be labelled among them."""
    return (t["met yes"] + t["not_met yes"] + t["not_assessable yes"]) / sum(t.values())


def cohen_kappa(t: Totals) -> np.ndarray:
    """Cohen's kappa of label and review over all who could be labelled."""
    agreed, labelled, judged = _shares(t)
    chance = labelled * judged + (1 - labelled) * (1 - judged)
    return (agreed - chance) / (1 - chance)


def gwet_ac1(t: Totals) -> np.ndarray:
    """Gwet's AC1 of label and review over all who could be labelled."""
    agreed, labelled, judged = _shares(t)
    yes = (labelled + judged) / 2
    chance = 2 * yes * (1 - yes)
    return (agreed - chance) / (1 - chance)


def _shares(t: Totals) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = t["met yes"] + t["met no"] + t["not_met yes"] + t["not_met no"]
    return (t["met yes"] + t["not_met no"]) / n, (t["met yes"] + t["met no"]) / n, prevalence_assessable(t)
