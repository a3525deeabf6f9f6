"""What config/risk_factors.yaml says: every factor of the analysis set, where it comes from, and who shows it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import Field, model_validator

from d2tra.config import Closed, parse, setting, setting_path
from d2tra.errors import StudyError, nearest
from d2tra.extract.biomarkers import known_marker
from d2tra.scores.bands import Edge, Limit


class Serology(Closed):
    test: Literal["rf", "anti_ccp"]
    above: float = Field(gt=0)


class Nearest(Closed):
    table: Literal["visits", "scores", "treatments"]
    column: str
    within_days: int | None = None
    minus: str | None = None
    kinds: list[str] | None = None


class Biomarker(Closed):
    marker: str
    within_days: int | None = None


class Bmi(Closed):
    within_days: int


class LimitOf(Limit):
    """`for`: levels of the factor `by` that have a limit of their own."""

    of: str
    by: str | None = None
    others: dict[str, Limit] = Field(default={}, alias="for")


class BandsOf(Closed):
    of: str
    bands: list[Edge]


class Since(Closed):
    date: str
    day: dt.date


class OfCourses(Closed):
    table: Literal["courses", "treatments"] = "courses"
    kinds: list[str]
    column: str


class Origin(Closed):
    """Where a factor comes from: exactly one of the ways that config/risk_factors.yaml explains."""

    column: str | None = None
    serology: Serology | None = None
    concept: str | None = None
    nearest: Nearest | None = None
    biomarker: Biomarker | None = None
    bmi: Bmi | None = None
    limit: LimitOf | None = None
    bands: BandsOf | None = None
    all_of: list[str] | None = None
    any_of: list[str] | None = None
    age_at: str | None = None
    years_since: str | None = None
    months_between: tuple[str, str] | None = None
    year_of: str | None = None
    since: Since | None = None
    ongoing: str | None = None
    first: OfCourses | None = None
    count: OfCourses | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Origin:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"say exactly one of: {', '.join(type(self).model_fields)}")
        return self


class Characteristic(Closed):
    """One column of the analysis set: Boolean (yes_no), String (category) or a number; null = unknown.

    `optional`: the tables leave it out where nobody has it.
    """

    name: str
    title: str
    coding: Literal["yes_no", "category", "number"]
    levels: list[str] = []
    unit: str | None = None
    describe: Literal["median_iqr", "mean_sd"] = "median_iqr"
    optional: bool = False
    source: str

    @model_validator(mode="after")
    def _levels_or_unit(self) -> Characteristic:
        if (self.coding == "category") != bool(self.levels) or (self.coding == "number") != bool(self.unit):
            raise ValueError("a category has levels, a number has a unit, and nothing else has either")
        return self


class Factor(Characteristic):
    """A characteristic that is derived here."""

    role: Literal["candidate", "confounder", "descriptive"]
    origin: Origin = Field(alias="from")

    @model_validator(mode="after")
    def _as_its_marker(self) -> Factor:
        if self.origin.biomarker:
            marker = known_marker(self.origin.biomarker.marker)
            if self.coding != marker.kind or not set(self.levels) <= set(marker.levels):
                raise ValueError(f"its marker takes {marker.says()}: code it so; yes/no: a limit of it")
        return self


class Plan(Closed):
    """All of config/risk_factors.yaml."""

    factors: dict[str, Factor]
    counted: dict[str, Characteristic]
    tables: dict[str, list[str]]

    @model_validator(mode="before")
    @classmethod
    def _named_by_key(cls, plan: Any) -> Any:
        named = {
            part: {name: {**section, "name": name} for name, section in plan[part].items()}
            for part in ("factors", "counted")
            if isinstance(plan.get(part), dict)
        }
        return {**plan, **named}

    @property
    def characteristics(self) -> dict[str, Characteristic]:
        """Every column that a table can show, by name."""
        return {**self.counted, **self.factors}

    def rows_of(self, table: str) -> list[Characteristic]:
        """Returns the characteristics that a table shows, in its order; StudyError for one that is not there."""
        known = self.characteristics
        for name in self.tables.get(table, []):
            if name not in known:
                where = f"{setting_path('risk_factors')}: tables.{table}"
                raise StudyError(f"{where}: no characteristic {name!r}{nearest(name, known)}")
        return [known[name] for name in self.tables.get(table, [])]


def load_plan() -> Plan:
    """Returns config/risk_factors.yaml, checked; StudyError names the file and the key."""
    return parse(Plan, setting("risk_factors"), setting_path("risk_factors"))
