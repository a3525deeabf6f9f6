"""One centre's numbers before disclosure control: how many meet each definition, and every model fitted to its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from d2tra.centres.sums import fit_from_sums
from d2tra.config import Study
from d2tra.errors import StudyError
from d2tra.models import ModelPlan, fit_every_outcome, read_facts, read_fits
from d2tra.models.design import INTERCEPT, design_matrix
from d2tra.models.logistic import read_outcome
from d2tra.models.plan import Factor
from d2tra.refusals import refuse_by_definition

Fitted = tuple[pl.DataFrame, dict[str, Any]]  # of fit_every_outcome
STATUSES = {"met": "n_met", "not_met": "n_not_met", "not_assessable": "n_not_assessable"}


@dataclass(frozen=True)
class ExactFit:
    """One fit before disclosure control. `rows`: those of models/<model>.csv that are no intercept and no reference level;
    `correlation`: of the rows with an estimate, in the complete cases; None where it is not known."""

    cohort: str
    model: str
    factor: str | None
    definition: str
    method: str
    missing: str
    n: int
    n_events: int
    rows: list[dict[str, Any]]
    correlation: np.ndarray | None


@dataclass(frozen=True)
class SiteSummary:
    """A centre's numbers before disclosure control; `members`: cohort → its patients at this site."""

    site: str
    members: dict[str, frozenset[str]]
    counts: list[dict[str, Any]]
    fits: list[ExactFit]


def summarise_site(
    site: str,
    cohorts: Mapping[str, pl.DataFrame],
    study: Study,
    plans: Sequence[ModelPlan],
    fitted: Mapping[tuple[str, str], Fitted] | None = None,
) -> SiteSummary:
    """Returns the counts of every definition and the fits of every model to this site's rows of each analysis set.

    `fitted`: cohort and model → the rows and facts of the whole cohort, which are the site's where it is the only one.
    """
    own = {name: members.filter(pl.col("site") == site) for name, members in cohorts.items()}
    known = {key: fit for key, fit in (fitted or {}).items() if own[key[0]].height == cohorts[key[0]].height}
    return SiteSummary(
        site=site,
        members={name: frozenset(members["patient_id"]) for name, members in own.items()},
        counts=[
            _count(name, definition, members) for name, members in own.items() for definition in study.definition_names
        ],
        fits=[fit for name, members in own.items() for plan in plans
              for fit in _fits(name, members, study, plan, known.get((name, plan.name)))],
    )  # fmt: skip


def read_fitted(folder: str | Path, study: Study) -> dict[tuple[str, str], Fitted]:
    """Returns cohort and model → the rows and facts in <folder>/<cohort>/models/."""
    found: dict[tuple[str, str], Fitted] = {}
    for cohort in study.cohort_names:
        models = Path(folder) / cohort / "models"
        rows, facts = read_fits(models, study.model_names), read_facts(models, study.model_names)
        found |= {(cohort, name): (rows[name], facts[name]) for name in study.model_names}
    return found


def _count(cohort: str, definition: str, members: pl.DataFrame) -> dict[str, Any]:
    by_status = {name: int((members[definition] == status).sum()) for status, name in STATUSES.items()}
    return {"cohort": cohort, "definition": definition, "n": members.height, **by_status}


def _fits(
    cohort: str, members: pl.DataFrame, study: Study, plan: ModelPlan, known: Fitted | None
) -> list[ExactFit]:
    """The fits of one model: one per outcome, of a univariable model one per outcome and factor."""
    table, facts = known or _fit(members, study, plan)
    estimates = table.filter((pl.col("term") != INTERCEPT) & pl.col("note").ne_missing("reference"))
    missing = "multiple_imputation" if plan.missing.multiple_imputation else "complete_case"
    alone = plan.kind == "univariable"
    fits = []
    for definition, told in facts.items():
        for factors in [[factor] for factor in plan.modelled] if alone else [plan.modelled]:
            names = [factor.name for factor in factors]
            same = (pl.col("definition") == definition) & pl.col("term").is_in(names)
            rows = estimates.filter(same).to_dicts()
            of_fit = (
                told["terms"].get(names[0], told) if alone else told
            )  # a refused factor has no facts of its own
            keys = [(row["term"], row["level"]) for row in rows if row["estimate"] is not None]
            fitted = [factor for factor in factors if factor.name not in told["refused"]]
            fits.append(
                ExactFit(
                    cohort, plan.name, names[0] if alone else None, definition, of_fit["method"], missing, of_fit["n"],
                    of_fit["n_events"], rows, _correlation(members, definition, fitted, of_fit["method"], keys),
                )
            )  # fmt: skip
    return fits


def _fit(members: pl.DataFrame, study: Study, plan: ModelPlan) -> Fitted:
    refused = refuse_by_definition([factor.name for factor in plan.modelled], study)
    return fit_every_outcome(members, plan, study.definition_names, seed=study.seed, refused=refused)


def _correlation(
    members: pl.DataFrame,
    definition: str,
    factors: list[Factor],
    method: str,
    keys: list[tuple[str, str | None]],
) -> np.ndarray | None:
    """Of the estimates named by `keys`, under logit or Firth's likelihood of the complete cases."""
    if len(keys) < 2:
        return np.eye(len(keys))
    event = read_outcome(members, definition)
    design = design_matrix(
        members.filter(event.is_not_null()),
        [factor.name for factor in factors],
        {factor.name: factor.reference for factor in factors if factor.reference is not None},
        {factor.name: factor.unit_step for factor in factors},
    )
    y = event.drop_nulls().filter(design.complete).to_numpy().astype(float)
    try:
        _, covariance = fit_from_sums(design.matrix, y, "logit" if method == "logit" else "firth")
    except StudyError:
        return None
    fitted = [(column.term, column.level) for column in design.fitted]
    if not set(keys) <= set(fitted):
        return None
    places = [fitted.index(key) for key in keys]
    errors = np.sqrt(np.diag(covariance))
    return (covariance / np.outer(errors, errors))[np.ix_(places, places)]
