"""Everything that is judged of a site's patients, from one gathering of the facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from d2tra.config import Study
from d2tra.definitions.audit import COUNTED_BY, counts_of
from d2tra.definitions.definition import load_definition
from d2tra.definitions.evidence import columns_looked_at
from d2tra.definitions.facts import VISIT, Choices
from d2tra.definitions.gathering import gather_facts, is_up_to
from d2tra.definitions.label import Definitions, judge_definitions, labels_of, policies_of, visits_of


def visit_columns(definitions: Definitions, study: Study | Mapping[str, Any]) -> set[str]:
    """Returns the columns of the visits and of their scores that `judge_site` needs."""
    counted_by = load_definition(COUNTED_BY)
    return {
        *VISIT,
        *Choices.of(study).severity_bands,
        *columns_looked_at([*map(load_definition, definitions), counted_by]),
    }


def tells_of_glucocorticoids(
    treatments: pl.LazyFrame | None, study: Study | Mapping[str, Any] | None = None
) -> bool:
    """Returns whether a site's treatments up to the study's cut hold any glucocorticoid.

    Then no row of one means that none was taken. To be asked of the whole site, whose patients are judged in spans.
    """
    if treatments is None:
        return False
    cut = Choices.of(study).data_cut_date
    rows = treatments.filter(pl.col("kind") == "glucocorticoid")
    if cut is not None:
        rows = rows.filter(is_up_to(cut, "start_date"))
    return rows.head(1).collect().height > 0


def judge_site(
    known: Mapping[str, pl.DataFrame],
    definitions: Definitions,
    study: Study | Mapping[str, Any],
    records_glucocorticoids: bool | None = None,
) -> dict[str, pl.DataFrame]:
    """Returns labels and evidence (see `label_patients`), policies (`status_by_policy`), verdicts (`label_visits`, of the first
    definition, the primary one) and audit_counts.

    `known`: the canonical tables, and `courses` and `scores`; nothing is known of any drug where there are no treatments.
    """
    tables = {name: frame for name, frame in known.items() if name not in ("courses", "scores")}
    courses = known["courses"] if "treatments" in tables else None
    loaded = [load_definition(definition) for definition in definitions]
    choices, looked_at = Choices.of(study), visit_columns(loaded, study)
    facts = gather_facts(
        tables, courses, known["scores"], choices, records_glucocorticoids, looked_at=looked_at
    )
    judged = judge_definitions(facts, loaded)
    labels, evidence = labels_of(facts, judged, loaded)
    return {
        "labels": labels,
        "evidence": evidence,
        "policies": policies_of(facts, loaded),
        "verdicts": visits_of(facts, judged, loaded[:1]),
        "audit_counts": counts_of(facts),
    }
