"""One column of the identifier screen: its cells gathered batch by batch in bounded memory, and what is decided on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import polars as pl

from d2tra.extract import identifiers as kinds
from d2tra.extract.health_numbers import ten_digit_cells
from d2tra.extract.identifiers import date_years, exempt_kinds, old_ages, reads_as_births, signs_in_column
from d2tra.extract.signs import Column, Sign, n_cells, unified_cells

MOST_DISTINCT = (
    300_000  # distinct cells that are judged at once; of more, every such part is judged by itself
)
FOR_TYPICAL_YEAR = 0.99  # the extract's last year, some mistyped ones left out


@dataclass(frozen=True)
class Decision:
    """What was looked for in one column and what came of it; numbers of cells only, never a value.

    `exempt`: kind → why it was not looked for. `decision`: stop, warning or pass.
    """

    file: str
    column: str
    n_filled: int
    looked_for: tuple[str, ...]
    exempt: dict[str, str]
    decision: str
    why: str

    def as_dict(self) -> dict[str, Any]:
        """Returns the decision as plain values."""
        return asdict(self)


@dataclass
class ScreenedColumn:
    """A column while it is read: `add` every batch, `judge` the last ones, then `finish`. `column` says what the mapping tells of it."""

    file: str
    shown: str
    column: Column
    hospital_number: str | None
    n_filled: int = 0
    signs: dict[str, Sign] = field(default_factory=dict)
    years: list[pl.DataFrame] = field(default_factory=list)
    birth_years: list[pl.DataFrame] = field(default_factory=list)
    n_ten_digits: int = 0
    n_passing: int = 0
    _waiting: list[pl.DataFrame] = field(default_factory=list)
    _n_waiting: int = 0

    def add(self, cells: pl.Series) -> None:
        """Takes the next batch of cells."""
        counted = cells.drop_nulls().rename("value").value_counts(name="count")
        self.n_filled += n_cells(counted)
        self._waiting.append(counted)
        self._n_waiting += counted.height
        if self._n_waiting > MOST_DISTINCT:
            self._waiting = [pl.concat(self._waiting).group_by("value").agg(pl.col("count").sum())]
            self._n_waiting = self._waiting[0].height
            if self._n_waiting > MOST_DISTINCT // 2:
                self.judge()

    def finish(self) -> None:
        """Puts stops before warnings, the more frequent first."""
        in_order = sorted(self.signs.values(), key=_stops_first)
        self.signs = {sign.kind: sign for sign in in_order}
        if kinds.POSTCODE in self.signs:
            self.signs.pop(kinds.OUTWARD, None)

    def find(self, sign: Sign) -> None:
        """Adds a sign to those of its kind."""
        before = self.signs.get(sign.kind, Sign(sign.kind, 0, stops=False))
        self.signs[sign.kind] = Sign(sign.kind, before.cells + sign.cells, before.stops or sign.stops)

    def decision(self) -> Decision:
        """Returns what was decided, in words."""
        exempt = exempt_kinds(self.column, self.hospital_number)
        found = self.signs.values()
        stops = [sign for sign in found if sign.stops]
        why = "; ".join(f"{sign.kind}: {sign.cells} of {self.n_filled} filled cells" for sign in found)
        if self.n_ten_digits and not stops:
            chance = f"{self.n_passing} of {self.n_ten_digits} cells of ten digits pass the check of an NHS number: chance"
            why = f"{why}; {chance}" if why else chance
        return Decision(
            self.file,
            self.shown,
            self.n_filled,
            tuple(kind for kind in kinds.KINDS if kind not in exempt),
            exempt,
            "stop" if stops else "warning" if found else "pass",
            why or ("no cell shows any of these" if self.n_filled else "the column is empty"),
        )

    def judge(self) -> None:
        """Judges the cells that wait."""
        if not self._waiting:
            return
        counted = pl.concat(self._waiting).group_by("value").agg(pl.col("count").sum())
        values = unified_cells(counted).with_row_index("cell")
        self._waiting, self._n_waiting = [], 0
        column = replace(self.column, values=values)
        for sign in signs_in_column(column, self.hospital_number):
            self.find(sign)
        if column.is_title:
            return
        self.years.append(date_years(values))
        if column.is_birth_year:
            self.birth_years.append(values)
        n_ten_digits, n_passing = ten_digit_cells(column)
        self.n_ten_digits, self.n_passing = self.n_ten_digits + n_ten_digits, self.n_passing + n_passing


def find_old_dates(columns: Iterable[ScreenedColumn], exempt: frozenset[str], cut: int | None) -> None:
    """Adds signs to the columns whose dates read as births, or whose years of birth make ages above 90.

    They are judged by the year of the extract's cut, else by the last year that its other dates reach. Columns of
    the canonical dates `exempt`, and those already told to be of birth or death, are left alone.
    """
    dated = {id(column): pl.concat(column.years) for column in columns if column.years}
    for column in columns:
        others = [years for key, years in dated.items() if key != id(column) and years.height]
        last_year = cut or _last_year(others)
        if last_year is None:
            continue
        if column.birth_years:
            n_old = old_ages(pl.concat(column.birth_years), last_year)
            if n_old:
                column.find(Sign(kinds.AGE, n_old, stops=False))
        is_told = {kinds.BIRTH, kinds.DEATH} & set(column.signs) or column.column.roles & exempt
        mine = dated.get(id(column))
        if mine is not None and not is_told and reads_as_births(column.n_filled, mine, last_year):
            column.find(Sign(kinds.BIRTH, n_cells(mine)))


def _last_year(others: list[pl.DataFrame]) -> int | None:
    if not others:
        return None
    cells = pl.concat(others).group_by("year").agg(pl.col("count").sum()).sort("year")
    share = pl.col("count").cum_sum() / pl.col("count").sum()
    return int(cells.filter(share >= FOR_TYPICAL_YEAR)["year"][0])


def _stops_first(sign: Sign) -> tuple[bool, int]:
    return not sign.stops, -sign.cells
