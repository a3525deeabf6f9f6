"""Why a label is what it is: per patient, definition and criterion the verdict and one sentence with the records."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from d2tra.definitions.criteria import Criterion
from d2tra.definitions.definition import Definition
from d2tra.definitions.facts import Facts, of_patient
from d2tra.definitions.leaf import Leaf, text
from d2tra.errors import StudyError

SCHEMA = {
    "patient_id": pl.String,
    "definition": pl.String,
    "criterion": pl.String,
    "met": pl.Boolean,
    "reason": pl.String,
}
NO_VISIT = "no visit up to the study's cut; a visit would settle it"
WORDS = {"met": "met", "not_met": "not met", "not_assessable": "not assessable"}


def collect_evidence(facts: Facts, definitions: Iterable[Definition], of: pl.Series) -> pl.DataFrame:
    """Returns patient_id, definition, criterion, met (null = unknown), reason, at the index date of the patients `of`.

    One row per criterion with an id, for the patients of the definition's disease, in the order of the definition; a
    criterion that the study drops where it is unrecorded has no row there.
    """
    definitions = list(definitions) if len(of) else []
    asked = pl.col("patient_id").is_in(of.implode())
    judged = judge_leaves(facts, facts.index_dates.filter(asked), leaves_of(definitions), explained=True)
    frames = [pl.DataFrame(schema={**SCHEMA, "patient_id": pl.UInt32})]
    for definition in definitions:
        patients = facts.patients.filter(asked, pl.col("disease") == definition.disease).select("patient_id")
        seen = of_patient(patients, judged)
        for name, node in definition.listed.items():
            frames.append(_rows(_kept(seen, node, facts), definition, name, node))
    return facts.named(pl.concat(frames).sort("patient_id", maintain_order=True))


def leaves_of(definitions: Iterable[Definition]) -> list[Leaf]:
    """Returns the criteria of the vocabulary that the definitions use, each once."""
    nodes = (node for definition in definitions for node in definition.tree.walk())
    return list({node.leaf.key: node.leaf for node in nodes if node.leaf is not None}.values())


def columns_looked_at(definitions: Iterable[Definition]) -> set[str]:
    """Returns the columns of visits and scores that the criteria of the definitions look at."""
    return {column for leaf in leaves_of(definitions) for column in leaf.looks_at()}


def judge_leaves(
    facts: Facts, dates: pl.DataFrame, leaves: Iterable[Leaf], explained: bool = False
) -> pl.DataFrame:
    """Returns `dates` with the verdict of each criterion, a Boolean column called by its key; where `explained`, also
    its reason (`reason <key>`) and, of one that a study may drop, whether it does (`dropped <key>`)."""
    columns: list[pl.Series] = []
    for leaf in leaves:
        judged = leaf.judge(facts, dates)
        columns.append(judged["met"].alias(leaf.key))
        if explained:
            columns.append(leaf.explain(facts, judged).alias(f"reason {leaf.key}"))
            if "dropped" in judged.columns:
                columns.append(judged["dropped"].alias(f"dropped {leaf.key}"))
    return dates.hstack(columns)


def why(patient_id: str, labels: pl.DataFrame, evidence: pl.DataFrame, definition: str | None = None) -> str:
    """Returns in plain words why a patient is labelled so, by one definition or by all that judged the patient.

    StudyError where there is no such label.
    """
    chosen = pl.lit(True) if definition is None else pl.col("definition") == definition
    mine = labels.filter((pl.col("patient_id") == patient_id) & chosen)
    if mine.is_empty():
        by = "" if definition is None else f" by {definition}"
        raise StudyError(
            f"no label{by} for this patient id. Is the id right, and the definition one of the patient's disease?"
        )
    rows = evidence.filter(pl.col("patient_id") == patient_id)
    lines = []
    for label in mine.iter_rows(named=True):
        when = f" on {label['index_date']}" if label["index_date"] else ""
        first = f"; first met on {label['first_met_date']}" if label["first_met_date"] else ""
        lines.append(f"{label['definition']}: {WORDS[label['status']]}{when}{first}")
        for row in rows.filter(pl.col("definition") == label["definition"]).iter_rows(named=True):
            verdict = {True: "met", False: "not met", None: "unknown"}[row["met"]]
            lines.append(f"  {row['criterion']:<3} {verdict}: {row['reason']}")
    return "\n".join(lines)


def _kept(judged: pl.DataFrame, node: Criterion, facts: Facts) -> pl.DataFrame:
    """Without the patients for whom the study drops the criterion (of those never seen, nothing is recorded)."""
    dropped = f"dropped {node.leaf.key}" if node.leaf is not None else ""
    if dropped not in judged.columns:
        return judged
    return judged.filter(~pl.col(dropped).fill_null(facts.choices.if_criterion_3_unrecorded == "ignore"))


def _rows(judged: pl.DataFrame, definition: Definition, name: str, node: Criterion) -> pl.DataFrame:
    optional = frozenset(definition.optional)
    visited = pl.col("evaluation_date").is_not_null()
    return judged.select(
        "patient_id",
        definition=pl.lit(definition.name),
        criterion=pl.lit(name),
        met=pl.when(visited).then(node.met(_met, optional)),
        reason=pl.when(visited).then(_reason(node, optional)).otherwise(pl.lit(NO_VISIT)),
    )


def _met(leaf: Leaf) -> pl.Expr:
    return pl.col(leaf.key)


def _reason(node: Criterion, optional: frozenset[str]) -> pl.Expr:
    """The records of a criterion, or those of the parts that decided a combination."""
    if node.leaf is not None:
        return pl.col(f"reason {node.leaf.key}")
    met = node.met(_met, optional)
    parts = []
    for child in node.children:
        child_met, child_reason = child.met(_met, optional), _reason(child, optional)
        decides = child_met.eq_missing(~met if node.none_of else met)
        parts.append(pl.when(decides).then(text(_named(child, child_met), child_reason)))
    return pl.concat_str(parts, separator="; ", ignore_nulls=True)


def _named(child: Criterion, met: pl.Expr) -> pl.Expr:
    verdict = (
        pl.when(met.is_null())
        .then(pl.lit("unknown"))
        .when(met)
        .then(pl.lit("met"))
        .otherwise(pl.lit("not met"))
    )
    return text(f"{child.id} ", verdict, ": ") if child.id is not None else pl.lit("")
