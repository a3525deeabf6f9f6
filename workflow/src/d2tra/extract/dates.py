"""Dates as a source writes them: declared formats, two-digit years, placeholders, dates known to the month or year only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import NamedTuple

import polars as pl

from d2tra.config import setting
from d2tra.extract.cells import read_number
from d2tra.extract.findings import FRESH, find
from d2tra.extract.schemas import COLUMNS, Column
from d2tra.extract.site import Dates

ISO = "%Y-%m-%d"
EXCEL_EPOCH = dt.date(1899, 12, 30)
EXCEL_LAST_DAY = 2_958_465  # 9999-12-31
# Ways in which a date may be written that its declared format does not read; tried only to say so, never used.
OTHER_FORMATS = (
    ISO, "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d-%b-%Y", "%d %b %Y", "%d/%m/%y",
    "%m/%d/%y", "%d.%m.%y", "%Y%m%d", "excel",
)  # fmt: skip
PERIOD = r"^(?:(?:(?<month>\d{1,2})[-/.])?(?<year>\d{4})|(?<iso>\d{4})-(?<iso_month>\d{2}))$"
EARLIER, LATER = "symptom_onset_date", "diagnosis_date"


class Written(NamedTuple):
    """How the filled cells of a date column are written: how many there are and the declared format reads, which other
    formats read every one, and the first row (`row_read`) that the declared one does not."""

    n: int = 0
    n_declared: int = 0
    others: tuple[str, ...] = OTHER_FORMATS
    first_unread: int | None = None


def look_at_dates(
    rows: pl.DataFrame, dates: Dates, table: str, so_far: Mapping[str, Written]
) -> dict[str, Written]:
    """Returns how each date column is written; `so_far`: what was returned of the rows before."""
    since = setting("quality")["dates"]["two_digit_years_from"]
    found = {}
    for column in date_columns(rows.columns, table):
        filled = rows.select("row_read", cell=column.name).drop_nulls("cell")
        before = so_far.get(column.name, Written())
        is_read = read_declared_date(pl.col("cell"), dates.format, since).is_not_null()
        counted = filled.select(
            n_declared=is_read.sum(),
            first_unread=pl.col("row_read").filter(~is_read).min(),
            **{
                written: _reads(written, dates.format, since).fill_null(False).all()
                for written in before.others
            },
        ).row(0, named=True)
        found[column.name] = Written(
            before.n + filled.height,
            before.n_declared + counted["n_declared"],
            tuple(written for written in before.others if counted[written]),
            counted["first_unread"] if before.first_unread is None else before.first_unread,
        )
    return found


def _reads(written: str, declared: str, since: int) -> pl.Expr:
    """Whether another format than the declared one reads a `cell` as a date that makes sense."""
    sensible = read_declared_date(pl.col("cell"), written, since).dt.year().is_between(1900, 2100)
    if written == "excel":  # the years of serial numbers that are not something else: 1954 to 2064
        return read_number(pl.col("cell")).is_between(20_000, 60_000)
    if "%Y" in written and written != declared:
        sensible &= pl.col("cell").str.contains(r"\d{4}")
    return sensible


def read_dates(
    rows: pl.DataFrame, dates: Dates, table: str, shown: Mapping[str, Written]
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Returns the rows with every date that the declared format reads as ISO text (months `YYYY-MM`), and findings.

    A placeholder of config/quality.yaml (1900-01-01) is emptied (fix). With `partial: middle`, a date known to the month
    or year only becomes the middle of it in columns whose cells may be empty (fix). What is not read is left as it is; a
    column of which another format reads every cell and the declared one does not is a finding (stop). `shown`: what
    `look_at_dates` returned of all rows.
    """
    settings, findings = setting("quality")["dates"], []
    placeholders = [dt.date.fromisoformat(day) for day in settings["placeholders"]]
    periods: dict[str, pl.Expr] = {}
    for column in date_columns(rows.columns, table):
        name = column.name
        day = read_declared_date(pl.col(name), dates.format, settings["two_digit_years_from"])
        detail = _better_format(shown[name], dates.format)
        if detail:
            first = pl.col("row_read") == shown[name].first_unread
            findings.append(find(rows, table, name, "other_date_format", first, pl.lit(detail)))
        empty = day.is_in(placeholders)
        findings.append(find(rows, table, name, "placeholder_date", empty & FRESH))
        iso = day.dt.strftime(ISO if column.kind == "date" else "%Y-%m")
        read: pl.Expr = pl.when(~empty.fill_null(False)).then(pl.coalesce(iso, name))
        if dates.partial == "middle" and column.kind == "date" and not column.is_key:
            findings.append(
                find(
                    rows, table, name, "partial_date", day.is_null() & _bounds(name)[0].is_not_null() & FRESH
                )
            )
            periods[name] = pl.when(day.is_null()).then(pl.struct(lo=_bounds(name)[0], hi=_bounds(name)[1]))
            rows = rows.with_columns(periods[name].alias(f"_period_{name}"))
            lo, hi = (pl.col(f"_period_{name}").struct.field(end) for end in ("lo", "hi"))
            read = pl.coalesce((lo + (hi - lo) / 2).cast(pl.Date).dt.strftime(ISO), read)
        rows = rows.with_columns(read.alias(name))
    if EARLIER in periods and LATER in periods:
        rows = _in_order(rows)
    return rows.drop(f"_period_{name}" for name in periods), findings


