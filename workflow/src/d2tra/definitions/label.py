"""From facts to labels: every patient judged by every definition at every visit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import polars as pl

from d2tra.config import Policy, Study
from d2tra.definitions.definition import Definition, load_definition
from d2tra.definitions.drug_criteria import CountsFailures, count_failures
from d2tra.definitions.evidence import collect_evidence, columns_looked_at, judge_leaves, leaves_of
from d2tra.definitions.facts import (
    KEY,
    Choices,
    Facts,
    first_of_patient,
    of_patient,
)
from d2tra.definitions.gathering import gather_facts, latest_date, up_to_cut
from d2tra.definitions.judging import UNKNOWN, Question, answer, leaves_by_key
from d2tra.definitions.visit_criteria import Problematic
from d2tra.scores import score_visits
from d2tra.treatment import trace_courses

if TYPE_CHECKING:
    from d2tra.definitions.leaf import Leaf

Extract = Mapping[str, pl.DataFrame | None]
Definitions = Iterable[str | Path | Mapping[str, Any] | Definition]
POLICIES: tuple[Policy, ...] = get_args(Policy)
STATUS = pl.Series(["not_met", "met", "not_assessable"])  # of false, true and null
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
    loaded = [load_definition(definition) for definition in definitions]
    facts = _gather(extract, courses, scores, loaded, study, records_glucocorticoids)
    return labels_of(facts, judge_definitions(facts, loaded), loaded)


def labels_of(facts: Facts, verdicts: pl.DataFrame, definitions: list[Definition]) -> Labelled:
    """Returns what `label_patients` does, from facts gathered and judged before."""
    labels = _labels(facts, verdicts, definitions)
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
    loaded = [load_definition(definition) for definition in definitions]
    facts = _gather(extract, courses, scores, loaded, study, records_glucocorticoids)
    return visits_of(facts, judge_definitions(facts, loaded), loaded)


def visits_of(facts: Facts, verdicts: pl.DataFrame, definitions: list[Definition]) -> pl.DataFrame:
    """Returns what `label_visits` does, from facts gathered and judged before."""
    frames = [
        verdicts.join(
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
    loaded = [load_definition(definition) for definition in definitions]
    facts = _gather(extract, courses, scores, loaded, study, records_glucocorticoids, rules)
    return policies_of(facts, loaded)


def _gather(
    extract: Extract,
    courses: pl.DataFrame | None,
    scores: pl.DataFrame,
    definitions: list[Definition],
    study: Study | Mapping[str, Any] | None,
    records_glucocorticoids: bool | None,
    rules: Mapping[str, Any] | None = None,
) -> Facts:
    """The facts that these definitions look at."""
    looked_at = columns_looked_at(definitions)
    return gather_facts(
        extract, courses, scores, Choices.of(study), records_glucocorticoids, rules, looked_at
    )


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
    judged = judge_leaves(replace(facts, choices=choices), facts.index_dates, leaves)
    return judged.drop(facts.index_dates.columns)


def _verdicts(facts: Facts, definitions: list[Definition]) -> dict[str, pl.Expr]:
    """The verdict of each definition, from the verdicts of its criteria; unknown if nothing is known of any drug."""
    if facts.courses is None:
        return {definition.name: pl.lit(None, dtype=pl.Boolean) for definition in definitions}
    return {d.name: d.tree.met(lambda leaf: pl.col(leaf.key), frozenset(d.optional)) for d in definitions}


def judge_definitions(facts: Facts, definitions: list[Definition]) -> pl.DataFrame:
    """Returns patient_id, evaluation_date and the verdict of each definition, called by its name, at every visit (null =
    unknown, or a patient of another disease)."""
    diseases = {d.disease: (pl.col("disease") == d.disease).fill_null(False) for d in definitions}
    where = of_patient(facts.dates.select("patient_id"), facts.patients.select("patient_id", **diseases))
    asked = {d.name: Question(d.tree, frozenset(d.optional), where[d.disease]) for d in definitions}
    return facts.dates.select(KEY).hstack(_answer(facts, asked))


def _answer(facts: Facts, asked: dict[str, Question]) -> pl.DataFrame:
    """The verdicts; unknown if nothing is known of any drug."""
    if facts.courses is None:
        return facts.dates.with_columns(UNKNOWN.alias(name) for name in asked).select(list(asked))
    return answer(facts, asked)


def _labels(facts: Facts, verdicts: pl.DataFrame, definitions: list[Definition]) -> pl.DataFrame:
    """The labels of all definitions, from their verdicts at every visit; sorted by patient, then as the definitions are."""
    at_index = verdicts.filter(facts.is_index)
    recorded = at_index.with_columns(_met_without_presumed(facts, verdicts, definitions))
    counted = {
        (d.disease, d.counting): of_patient(_patients_of(facts, d), _counts(facts, d.counting))
        for d in {(d.disease, d.counting): d for d in definitions}.values()
    }
    frames = []
    for rank, definition in enumerate(definitions):
        name = definition.name
        met = facts.dates.select(KEY).filter(verdicts[name])
        first = first_of_patient(met).rename({"evaluation_date": "first_met_date"})
        judged = counted[definition.disease, definition.counting]
        judged = of_patient(judged, first).with_columns(
            rank=pl.lit(rank, pl.UInt8),
            met=at_index[name].gather(judged["place"]),
            recorded=recorded[name].gather(judged["place"]),
        )
        frames.append(judged)
    return (
        pl.concat(frames, rechunk=True)
        .sort("patient_id", maintain_order=True)
        .with_columns(
            definition=pl.lit(pl.Series([d.name for d in definitions])).gather("rank"),
            status=_status(pl.col("met")),
            hangs_on_presumed=pl.col("met").fill_null(False) & ~pl.col("recorded").fill_null(False),
        )
        .select(LABEL_COLUMNS)
    )


def _met_without_presumed(
    facts: Facts, verdicts: pl.DataFrame, definitions: list[Definition]
) -> list[pl.Series]:
    """The verdicts at the index dates, if no presumed failure counts, of the definitions that count them.

    They are asked of those who meet it: these are few of a registry, and only the criteria that count presumed failures
    have not been asked there.
    """
    hang = [(d, tree) for d in definitions if (tree := d.tree.without_presumed()) != d.tree]
    where = {d.name: facts.is_index & verdicts[d.name].fill_null(False) for d, _ in hang}
    asked: dict[str, tuple[Leaf, pl.Series]] = {}
    for d, tree in hang:
        for key, leaf in leaves_by_key(tree):
            asked[key] = leaf, where[d.name] | asked[key][1] if key in asked else where[d.name]
    known = {key: facts.ask(leaf, anywhere) for key, (leaf, anywhere) in asked.items()}
    at_index = pl.DataFrame({key: met.filter(facts.is_index) for key, met in known.items()})
    met = at_index.select(
        tree.met(lambda leaf: pl.col(leaf.key), frozenset(d.optional)).alias(d.name) for d, tree in hang
    )
    return met.get_columns()


def _counts(facts: Facts, counting: CountsFailures) -> pl.DataFrame:
    """The index dates (their day, their `place` among them), and how many mechanisms and drugs had failed by then; null
    where nothing is known of any drug."""
    if facts.courses is None:
        unknown = ("n_mechanisms", "n_drugs", "n_presumed")
        counted = facts.index_dates.with_columns(pl.lit(None, dtype=pl.Int64).alias(name) for name in unknown)
    else:
        counted = count_failures(facts, facts.index_dates, counting)
    return counted.with_row_index("place").rename(
        {
            "evaluation_date": "index_date",
            "n_mechanisms": "n_failed_mechanisms",
            "n_drugs": "n_failed_drugs",
            "n_presumed": "n_failures_presumed",
        }
    )


def _patients_of(facts: Facts, definition: Definition) -> pl.DataFrame:
    return facts.patients.filter(pl.col("disease") == definition.disease).select("patient_id")


def _status(met: pl.Expr) -> pl.Expr:
    return pl.lit(STATUS).gather(met.cast(pl.UInt8).fill_null(2))
