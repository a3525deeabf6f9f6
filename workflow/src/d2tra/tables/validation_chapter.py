"""The chapter «validation» of a study, beside its cohorts: its tables, before disclosure control."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from d2tra.config import Study
from d2tra.definitions import load_definition
from d2tra.models import load_model
from d2tra.risk_factor_plan import load_plan
from d2tra.tables.comparability import comparability, what_the_extension_can_show
from d2tra.tables.table import OF_COHORT, Table
from d2tra.tables.validation import calibration, decision_curve, validation
from d2tra.tables.validation_results import Validated

CHAPTER = (validation, calibration, decision_curve, comparability, what_the_extension_can_show)


def describe_validation(
    study: Study,
    analysis_sets: Mapping[str, pl.DataFrame],
    validations: Mapping[str, Mapping[str, Any]],
    further: Mapping[str, Iterable[Table]],
    synthetic: bool,
) -> list[Table]:
    """Returns the chapter's tables that have cells; `further`: cohort → tables of it that stand here too.

    `validations`: cohort → model → models/<model>_validation.json. Each of those is called after its
    cohort, `<table>_in_<cohort>`.
    """
    results = Validated(
        study=study,
        plan=load_plan(),
        definition=load_definition(study.definitions[0]),
        analysis_sets=analysis_sets,
        models={model.name: model for model in map(load_model, study.models)},
        validations=validations,
        synthetic=synthetic,
    )
    tables = {table.name: table for table in (build(results) for build in CHAPTER)}
    for cohort, given in further.items():
        for table in given:
            name = f"{table.name}{OF_COHORT}{cohort}"
            tables[name] = replace(table, name=name)
    return [table for table in tables.values() if table.cells.height]
