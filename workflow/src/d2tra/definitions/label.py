"""From facts to labels: every patient judged by every definition at every visit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, get_args

import polars as pl

from d2tra.config import Policy, Study
from d2tra.definitions.criteria import Criterion
from d2tra.definitions.definition import Definition, load_definition
from d2tra.definitions.drug_criteria import UNKNOWN, CountsFailures, count_failures
from d2tra.definitions.evidence import collect_evidence, judge_leaves, leaves_of
from d2tra.definitions.facts import (
    KEY,
    Choices,
    Facts,
    gather_facts,
    is_first_of_patient,
    latest_date,
    of_patient,
    up_to_cut,
)
from d2tra.definitions.leaf import Leaf
from d2tra.definitions.visit_criteria import Problematic
from d2tra.scores import score_visits
from d2tra.treatment import trace_courses

Extract = Mapping[str, pl.DataFrame | None]
Definitions = Iterable[str | Path | Mapping[str, Any] | Definition]
POLICIES: tuple[Policy, ...] = get_args(Policy)
LABEL_COLUMNS = (
    "patient_id",
    "definition",
    "index_date",
    "status",
    "first_met_date",
    "n_failed_mechanisms",
    "n_failed_drugs",
    "n_failures_presumed",
    "hangs_on_presumed",
)


class Labelled(NamedTuple):
    """labels: one row per patient and definition. evidence: one row per patient, definition and criterion."""

    labels: pl.DataFrame
    evidence: pl.DataFrame


def label(
    extract: Extract,
    definition: str | Path | Mapping[str, Any] | Definition,
    study: Study | Mapping[str, Any] | None = None,
    records_glucocorticoids: bool | None = None,
) -> Labelled:
    """Returns the labels and evidence of one definition, from canonical tables.

    `extract`: table name → frame with canonical column names (patients, visits, treatments; labs and imaging where the
    site has them; absent optional columns are unknown). `definition`: name, path, mapping or Definition. `study`: a
    study, or a mapping with data_cut_date, if_criterion_3_unrecorded, severity_score. `records_glucocorticoids`: what
    the site's mapping says. Columns: see `label_patients`. Raises StudyError.
    """
    choices = Choices.of(study)
    tables = up_to_cut(extract, choices.data_cut_date)
    cut = choices.data_cut_date or latest_date(tables)
    treatments = tables.get("treatments")
    courses = None if treatments is None else trace_courses(treatments, cut)
    scores = score_visits(tables["visits"], tables.get("labs"), tables["patients"])
    return label_patients(
        tables, courses, scores, [definition], choices.model_dump(), records_glucocorticoids
    )


def label_patients(
    extract: Extract,
    courses: pl.DataFrame | None,
    scores: pl.DataFrame,
    definitions: Definitions,
    study: Study | Mapping[str, Any] | None = None,
    records_glucocorticoids: bool | None = None,
) -> Labelled:
    """Returns the labels and evidence of all definitions, each for the patients of its disease.

    labels: patient_id, definition, index_date (last visit up to the cut; null without one), status (met, not_met,
    not_assessable) at that date, first_met_date (null = at no visit), n_failed_mechanisms, n_failed_drugs,
    n_failures_presumed (null without index date or without treatments), hangs_on_presumed (met, but not without
    presumed failures). evidence: see `collect_evidence`; of all patients, unless the study's `evidence` says otherwise.
    Sorted by patient, then in the order of `definitions`.
    """
    facts = gather_facts(extract, courses, scores, Choices.of(study), records_glucocorticoids)
    loaded = [load_definition(definition) for definition in definitions]
    return labels_of(facts, judge_definitions(facts, loaded), loaded)


def labels_of(facts: Facts, judged: Judged, definitions: list[Definition]) -> Labelled:
    """Returns what `label_patients` does, from facts gathered and judged before."""
    labels = pl.concat(_labels(facts, judged, definitions)).sort("patient_id", maintain_order=True)
    met = labels.filter(pl.col("status") == "met")["patient_id"].unique()
    of = {"all": facts.patients["patient_id"], "met_only": met, "none": met.clear()}[facts.choices.evidence]
    return Labelled(facts.named(labels), collect_evidence(facts, definitions, of))


def label_visits(
    extract: Extract,
    courses: pl.DataFrame | None,
    scores: pl.DataFrame,
    definitions: Definitions,
    study: Study | Mapping[str, Any] | None = None,
    records_glucocorticoids: bool | None = None,
) -> pl.DataFrame:
    """Returns patient_id, definition, evaluation_date, met (Boolean, null = not assessable): the verdict at every visit.

    Of every definition, for the patients of its disease who have a visit. Sorted by patient, then in the order of
    `definitions`, then by date. As many rows as visits × definitions: ask for those that are needed.
    """
    facts = gather_facts(extract, courses, scores, Choices.of(study), records_glucocorticoids)
    loaded = [load_definition(definition) for definition in definitions]
    return visits_of(facts, judge_definitions(facts, loaded), loaded)


def visits_of(facts: Facts, judged: Judged, definitions: list[Definition]) -> pl.DataFrame:
    """Returns what `label_visits` does, from facts gathered and judged before."""
    frames = [
        judged.verdicts.join(
            _patients_of(facts, definition), on="patient_id", how="semi", maintain_order="left"
        ).select(
            "patient_id",
            "evaluation_date",
            definition=pl.lit(definition.name),
            met=definition.name,
            rank=pl.lit(rank),
        )
        for rank, definition in enumerate(definitions)
    ]
    ordered = pl.concat(frames).sort("patient_id", "rank", maintain_order=True)
    return facts.named(ordered.select("patient_id", "definition", "evaluation_date", "met"))


def status_by_policy(
    extract: Extract,
    courses: pl.DataFrame | None,
    scores: pl.DataFrame,
    definitions: Definitions,
    study: Study | Mapping[str, Any] | None = None,
    records_glucocorticoids: bool | None = None,
    rules: Mapping[str, Any] | None = None,
) -> pl.DataFrame:
    """Returns patient_id, definition, criterion_3_policy, status at the index date under each of the four policies, and
    criterion_3_recorded (a flag is recorded; null without index date, or where the definition has no such criterion).

    `rules`: changes to config/exposure.yaml, by which `courses` were traced. Sorted by patient, then definition and policy
    in their order.
    """
    facts = gather_facts(extract, courses, scores, Choices.of(study), records_glucocorticoids, rules)
    return policies_of(facts, [load_definition(definition) for definition in definitions])


def policies_of(facts: Facts, loaded: list[Definition]) -> pl.DataFrame:
    """Returns what `status_by_policy` does, from facts gathered before."""
    judged = judge_leaves(facts, facts.index_dates, leaves_of(loaded))
    under = {policy: _judge_problematic(facts, policy, loaded) for policy in POLICIES}
    recorded = judged.select("patient_id").hstack(under["unknown"].select(pl.all().is_not_null()))
    frames = []
    for policy in POLICIES:
        verdicts = judged.with_columns(under[policy]).select("patient_id", **_verdicts(facts, loaded))
        for rank, definition in enumerate(loaded):
            asked = [leaf.key for leaf in leaves_of([definition]) if isinstance(leaf, Problematic)]
            frames.append(
                of_patient(of_patient(_patients_of(facts, definition), verdicts), recorded).select(
                    "patient_id",
                    definition=pl.lit(definition.name),
                    criterion_3_policy=pl.lit(policy),
                    status=_status(pl.col(definition.name)),
                    criterion_3_recorded=pl.all_horizontal(asked)
                    if asked
                    else pl.lit(None, dtype=pl.Boolean),
                    rank=pl.lit(rank),
                )
            )
    return facts.named(pl.concat(frames).sort("patient_id", "rank", maintain_order=True).drop("rank"))


def _judge_problematic(facts: Facts, policy: Policy, definitions: list[Definition]) -> pl.DataFrame:
    """The verdict at the index date of the only criteria that hang on the policy: a column by their key."""
    choices = facts.choices.model_copy(update={"if_criterion_3_unrecorded": policy})
    leaves = [leaf for leaf in leaves_of(definitions) if leaf.asks_policy()]
    return judge_leaves(replace(facts, choices=choices), facts.index_dates, leaves).drop(KEY)


def _verdicts(facts: Facts, definitions: list[Definition]) -> dict[str, pl.Expr]:
    """The verdict of each definition, from the verdicts of its criteria; unknown if nothing is known of any drug."""
    if facts.courses is None:
        return {definition.name: pl.lit(None, dtype=pl.Boolean) for definition in definitions}
    return {definition.name: _verdict(definition.tree, definition) for definition in definitions}


def _verdict(tree: Criterion, definition: Definition) -> pl.Expr:
    return tree.met(lambda leaf: pl.col(leaf.key), frozenset(definition.optional))


class Judged(NamedTuple):
    """verdicts: patient_id, evaluation_date and the verdict of each definition, called by its name, at every visit.
    criteria: the verdict of each criterion, called by its key, at the index dates of those whom a definition may hold."""

    verdicts: pl.DataFrame
    criteria: pl.DataFrame


def judge_definitions(facts: Facts, definitions: list[Definition]) -> Judged:
    """Returns the verdicts of the definitions at every visit, and what they hang on at the index dates.

    What drug courses alone settle is settled first: the other criteria are asked at the visits that it leaves open.
    """
    leaves = leaves_of(definitions)
    of_courses = [leaf for leaf in leaves if _reads_courses_alone(leaf, facts)]
    judged = judge_leaves(facts, facts.dates, of_courses)
    known = {leaf.key for leaf in of_courses}
    names = [definition.name for definition in definitions]
    # nothing is left out as unknown yet: what is open stays open
    settled = judged.with_columns(
        definition.tree.met(lambda leaf: pl.col(leaf.key) if leaf.key in known else UNKNOWN, frozenset())
        .alias(definition.name)
        for definition in definitions
    ).select(names)  # fmt: skip
    may_hold = settled.select(pl.any_horizontal(pl.all().fill_null(True))).to_series()
    is_open = settled.select(pl.any_horizontal(pl.all().is_null())).to_series() | (may_hold & facts.is_index)
    others = [leaf for leaf in leaves if leaf.key not in known]
    asked = judge_leaves(facts, facts.dates.filter(is_open), others)
    asked = asked.hstack(judged.filter(is_open).drop(KEY))
    verdicts = asked.with_columns(**_verdicts(facts, definitions))
    place = is_open.arg_true()
    everywhere = facts.dates.hstack([settled[name].scatter(place, verdicts[name]) for name in names])
    return Judged(everywhere, asked.filter(facts.is_index.filter(is_open)))


def _reads_courses_alone(leaf: Leaf, facts: Facts) -> bool:
    return all(read.source.startswith("courses.") for read in leaf.reads(facts.choices))


def _labels(facts: Facts, judged: Judged, definitions: list[Definition]) -> Iterator[pl.DataFrame]:
    """Yields the labels of each definition, from its verdicts at every visit."""
    at_index = judged.verdicts.filter(facts.is_index).rename({"evaluation_date": "index_date"})
    recorded = _met_without_presumed(facts, judged.criteria, definitions)
    counts = {counting: _counts(facts, counting) for counting in {d.counting for d in definitions}}
    for definition in definitions:
        name = definition.name
        met = judged.verdicts.select(KEY).filter(judged.verdicts[name])
        first = met.filter(is_first_of_patient(met)).rename({"evaluation_date": "first_met_date"})
        labelled = _patients_of(facts, definition)
        for known in (
            at_index.select("patient_id", "index_date", met=name),
            first,
            counts[definition.counting],
            recorded.select("patient_id", recorded=name),
        ):
            labelled = of_patient(labelled, known)
        yield labelled.with_columns(
            definition=pl.lit(name),
            status=_status(pl.col("met")),
            hangs_on_presumed=pl.col("met").fill_null(False) & ~pl.col("recorded").fill_null(False),
        ).select(LABEL_COLUMNS)


def _met_without_presumed(
    facts: Facts, criteria: pl.DataFrame, definitions: list[Definition]
) -> pl.DataFrame:
    """patient_id, and by definition the verdict at the index date if no presumed failure counts. `criteria`: what is known
    of the others, of everybody who meets a definition."""
    trees = [definition.tree.without_presumed() for definition in definitions]
    leaves = {node.leaf.key: node.leaf for tree in trees for node in tree.walk() if node.leaf is not None}
    changed = [leaf for key, leaf in leaves.items() if key not in criteria.columns]
    judged = criteria.hstack(judge_leaves(facts, criteria.select(KEY), changed).drop(KEY))
    if facts.courses is None:
        return judged.select("patient_id", **{d.name: pl.lit(None, dtype=pl.Boolean) for d in definitions})
    verdicts = {d.name: _verdict(tree, d) for tree, d in zip(trees, definitions, strict=True)}
    return judged.select("patient_id", **verdicts)


def _counts(facts: Facts, counting: CountsFailures) -> pl.DataFrame:
    """How many mechanisms and drugs had failed at the index date; null where nothing is known of any drug."""
    names = {
        "n_failed_mechanisms": "n_mechanisms",
        "n_failed_drugs": "n_drugs",
        "n_failures_presumed": "n_presumed",
    }
    if facts.courses is None:
        return facts.index_dates.select("patient_id", **dict.fromkeys(names, pl.lit(None, dtype=pl.Int64)))
    return count_failures(facts, facts.index_dates, counting).select("patient_id", **names)


def _patients_of(facts: Facts, definition: Definition) -> pl.DataFrame:
    return facts.patients.filter(pl.col("disease") == definition.disease).select("patient_id")


def _status(met: pl.Expr) -> pl.Expr:
    return (
        pl.when(met.is_null())
        .then(pl.lit("not_assessable"))
        .when(met)
        .then(pl.lit("met"))
        .otherwise(pl.lit("not_met"))
    )
