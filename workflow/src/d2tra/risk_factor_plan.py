"""What config/risk_factors.yaml says: every factor of the analysis set, where it comes from, and who shows it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field, model_validator

from d2tra.codelists import BTS_KINDS, KINDS
from d2tra.config import Closed, parse, setting, setting_path
from d2tra.definitions.reads import Read, read_courses, read_starts, read_visits
from d2tra.errors import StudyError, nearest
from d2tra.extract.biomarkers import known_marker
from d2tra.scores.bands import Edge, Limit
from d2tra.scores.settings import load_score_settings


class Serology(Closed):
    test: Literal["rf", "anti_ccp"]
    above: float = Field(gt=0)


class Nearest(Closed):
    table: Literal["visits", "scores", "treatments"]
    column: str
    within_days: int | None = None
    minus: str | None = None
    kinds: list[str] | None = None
    at: Literal["baseline_date", "first_bts_date"] = "baseline_date"


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
    """Bands of its own, or those of a scheme of config/scores.yaml."""

    of: str
    bands: list[Edge] = []
    scheme: str | None = None

    @model_validator(mode="after")
    def _bands_or_scheme(self) -> BandsOf:
        if bool(self.bands) == bool(self.scheme):
            raise ValueError("say bands or scheme, one of them")
        schemes = load_score_settings().schemes if self.scheme else {}
        if self.scheme and self.scheme not in schemes:
            raise ValueError(
                f"no scheme {self.scheme!r} in config/scores.yaml{nearest(self.scheme, schemes)}"
            )
        return self

    @property
    def edges(self) -> list[Edge]:
        """The bands, ascending."""
        return load_score_settings().schemes[self.scheme].bands if self.scheme else self.bands


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
    first_known: list[str] | None = None
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

    @property
    def parents(self) -> list[str]:
        """The factors, counts or columns of the register that it is made of."""
        if self.limit is not None:
            return [self.limit.of, *([self.limit.by] if self.limit.by else [])]
        own = [self.column] if self.column else [self.bands.of] if self.bands else []
        return [*own, *(self.all_of or []), *(self.any_of or []), *(self.first_known or [])]

    @property
    def reads(self) -> tuple[Read, ...]:
        """What it looks at itself (not through its parents), over which days up to baseline."""
        way = next(iter(self.model_fields_set))
        return READS[way](getattr(self, way)) if way in READS else ()


# columns that a factor can name beside those of the register: dates, and what the audit counted at the index date
COLUMN_READS: dict[str, tuple[Read, ...]] = {
    "symptom_onset_date": (Read("patients.symptom_onset_date"),),
    "diagnosis_date": (Read("patients.diagnosis_date"),),
    "first_csdmard_date": read_starts(["csdmard"]),
    "first_bts_date": read_starts(BTS_KINDS),
    "baseline_date": (),
    "severity": read_visits(["das28_esr", "das28_crp", "sdai"]),  # any composite score of RA
    "n_bts_tried": read_courses(),
    "n_csdmards_before_bts": read_courses(["csdmard"]),
    "methotrexate_before_bts": read_courses(["csdmard"]),
}


def _read_columns(*names: str) -> tuple[Read, ...]:
    return tuple(read for name in names for read in COLUMN_READS.get(name, (Read(f"patients.{name}"),)))


def _read_drugs(table: str, column: str, kinds: list[str] | None) -> tuple[Read, ...]:
    told_beside = table == "treatments" and column == "adherence"
    return (Read("treatments.adherence"),) if told_beside else read_courses(kinds or KINDS)


def _read_nearest(spec: Nearest) -> tuple[Read, ...]:
    if spec.table == "treatments":
        return _read_drugs(spec.table, spec.column, spec.kinds)
    columns = [spec.column, *([spec.minus] if spec.minus else [])]
    if spec.at == "first_bts_date":  # however long before baseline that was
        return (*read_starts(BTS_KINDS), *read_visits(columns))
    return read_visits(columns, spec.within_days)


# way of an origin → what it looks at; the ways that are missing look at nothing but their parents
READS: dict[str, Callable[[Any], tuple[Read, ...]]] = {
    "column": lambda column: _read_columns(column),
    "serology": lambda spec: (Read(f"labs.{spec.test}"),),
    "concept": lambda concept: (Read(f"diagnoses.{concept}"),),
    "nearest": _read_nearest,
    "biomarker": lambda spec: (Read(f"biomarkers.{spec.marker}", spec.within_days),),
    "bmi": lambda spec: read_visits(["bmi_kg_m2", "weight_kg", "height_cm"], spec.within_days),
    "age_at": lambda day: (Read("patients.birth_year"), *_read_columns(day)),
    "years_since": lambda day: _read_columns(day),
    "months_between": lambda days: _read_columns(*days),
    "year_of": lambda day: _read_columns(day),
    "since": lambda spec: _read_columns(spec.date),
    "ongoing": lambda kind: (Read(f"courses.{kind}", 0),),
    "first": lambda spec: _read_drugs(spec.table, spec.column, spec.kinds),
    "count": lambda spec: _read_drugs(spec.table, spec.column, spec.kinds),
}


class Characteristic(Closed):
    """One column of the analysis set: Boolean (yes_no), Enum (category, of its levels in their order) or a number; null = unknown.

    `optional`: the tables leave it out where nobody has it. `ordered`: each level is more than the one before.
    """

    name: str
    title: str
    coding: Literal["yes_no", "category", "number"]
    levels: list[str] = []
    unit: str | None = None
    describe: Literal["median_iqr", "mean_sd"] = "median_iqr"
    optional: bool = False
    ordered: bool = False
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

    def made_of(self, name: str) -> list[str]:
        """Returns the factor and all that it is made of: factors, counts, columns of the register."""
        found = [name]
        for part in found:
            parents = self.factors[part].origin.parents if part in self.factors else []
            found += [parent for parent in parents if parent not in found]
        return found

    def reads_of(self, name: str) -> tuple[Read, ...]:
        """Returns what a factor looks at through all that it is made of, over which days up to baseline.

        Columns of the register have no date: they count as read on every day.
        """
        parts = self.made_of(name)
        own = (self.factors[p].origin.reads if p in self.factors else _read_columns(p) for p in parts)
        return tuple(dict.fromkeys(read for reads in own for read in reads))

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
