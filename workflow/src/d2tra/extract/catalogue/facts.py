"""What every check of the catalogue looks at: the valid tables, what was set aside, the count of rows, quality.csv."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import polars as pl

from d2tra.extract.schemas import COLUMNS, LAB_COLUMNS, ROW_DATES, Column

Group = Literal["year", "clinic"]
RESULT = "value_"  # the prefix of a test's results as a column of their own
TESTS = COLUMNS["labs"]["test"].allowed
# Each test's results as a number, where a canonical table has them under one another.
RESULTS: dict[str, dict[str, Column]] = {
    "labs": {
        f"{RESULT}{test}": Column(
            f"{RESULT}{test}", "float", unit=known.unit if known else None,
            low=known.low if known else 0, high=known.high if known else None,
        )
        for test in TESTS
        for known in (LAB_COLUMNS.get(test),)
    }
}  # fmt: skip


class NotApplicableError(Exception):
    """There is nothing that the check could judge; says why."""


class Counted(NamedTuple):
    """What a check found: how many were looked at and how many of them fail, of what, and what more can be said."""

    n_rows: int
    n_failing: int
    of: str = "cells"
    note: str = ""


def column_of(table: str, name: str) -> Column:
    """Returns the canonical column, or that of a test's results."""
    return {**COLUMNS[table], **RESULTS.get(table, {})}[name]


@dataclass(frozen=True)
class Facts:
    """What validation and `check_quality` gave of one site. `limits`: the `checks` of config/quality.yaml."""

    valid: Mapping[str, pl.DataFrame]
    quarantine: pl.DataFrame
    accounting: pl.DataFrame
    listed: pl.DataFrame
    cut: dt.date
    limits: Mapping[str, Mapping[str, Any]]
    _memory: dict[Any, Any] = field(default_factory=dict)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Returns what `make` gives, made once however many checks ask."""
        if key not in self._memory:
            self._memory[key] = make()
        return self._memory[key]

    def rows(self, table: str) -> pl.DataFrame:
        """Returns the valid rows, with the year of the row's date, and of labs every test's results as a column."""
        if table not in self.valid:
            raise NotApplicableError("the extract has no such table")

        def make() -> pl.DataFrame:
            rows = self.valid[table]
            if table in ROW_DATES:
                rows = rows.with_columns(year=pl.col(ROW_DATES[table]).dt.year())
            results = [
                pl.when(test=name.removeprefix(RESULT)).then("number").alias(name)
                for name in RESULTS.get(table, {})
            ]
            return rows.with_columns(results)

        rows: pl.DataFrame = self.once(("rows", table), make)
        return rows

    def filled(self, table: str, column: str, at_least: int = 1) -> pl.Series:
        """Returns the column's values without the empty cells."""
        values = self.rows(table)[column].drop_nulls()
        if values.is_empty():
            raise NotApplicableError("no value in the extract")
        if len(values) < at_least:
            raise NotApplicableError(f"fewer than {at_least} values")
        return values

    def grouped(self, table: str, by: Group) -> pl.DataFrame:
        """Returns per year or clinic: `n` rows, and of every column how many cells are filled; ascending,
        rows that tell of none last (null)."""
        rows = self.rows(table)
        if by not in rows.columns:
            raise NotApplicableError(f"the rows tell of no {by}")

        def make() -> pl.DataFrame:
            names = [*COLUMNS[table], *RESULTS.get(table, {})]
            counts = rows.group_by(by).agg(pl.len().alias("n"), pl.col(names).count())
            return counts.sort(by, nulls_last=True)

        counts: pl.DataFrame = self.once(("grouped", table, by), make)
        return counts

    def n_set_aside(self, table: str, column: str, rules: list[str] | None = None) -> int:
        """Returns how many cells of a column were emptied, or set their row aside: by these rules, or by any."""

        def make() -> dict[tuple[str, str, str], int]:
            found = self.quarantine.filter(pl.col("severity").is_in(["cell", "row"]))
            place = ["table", "column", "rule"]
            counts = found.group_by(place).agg(pl.struct("source", "source_row").n_unique())
            return {(t, c, r): n for t, c, r, n in counts.rows()}

        counted: dict[tuple[str, str, str], int] = self.once("set aside", make)
        mine = {rule: n for (t, c, rule), n in counted.items() if (t, c) == (table, column)}
        return sum(n for rule, n in mine.items() if rules is None or rule in rules)

    def with_patients(self, table: str, column: str) -> pl.DataFrame:
        """Returns the filled cells of a column, each beside its patient's row of patients (suffix `_of_patient`)."""
        self.filled(table, column)
        if table == "patients":
            return self.rows(table).drop_nulls(column).select(day=column, **_of_patient())
        patients = self.rows("patients").select("patient_id", **_of_patient())
        return self.rows(table).drop_nulls(column).select("patient_id", day=column).join(
            patients, on="patient_id", how="left"
        )  # fmt: skip


def _of_patient() -> dict[str, str]:
    names = ("birth_year", "symptom_onset_date", "diagnosis_date", "last_contact_date", "death_month")
    return {f"{name}_of_patient": name for name in names}
