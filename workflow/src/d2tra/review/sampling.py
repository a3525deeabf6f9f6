"""Which charts a person reads: a stratified random sample whose inclusion probabilities are known."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from d2tra.errors import StudyError

PATIENT = ["site", "patient_id"]
# The group of a patient is the first that fits; with the label it makes the stratum.
GROUPS = ("discordant", "near the cut-off", "rest")
UNJUDGED = "not_assessable"
CRITERION = "criterion "


class Sizes(NamedTuple):
    """How many charts are asked for: of all assessable patients, on top of them near a cut-off and discordant, and of
    those who are not assessable."""

    random: int
    near: int
    discordant: int
    not_assessable: int


def place_in_strata(
    analysis_set: pl.DataFrame, scores: pl.DataFrame, definitions: Sequence[str]
) -> pl.DataFrame:
    """Returns site, patient_id, judged_at, label, stratum: the members whom the primary (first) definition judges.

    `analysis_set`: site, patient_id, index_date and a column per definition; `scores`: site, patient_id, visit_date,
    near_cutoff. Strata: `not_assessable`; else the group and the label. Discordant: more of the other definitions give
    another label than in the median patient of the same label. Near the cut-off: DAS28 at the index date nearer to one
    than config/scores.yaml says. judged_at: the index date; for a patient never seen the latest one of the site, so
    that the day tells nothing. Sorted by site and patient_id.
    """
    primary, others = definitions[0], definitions[1:]
    near = scores.group_by(*PATIENT, index_date="visit_date").agg(near=pl.col("near_cutoff").any())
    n_differing = pl.sum_horizontal(
        pl.lit(0),
        *(pl.col(name).is_in(["met", "not_met"]) & (pl.col(name) != pl.col(primary)) for name in others),
    )
    # A patient without a verdict of another definition does not differ from it: unknown is no discordance.
    group = (
        pl.when(pl.col("n_differing") > pl.col("n_differing").median().over(primary))
        .then(pl.lit(GROUPS[0]))
        .when(pl.col("near").fill_null(False))
        .then(pl.lit(GROUPS[1]))
        .otherwise(pl.lit(GROUPS[2]))
    )
    members = analysis_set.filter(pl.col(primary).is_not_null())
    return (
        members.join(near, on=[*PATIENT, "index_date"], how="left", validate="m:1")
        .with_columns(n_differing=n_differing)
        .with_columns(
            judged_at=pl.col("index_date").fill_null(pl.col("index_date").max().over("site")),
            label=pl.col(primary),
            stratum=pl.when(pl.col(primary) == UNJUDGED)
            .then(pl.lit(UNJUDGED))
            .otherwise(pl.concat_str(group, pl.lit(", "), primary)),
        )
        .select(*PATIENT, "judged_at", "label", "stratum")
        .sort(PATIENT)
    )


def allocate(counts: Mapping[str, int], sizes: Sizes) -> dict[str, int]:
    """Returns stratum → number of charts, none of them zero nor above the stratum's count.

    The random part: one chart for each stratum, the others shared out between met and not met by the square root of
    their counts (the rare label is read more densely), within a label in proportion. The additional charts near the
    cut-off and discordant: between their labels by the square root of what is left. StudyError where the random part is
    too small for one chart per stratum, or nobody is there.
    """
    known = {name: n for name, n in counts.items() if name != UNJUDGED and n}
    if not counts:
        raise StudyError(
            "the cohort has no member whom the study's primary definition judges: nothing to review."
        )
    if sizes.random < len(known):
        raise StudyError(
            f"--random {sizes.random}: too few, because each of {len(known)} strata needs a chart. Ask for {len(known)} or more."
        )
    of_label = {
        label: sum(n for name, n in known.items() if name.endswith(f", {label}"))
        for label in ("met", "not_met")
    }
    density = {name: n / math.sqrt(of_label[name.split(", ")[1]]) for name, n in known.items()}
    drawn = _hand_out(sizes.random, known, density, dict.fromkeys(known, 1))
    for group, extra in ((GROUPS[1], sizes.near), (GROUPS[0], sizes.discordant)):
        left = {name: known[name] - drawn[name] for name in known if name.startswith(group)}
        more = _hand_out(
            extra, left, {name: math.sqrt(n) for name, n in left.items()}, dict.fromkeys(left, 0)
        )
        drawn |= {name: drawn[name] + n for name, n in more.items()}
    if counts.get(UNJUDGED):
        drawn[UNJUDGED] = min(max(sizes.not_assessable, 1), counts[UNJUDGED])
    return drawn


def draw_sample(placed: pl.DataFrame, sizes: Sizes, seed: int) -> pl.DataFrame:
    """Returns the charts to read, in random order: review_number (1, 2, …), the columns of `placed`, n_in_stratum,
    n_drawn and inclusion_probability = n_drawn / n_in_stratum. The same seed and patients give the same sample."""
    counts = dict(placed.group_by("stratum", maintain_order=True).len().sort("stratum").rows())
    drawn = allocate(counts, sizes)
    luck = np.random.default_rng(seed).random((2, placed.height))
    sample = placed.sort(PATIENT).with_columns(
        n_in_stratum=pl.col("stratum").replace_strict(counts, return_dtype=pl.Int64),
        n_drawn=pl.col("stratum").replace_strict(drawn, return_dtype=pl.Int64),
        luck=pl.Series(luck[0]),
        order=pl.Series(luck[1]),
    )
    return (
        sample.filter(pl.col("luck").rank("ordinal").over("stratum") <= pl.col("n_drawn"))
        .sort("order")
        .with_columns(inclusion_probability=pl.col("n_drawn") / pl.col("n_in_stratum"))
        .drop("luck", "order")
        .select(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("review_number"), pl.all())
    )


def add_criteria(
    sample: pl.DataFrame, evidence: pl.DataFrame, definition: str, criteria: Sequence[str]
) -> pl.DataFrame:
    """Returns the sample with a column `criterion <id>` (met, not_met, unknown) for each criterion asked about.

    `evidence`: site, patient_id, definition, criterion, met. A criterion that the study dropped is unknown.
    """
    verdict = pl.when("met").then(pl.lit("met")).when(~pl.col("met")).then(pl.lit("not_met"))
    of_definition = evidence.filter(pl.col("definition") == definition).with_columns(verdict.alias("verdict"))
    for criterion in criteria:
        judged = of_definition.filter(pl.col("criterion") == criterion)
        judged = judged.select(*PATIENT, pl.col("verdict").alias(CRITERION + criterion))
        sample = sample.join(judged, on=PATIENT, how="left", validate="1:1", maintain_order="left")
    return sample.with_columns(pl.col(CRITERION + criterion).fill_null("unknown") for criterion in criteria)


def labels_sha256(placed: pl.DataFrame) -> str:
    """Returns the fingerprint of the labels (and the days they hold for) that a sample was drawn from."""
    labels = placed.select(*PATIENT, "judged_at", "label").sort(PATIENT)
    return hashlib.sha256(labels.write_csv().encode("utf-8")).hexdigest()


def _hand_out(
    places: int, room: Mapping[str, int], weight: Mapping[str, float], given: dict[str, int]
) -> dict[str, int]:
    """The places one by one, each to the stratum that has least for its weight and still has room."""
    given = dict(given)
    while sum(given.values()) < min(places, sum(room.values())):
        open_strata = [name for name in sorted(room) if given[name] < room[name]]
        chosen = max(open_strata, key=lambda name: weight[name] / (given[name] + 0.5))
        given[chosen] += 1
    return given
