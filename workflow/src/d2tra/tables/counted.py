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
    flow: pl.DataFrame,
    analysis_sets: Mapping[str, pl.DataFrame],
    models: Mapping[str, Mapping[str, pl.DataFrame]],
    facts: Mapping[str, Any],
    members: Mapping[str, pl.DataFrame],
    of_sites: Mapping[str, pl.DataFrame],
    synthetic: bool,
) -> Counted:
    """Returns every number of a cohort before disclosure control: of the last of `analysis_sets`.

    `analysis_sets`, `models`: by cohort, of this one and those that the study names before it; models: name → rows of
    models/<model>.csv. `facts`: name → models/<model>_fit.json of this cohort; `flow`: its selection. `members`: every
    cohort → its members (site, patient_id). `of_sites`: policies, sequence, evidence, scores, accounting, quality: site
    and the columns of these files.
    """
    *before, cohort = analysis_sets
    analysis_set, policies = analysis_sets[cohort], of_sites["policies"]
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
        models=models[cohort],
        model_titles={m.name: m.title or m.name for m in map(load_model, study.models)},
        facts=facts,
        earlier={name: models[name] for name in before},
        earlier_sets={name: analysis_sets[name] for name in before},
        apart=cohorts_apart({name: members[name] for name in analysis_sets}),
        reproduction=reproduction,
        readings=readings,
        tests=tuple(study.cohort(cohort).tests),
        synthetic=synthetic,
        **{name: rows for name, rows in of_sites.items() if name != "policies"},
    )
    counts = {
        "prevalence": counted[cohort],
        "agreement": count_agreement(analysis_set, study.definition_names),
        "reproduction": reproduction,
        "readings": readings,
    }
    return Counted(build_tables(results), counts)
