"""The catalogue as data: families of config/quality.yaml, checked, and the single checks that they stand for."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from d2tra.config import Closed, load_yaml, parse, setting_path
from d2tra.errors import StudyError, nearest
from d2tra.extract.catalogue import completeness, conformance, dates, groups, histories, values
from d2tra.extract.catalogue.facts import RESULTS, Counted, column_of
from d2tra.extract.schemas import COLUMNS, Column
from d2tra.extract.site import TABLES, TableName

Kind = Callable[..., Counted]
KINDS: dict[str, Kind] = {
    name: kind
    for module in (conformance, completeness, values, dates, groups, histories)
    for name, kind in vars(module).items()
    if inspect.isfunction(kind) and inspect.signature(kind).return_annotation == "Counted" and name[0] != "_"
}
PLACE = ("facts", "table", "column")  # what every kind is given; the rest of its parameters are its settings


class Selection(Closed):
    """Which columns a family is about: all these keys together. `results`: the labs' results by test too."""

    tables: list[TableName] = list(TABLES)
    kinds: list[str] = []
    need: list[Literal["R", "R N", "N"]] = []
    has: Literal["low", "high", "allowed", "pattern"] | None = None
    names: list[str] = []
    but: list[str] = []
    results: bool = False

    def columns(self) -> Iterator[tuple[str, str]]:
        """Yields table and column, in the order of the canonical tables."""
        for table in self.tables:
            known = {**COLUMNS[table], **(RESULTS.get(table, {}) if self.results else {})}
            for column in known.values():
                if self._holds(column) and f"{table}.{column.name}" not in self.but:
                    yield table, column.name

    def _holds(self, column: Column) -> bool:
        return (
            (not self.kinds or column.kind in self.kinds)
            and (not self.need or column.need in self.need)
            and (not self.names or column.name in self.names)
            and (self.has is None or getattr(column, self.has) not in (None, ()))
            and column.name not in self.but
        )


class Family(Closed):
    """One idea of what can be wrong, for many columns or tables. Threshold: % of what is looked at that may fail."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    category: Literal["conformance", "completeness", "plausibility"]
    subcategory: Literal[
        "value", "relational", "computational", "overall", "per_year", "per_clinic", "per_patient", "uniqueness",
        "atemporal", "temporal",
    ]  # fmt: skip
    says: str
    kind: str
    settings: dict[str, Any] = Field(default={}, alias="with")
    columns: Selection | None = None
    tables: list[TableName] | None = None
    each: dict[str, dict[str, Any]] = {}
    threshold: float = Field(ge=0, le=100)
    thresholds: dict[str, float] = {}
    severity: Literal["note", "warning"]
    source: str

    def places(self) -> list[tuple[str, str]]:
        """Returns table and column of every check; the column of a check of a whole table is empty."""
        if self.tables is not None:
            return [(table, "") for table in self.tables]
        if self.columns is not None:
            return list(self.columns.columns())
        split = (place.partition(".") for place in self.each)
        return [(table, column) for table, _, column in split]


@dataclass(frozen=True)
class Check:
    """One check of one column or table: its id, its family, its place, its settings, threshold and sentence."""

    id: str
    family: Family
    table: str
    column: str
    settings: Mapping[str, Any]
    threshold: float
    says: str

    @property
    def kind(self) -> Kind:
        return KINDS[self.family.kind]


def load_catalogue() -> list[Check]:
    """Returns every single check of `catalogue:` of config/quality.yaml, in the order of families and columns.

    StudyError names the file, the family, the key and the nearest valid one: an unknown key, kind, setting, table or
    column, a name used twice, a sentence that asks for what is not there, a family without a column.
    """
    path = setting_path("quality")
    stated = load_yaml(path).get("catalogue", [])
    named = (
        section.get("name", n) if isinstance(section, dict) else n for n, section in enumerate(stated, 1)
    )
    families = [
        parse(Family, section, f"{path}, catalogue, family {name}")
        for section, name in zip(stated, named, strict=True)
    ]
    checks = [c for family in families for c in _checks(family, f"{path}, catalogue, family {family.name}")]
    twice = [name for name, n in Counter(check.id for check in checks).items() if n > 1]
    if twice:
        raise StudyError(f"{path}: catalogue: {twice[0]} stands twice; give each family a name of its own.")
    return checks


def _checks(family: Family, where: str) -> Iterator[Check]:
    if family.kind not in KINDS:
        raise StudyError(f"{where}: no kind {family.kind!r}{nearest(family.kind, KINDS)}")
    takes = inspect.signature(KINDS[family.kind]).parameters
    places = family.places()
    asked = [".".join(filter(None, place)) for place in places]
    for name in (*family.each, *family.thresholds):
        if name not in asked:
            raise StudyError(f"{where}: {name!r} is no place of this family{nearest(name, asked)}")
    if not places:
        raise StudyError(f"{where}: no column is selected; say `columns`, `tables` or `each`.")
    for (table, column), place in zip(places, asked, strict=True):
        _known(table, column, where)
        settings = {**family.settings, **family.each.get(place, {})}
        source = settings.pop("source", None)
        _settings_fit(settings, takes, f"{where}, {place}")
        try:
            says = family.says.format(table=table, column=column, **settings)
        except (KeyError, IndexError, ValueError) as problem:
            raise StudyError(f"{where}: `says` asks for {problem}, which {place} does not have.") from None
        says = f"{says} ({source})" if source else says
        yield Check(
            f"{family.name}.{place}", family, table, column, settings,
            family.thresholds.get(place, family.threshold), says,
        )  # fmt: skip


def _known(table: str, column: str, where: str) -> None:
    if table not in COLUMNS:
        raise StudyError(f"{where}: no table {table!r}{nearest(table, COLUMNS)}")
    try:
        if column:
            column_of(table, column)
    except KeyError:
        near = nearest(column, [*COLUMNS[table], *RESULTS.get(table, {})])
        raise StudyError(f"{where}: table {table} has no column {column!r}{near}") from None


def _settings_fit(settings: Mapping[str, Any], takes: Mapping[str, inspect.Parameter], where: str) -> None:
    known = [name for name in takes if name not in PLACE]
    for name in settings:
        if name not in known:
            raise StudyError(f"{where}: unknown setting {name!r}{nearest(name, known)} Known: {known}.")
    for name in known:
        if name not in settings and takes[name].default is inspect.Parameter.empty:
            raise StudyError(f"{where}: the setting {name!r} is missing under `with`.")