def read_declared_date(text: pl.Expr, written: str, two_digit_years_from: int) -> pl.Expr:
    """Returns Date; null where the text is not written so, or means a year before 1900 or after 9999.

    `written`: a strptime format, or `excel` for serial day numbers. Years of two digits fall into the hundred years
    from `two_digit_years_from`.
    """
    if written == "excel":
        number = read_number(text)
        number = pl.when(number.is_between(1, EXCEL_LAST_DAY)).then(number).floor().cast(pl.Int64)
        return pl.lit(EXCEL_EPOCH) + pl.duration(days=number)
    day = text.str.to_date(written, strict=False)
    if "%y" in written:
        year = day.dt.year()
        late, early = year >= two_digit_years_from + 100, year < two_digit_years_from
        return (
            pl.when(late)
            .then(day.dt.offset_by("-100y"))
            .when(early)
            .then(day.dt.offset_by("100y"))
            .otherwise(day)
        )
    return pl.when(day.dt.year().is_between(1900, 9999)).then(day)


def date_columns(names: Collection[str], table: str) -> list[Column]:
    """Returns those columns of a table that hold dates or months and are among the names."""
    return [c for c in COLUMNS[table].values() if c.name in names and c.kind in ("date", "month")]


def _better_format(shown: Written, declared: str) -> str:
    """What to say where formats other than the declared one read every filled cell, and that one does not; else ""."""
    n, n_declared = shown.n, shown.n_declared
    if n < setting("quality")["dates"]["judged_from_cells"] or n_declared == n:
        return ""
    whole = [written for written in shown.others if written != declared]
    if not whole:
        return ""
    doubt = " More than one format does: only the department knows which is meant." if len(whole) > 1 else ""
    return f" The declared {declared} reads {n_declared} of {n} filled cells, {' or '.join(whole)} reads all.{doubt}"


def _bounds(name: str) -> tuple[pl.Expr, pl.Expr]:
    """The first and last day of the month or year that a cell names; null where it names neither."""
    parts = pl.col(name).str.extract_groups(PERIOD).struct
    year = pl.coalesce(parts.field("year"), parts.field("iso")).cast(pl.Int32, strict=False)
    stated = pl.coalesce(parts.field("month"), parts.field("iso_month")).cast(pl.Int32, strict=False)
    fits = year.is_between(1900, 2100) & (stated.is_null() | stated.is_between(1, 12))
    start = pl.date(pl.when(fits).then(year), stated.fill_null(1), 1)
    end = pl.when(stated.is_null()).then(start.dt.offset_by("1y")).otherwise(start.dt.offset_by("1mo"))
    return start, end.dt.offset_by("-1d")


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """A middle that falls on the wrong side of the other date moves onto it, as far as its month or year allows.

    Else an onset in `2010` would set aside a patient diagnosed on 2010-03-05.
    """

    def day(name: str) -> pl.Expr:
        return pl.col(name).str.to_date(ISO, strict=False)

    onset = pl.col(f"_period_{EARLIER}").struct.field("lo")
    diagnosis = pl.col(f"_period_{LATER}").struct.field("hi")
    wrong = day(EARLIER) > day(LATER)
    rows = rows.with_columns(
        pl.when(wrong & (day(LATER) >= onset)).then(LATER).otherwise(EARLIER).alias(EARLIER)
    )
    return rows.with_columns(
        pl.when(wrong & (day(EARLIER) <= diagnosis)).then(EARLIER).otherwise(LATER).alias(LATER)
    )
