"""Cells rewritten as the mapping says: sentinels emptied, decimal commas, units, words and dates; every repair is logged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import polars as pl

from d2tra.errors import StudyError, nearest
from d2tra.extract.cells import NUMBER, UNITS, plain_unit, read_number
from d2tra.extract.column_rules import Marks, columns_with_commas, count_decimal_marks, read_decimal_commas
from d2tra.extract.dates import Written, date_columns, look_at_dates, read_dates
from d2tra.extract.findings import FRESH, collect, find
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.site import Dates, SiteMapping, TableName, TableSource

V = TypeVar("V")
MAYBE_UNIT = r"[^0-9.,\s]"  # what a unit begins with; a column without any such sign holds numbers alone


@dataclass(frozen=True)
class Shown:
    """What the columns of a source show as a whole and no cell alone: how numbers write their decimals, of columns in which
    some cell has a comma; how dates are written."""

    marks: Mapping[str, Marks] = field(default_factory=dict)
    dates: Mapping[str, Written] = field(default_factory=dict)


@dataclass(frozen=True)
class Rewriter:
    """What the mapping says of the cells that one source has for a table; `label` is how messages call the source.

    `present`: the canonical columns that the table has, from any of its sources. Rows are these as text (trimmed, empty
    = null), source, source_row, place, row_read (their number in the table), is_duplicate, and _reshaped (List: the
    columns whose cells the row was made for; empty where it was not reshaped). StudyError where the mapping names what
    is not there.
    """

    source: TableSource
    label: str
    table: TableName
    site: SiteMapping
    present: list[str]

    def rewritten_columns(self) -> set[str]:
        """Returns the columns whose cells may be rewritten: their text as read is kept for the findings."""
        names = {*self._by_column(self.source.values, "values"), *self._by_column(self.source.units, "units")}
        return names if self.source.dates == Dates() else {*names, *self._date_columns()}

    def look(self, rows: pl.DataFrame, so_far: Shown) -> Shown:
        """Returns what the columns show, these rows looked at too; the marks of decimals are not counted yet."""
        rows = self._without_sentinels(rows)
        commas = columns_with_commas(rows, self.source, self.table)
        dates = self._with_words(rows.filter(self._is_filled()).select("row_read", *self._date_columns()))
        return Shown(
            {**so_far.marks, **dict.fromkeys(commas, Marks())},
            look_at_dates(dates, self.source.dates, self.table, so_far.dates),
        )

    def count_marks(self, pieces: Iterable[pl.DataFrame], shown: Shown) -> Shown:
        """Returns what the columns show, the marks of decimals counted, through all rows, where some have commas."""
        marks = shown.marks
        for piece in pieces if marks else ():
            rows = self._without_sentinels(piece)
            marks = {name: so_far + count_decimal_marks(rows[name]) for name, so_far in marks.items()}
        return replace(shown, marks=marks)

    def rewrite(self, rows: pl.DataFrame, shown: Shown) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Returns the rows of a piece as the mapping means them, and the findings (fix, stop); what does not fit is left
        as it is. A row made of a group that turns out empty is left out."""
        emptied = [
            find(rows, self.table, name, "declared_missing", is_sentinel & FRESH)
            for name, is_sentinel in self._sentinels().items()
        ]
        rows = self._without_sentinels(rows)
        rows, commas = read_decimal_commas(rows, self.source, self.table, shown.marks)
        rows, units = self._without_own_units(rows)
        rows = self._in_canonical_units(self._with_words(rows.filter(self._is_filled())))
        rows, dates = read_dates(rows, self.source.dates, self.table, shown.dates)
        return rows, collect([*emptied, *commas, *units, *dates])

    def _without_sentinels(self, rows: pl.DataFrame) -> pl.DataFrame:
        kept = {
            name: pl.when(~is_one.fill_null(False)).then(name) for name, is_one in self._sentinels().items()
        }
        return rows.with_columns(**kept)

    def _sentinels(self) -> dict[str, pl.Expr]:
        """By column, whether a cell is a word or number that the mapping declares to mean nothing."""
        found = {}
        for name, words in self._by_column(self.source.missing, "missing").items():
            plain = [word.strip().lower() for word in words]
            numbers = pl.Series(plain).to_frame("word").select(read_number(pl.col("word"))).to_series()
            is_number = read_number(pl.col(name)).is_in(numbers.drop_nulls().implode())
            found[name] = pl.col(name).str.to_lowercase().is_in(plain) | is_number
        return found

    def _is_filled(self) -> pl.Expr:
        """False where a row was made of a group none of whose cells holds anything any more."""
        some = pl.any_horizontal(
            pl.col(name).is_not_null() & pl.col("_reshaped").list.contains(name) for name in self.present
        )
        return (pl.col("_reshaped").list.len() == 0) | some

    def _without_own_units(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
        """A number without the unit behind it, where that is the column's own (declared or canonical)."""
        declared = self._by_column(self.source.units, "units")
        pattern, findings = rf"^({NUMBER})\s*({MAYBE_UNIT}.*)$", []
        for name in self.present:
            unit = COLUMNS[self.table][name].unit
            if not unit:
                continue
            factor = self._factor(name, declared)
            if not rows[name].str.contains(MAYBE_UNIT).any():
                continue
            own = [other for other, theirs in UNITS[unit].items() if theirs == factor]
            has_unit = plain_unit(pl.col(name).str.extract(pattern, 2)).is_in(own).fill_null(False)
            findings.append(find(rows, self.table, name, "own_unit", has_unit & FRESH))
            number = pl.col(name).str.extract(pattern, 1)
            rows = rows.with_columns(pl.when(has_unit).then(number).otherwise(pl.col(name)).alias(name))
        return rows, findings

    def _with_words(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Words through `values`, of those columns that the rows have."""
        for name, words in self._by_column(self.source.values, "values").items():
            if name not in rows.columns:
                continue
            self._check_targets(words, name)
            plain = {theirs.strip().lower(): ours for theirs, ours in words.items()}
            translated = (
                pl.col(name).str.to_lowercase().replace_strict(plain, default=None, return_dtype=pl.String)
            )
            rows = rows.with_columns(pl.coalesce(translated, name).alias(name))
        return rows

    def _in_canonical_units(self, rows: pl.DataFrame) -> pl.DataFrame:
        declared = self._by_column(self.source.units, "units")
        for name in declared:
            factor = self._factor(name, declared)
            if factor != 1:
                converted = (read_number(pl.col(name)) * factor).cast(pl.String)
                rows = rows.with_columns(pl.coalesce(converted, name).alias(name))
        return rows

    def _factor(self, name: str, declared: dict[str, str]) -> float:
        """What turns a column's declared unit into the canonical one; StudyError for a unit that is not understood."""
        unit = COLUMNS[self.table][name].unit
        stated = declared.get(name)
        if stated is None:
            return 1
        known = UNITS[unit] if unit else {}
        plain = "".join(stated.split()).lower()
        if plain not in known:
            choices = f"understood: {', '.join(known)}" if known else "the column takes no unit"
            raise StudyError(
                f"{self._key('units')}.{name}: {stated!r} is not understood{nearest(plain, known)} ({choices})."
            )
        return known[plain]

    def _check_targets(self, words: dict[str, str], name: str) -> None:
        column = COLUMNS[self.table][name]
        allowed = {"enum": column.allowed, "bool": ("true", "false")}.get(column.kind)
        for ours in words.values():
            if allowed and ours not in allowed:
                raise StudyError(
                    f"{self._key('values')}.{name}: {ours!r} is not one of {', '.join(allowed)}"
                    f"{nearest(ours, allowed)}"
                )

    def _by_column(self, section: dict[str, V], key: str) -> dict[str, V]:
        """The section by canonical column; its keys may be canonical or source columns. StudyError otherwise."""
        ours_of = dict(self.source.columns)
        for reshape in self.source.wide_to_long:
            for columns, _ in reshape.groups():
                ours_of |= columns
        found: dict[str, V] = {}
        for name, content in section.items():
            ours = name if name in COLUMNS[self.table] else ours_of.get(name)
            if ours is None or ours not in self.present:
                known = [*self.present, *ours_of]
                raise StudyError(
                    f"{self._key(key)}: {self.label} has no column {name!r}{nearest(name, known)}"
                )
            found[ours] = content
        return found

    def _key(self, key: str) -> str:
        return f"{self.site.path}: tables.{self.table}.{key}"

    def _date_columns(self) -> list[str]:
        return [column.name for column in date_columns(self.present, self.table)]
