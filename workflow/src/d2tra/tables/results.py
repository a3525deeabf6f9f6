"""What the tables are made from, and what every one of them says below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import polars as pl

from d2tra.config import Study
from d2tra.definitions import Definition
from d2tra.risk_factor_plan import Characteristic, Plan
from d2tra.risk_factors import HANGS, at_index
from d2tra.tables.cells import Cell, count_cell

Test = Literal["fisher", "mann_whitney"]
BASELINES = {
    "index": "the index date (the last visit; cross-sectional)",
    "first_bts": "the start of the first b/tsDMARD",
    "diagnosis": "the date of diagnosis",
}
POLICIES = {
    "unknown": "unknown",
    "assume_met": "assumed met",
    "global_above_50": "met if a global score is above 50 mm",
    "ignore": "criterion 3 dropped",
}
STATUSES = {"met": "Met", "not_met": "Not met", "not_assessable": "Not assessable"}
YES, NO, NOT_RECORDED = "yes", "no", "not recorded"
SYNTHETIC = "Synthetic data: no patient behind any number."
CIRCULAR = (
    "Fibromyalgia raises the tender joint count and the patient global, obesity raises CRP; they move criterion 2 "
    "itself. Compare the outcome d2t_objective."
)
CIRCULAR_FACTORS = ("fibromyalgia", "obes")
WILSON = "Percentages with Wilson 95 % confidence intervals."


@dataclass(frozen=True)
class Results:
    """One cohort's numbers. `models`: name → rows of models/<model>.csv; `model_titles`: name → column heading; `facts`:
    name → models/<model>_fit.json. `earlier`: cohort → models, of each cohort that the study names before this one;
    `earlier_sets`: their analysis sets;
    `apart`: pairs of these cohorts (the earlier first) that have no patient in common.

    `prevalence`: of this cohort, see `d2tra.tables.prevalence`; `by_cohort`: of every cohort of the study. `tests`: those that the cohort declares for its descriptive tables.
    `sequence`: site and the columns of `d2tra.treatment.sequence`, of every site. `accounting`, `quality`: site and the columns of
    accounting.csv and quality.csv, of every site. `evidence`, `scores`: site and the columns of these files, of every site.
    """

    study: Study
    cohort: str
    plan: Plan
    definitions: Mapping[str, Definition]
    analysis_set: pl.DataFrame
    flow: pl.DataFrame
    prevalence: pl.DataFrame
    by_cohort: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    models: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    model_titles: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    earlier: Mapping[str, Mapping[str, pl.DataFrame]] = field(default_factory=dict)
    earlier_sets: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    apart: tuple[tuple[str, str], ...] = ()
    reproduction: pl.DataFrame | None = None
    readings: pl.DataFrame | None = None
    sequence: pl.DataFrame | None = None
    accounting: pl.DataFrame | None = None
    quality: pl.DataFrame | None = None
    evidence: pl.DataFrame | None = None
    scores: pl.DataFrame | None = None
    tests: tuple[Test, ...] = ()
    synthetic: bool = False

    @property
    def primary(self) -> str:
        """The name of the study's primary definition."""
        return self.study.definition_names[0]

    @cached_property
    def described(self) -> pl.DataFrame:
        """The analysis set with every factor as at the index date."""
        return at_index(self.analysis_set)

    def groups(self, members: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """Returns the members by their status under the primary definition; a status that nobody has is left out,
        except met and not met."""
        by = {name: members.filter(pl.col(self.primary) == status) for status, name in STATUSES.items()}
        return {
            name: group for name, group in by.items() if group.height or name != STATUSES["not_assessable"]
        }

    def presumed_cells(self, column: str = STATUSES["met"]) -> list[Cell]:
        """Returns how many of the met hang on a presumed failure, and how many are met without them."""
        n_met = self.analysis_set.filter(pl.col(self.primary) == "met").height
        n_hang = int(self.analysis_set[self.primary + HANGS].sum() or 0)
        return [
            count_cell("Met only through presumed drug failures", column, n_hang),
            count_cell("Met without presumed drug failures", column, n_met - n_hang),
        ]

    def footnotes(
        self, *own: str, described_at: str | None = None, rows: Iterable[Characteristic] = ()
    ) -> tuple[str, ...]:
        """Returns a table's own footnotes, then those that every table of the outcome has."""
        notes = [*own]
        if described_at is not None:
            notes.append(f"Characteristics as at {BASELINES[described_at]}.")
        if any(row.name.startswith(CIRCULAR_FACTORS) for row in rows):
            notes.append(CIRCULAR)
        return (*notes, *self._outcome_notes(), *([SYNTHETIC] if self.synthetic else []))

    def _outcome_notes(self) -> list[str]:
        definition, policy = self.definitions[self.primary], self.study.if_criterion_3_unrecorded
        notes = [f"Outcome: {definition.title} ({definition.name})."]
        if "3" in definition.listed:
            notes.append(f"Criterion 3, where it is not recorded: {POLICIES[policy]} ({policy}).")
        if definition.optional:
            notes.append(f"Left out of criterion 2 where unknown: {', '.join(definition.optional)}.")
        notes.append(
            "A drug stopped for an unknown reason is presumed failed where another b/tsDMARD follows soon after; the "
            "table says how many labels hang on that."
        )
        return notes
