"""What the tables of the chapter «validation» are made from: every cohort, and how each model did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from d2tra.config import Study
from d2tra.definitions import Definition
from d2tra.models import ModelPlan
from d2tra.risk_factor_plan import Plan
from d2tra.tables.model_rows import EXPLAINED, EXPLORATORY
from d2tra.tables.results import CIRCULAR, CIRCULAR_FACTORS, SYNTHETIC

MEMBER = ["site", "patient_id"]


class Judged(NamedTuple):
    """One model of one cohort: how it is called, whether it is above its budget, and its validation."""

    title: str
    cohort: str
    is_exploratory: bool
    facts: Mapping[str, Any]

    @property
    def heading(self) -> str:
        """How tables call it; the word exploratory is part of it, so that no number stands without."""
        return f"{self.title}{f' ({EXPLORATORY})' if self.is_exploratory else ''}, made from {self.cohort}"


@dataclass(frozen=True)
class Validated:
    """`analysis_sets`: cohort → its patients, in the order of the study. `validations`: cohort → model →
    models/<model>_validation.json."""

    study: Study
    plan: Plan
    definition: Definition
    analysis_sets: Mapping[str, pl.DataFrame]
    models: Mapping[str, ModelPlan]
    validations: Mapping[str, Mapping[str, Any]]
    synthetic: bool = False

    @property
    def first(self) -> str:
        """The cohort whose model is applied to the others: the study's first."""
        return self.study.cohort_names[0]

    @property
    def others(self) -> list[str]:
        """The cohorts that have no patient of the first."""
        own = self.analysis_sets[self.first]
        return [
            name
            for name, frame in self.analysis_sets.items()
            if name != self.first and frame.join(own, on=MEMBER, how="semi").is_empty()
        ]

    def judged(self, *cohorts: str) -> Iterator[Judged]:
        """Yields the models that predict risks, for the primary definition (or, failing that, their own first outcome),
        as made from each of the cohorts."""
        for name, model in self.models.items():
            for cohort in cohorts or self.analysis_sets:
                by_outcome = self.validations[cohort][name]
                facts = by_outcome.get(self.study.definition_names[0]) or next(iter(by_outcome.values()))
                if model.kind == "multivariable":
                    yield Judged(model.title or name, cohort, facts.get("exploratory", False), facts)

    def footnotes(self, *own: str, exploratory: bool = False) -> tuple[str, ...]:
        """Returns a table's own footnotes, then those that every table here has."""
        factors = [factor.name for model in self.models.values() for factor in model.modelled]
        circular = any(name.startswith(CIRCULAR_FACTORS) for name in factors)
        outcome = f"Outcome: {self.definition.title} ({self.definition.name})."
        general = [*([CIRCULAR] if circular else []), outcome, *([SYNTHETIC] if self.synthetic else [])]
        return (*own, *([EXPLAINED] if exploratory else []), *general)


def smallest_of(*counts: int) -> int | None:
    """Returns the smallest of the counts that are above 0; null where none is."""
    return min((count for count in counts if count > 0), default=None)
