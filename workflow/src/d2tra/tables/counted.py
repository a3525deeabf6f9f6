"""All numbers of a cohort: its tables, and the result files that are no table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from d2tra.config import Study
from d2tra.definitions import load_definition
from d2tra.models import load_model
from d2tra.reproduction import load_published, other_readings, reproduce
from d2tra.risk_factor_plan import load_plan
from d2tra.tables import build_tables
from d2tra.tables.agreement import count_agreement
from d2tra.tables.odds_ratios_by_cohort import cohorts_apart
from d2tra.tables.prevalence import count_prevalence
from d2tra.tables.results import Results
from d2tra.tables.table import Table


class Counted(NamedTuple):
    """The tables; and by name the counts that are files of their own: prevalence, agreement, reproduction, readings (the
    last two without rows where nothing was published)."""

    tables: list[Table]
    counts: dict[str, pl.DataFrame]


def count_results(
    study: Study,
    cohort: str,
    analysis_set: pl.DataFrame,
    flow: pl.DataFrame,
    members: Mapping[str, pl.DataFrame],
    policies: pl.DataFrame,
    models: Mapping[str, pl.DataFrame],
    facts: Mapping[str, Any],
    earlier: Mapping[str, Mapping[str, pl.DataFrame]],
    earlier_sets: Mapping[str, pl.DataFrame],
    sequence: pl.DataFrame,
    accounting: pl.DataFrame,
    quality: pl.DataFrame,
    evidence: pl.DataFrame,
    scores: pl.DataFrame,
    synthetic: bool,
) -> Counted:
    """Returns every number of the cohort before disclosure control.

    `members`: cohort → its members (site, patient_id), for the table that sets the cohorts side by side.
    `policies`: site, patient_id, definition, criterion_3_policy, status. `models`: name → rows of models/<model>.csv;
    `facts`: name → models/<model>_fit.json; `earlier`: cohort → models, of the cohorts before this one; `earlier_sets`: their
    analysis sets.
    `sequence`: site and the columns of `d2tra.treatment.sequence`; `accounting`, `quality`,
    `evidence`, `scores`: site and the columns of these files.
    """
    counted = {
        name: count_prevalence(frame, policies, study.definition_names) for name, frame in members.items()
    }
    published = load_published(study.published) if study.published else None
    reproduction = reproduce(analysis_set, published, cohort)
    readings = other_readings(analysis_set, published, cohort)
    results = Results(
        study=study,
        cohort=cohort,
        plan=load_plan(),
        definitions={d.name: d for d in map(load_definition, study.definitions)},
        analysis_set=analysis_set,
        flow=flow,
        prevalence=counted[cohort],
        by_cohort=counted,
        models=models,
        model_titles={m.name: m.title or m.name for m in map(load_model, study.models)},
        facts=facts,
        earlier=earlier,
        earlier_sets=earlier_sets,
        apart=cohorts_apart({name: members[name] for name in [*earlier, cohort]}),
        reproduction=reproduction,
        readings=readings,
        sequence=sequence,
        accounting=accounting,
        quality=quality,
        evidence=evidence,
        scores=scores,
        tests=tuple(study.cohort(cohort).tests),
        synthetic=synthetic,
    )
    counts = {
        "prevalence": counted[cohort],
        "agreement": count_agreement(analysis_set, study.definition_names),
        "reproduction": reproduction,
        "readings": readings,
    }
    return Counted(build_tables(results), counts)
