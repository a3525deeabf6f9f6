"""Moves every date of an extract by one constant number of days per patient, before the extract leaves the department.

Intervals within a patient stay; the calendar does not. The number comes from a key that the department keeps, so that
the next quarter's extract is moved the same way, and is written nowhere.
"""

from __future__ import annotations

import datetime as dt
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from d2tra.codelists import BTS_KINDS
from d2tra.config import PROJECT, setting
from d2tra.errors import StudyError
from d2tra.extract.cells import read_date, read_month
from d2tra.extract.dates import EXCEL_EPOCH, ISO, read_declared_date
from d2tra.extract.given_back import Given, file_content, given_sheets
from d2tra.extract.mapping import harmonise
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.site import SiteMapping
from d2tra.extract.table_rules import Recogniser
from d2tra.extract.their_columns import columns_of
from d2tra.io import make_private, write, write_folder

LEAST_KEY = 16  # bytes
WEEKS = 26  # whole weeks, up to half a year either way: the days of the week stay, as in MIMIC-III
FURTHEST = dt.timedelta(weeks=WEEKS)
DAYS = "days "  # a name that no trimmed header has


@dataclass(frozen=True)
class Move:
    """How to move: the department's key, and how dates are read (config/quality.yaml)."""

    key: bytes
    two_digit_years_from: int
    placeholders: tuple[dt.date, ...]


@dataclass(frozen=True)
class Dated:
    """One of their columns that holds dates: the declared format, the texts declared as missing, and whether months."""

    format: str
    missing: tuple[str, ...]
    is_month: bool


@dataclass(frozen=True)
class Shifted:
    """One sheet with its dates moved; how many cells were moved, left (no date can be read), emptied (no patient id)."""

    given: Given
    n_moved: int
    n_left: int
    n_emptied: int
    left_out: tuple[str, ...]


def read_key(path: Path) -> bytes:
    """Returns the key, white space around it stripped; StudyError: absent, too short, or among results, code or settings."""
    _refuse_place(path)
    if not path.is_file():
        raise StudyError(
            f"{path}: no such key file. Make one with --new-key, once, and keep it in the department."
        )
    key = path.read_bytes().strip()
    if len(key) < LEAST_KEY:
        raise StudyError(
            f"{path}: the key has {len(key)} bytes; at least {LEAST_KEY} are needed. Make one with --new-key."
        )
    return key


def make_key(path: Path) -> None:
    """Writes a new random key that only its owner may read; StudyError where the file is there already."""
    _refuse_place(path)
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(secrets.token_hex(32) + "\n", encoding="ascii")
    except FileExistsError:
        raise StudyError(
            f"{path}: there is a key already; another one would move every patient elsewhere."
        ) from None
    except OSError as problem:
        raise StudyError(f"{path}: the key cannot be written: {problem.strerror}.") from None


def move_by(key: bytes) -> Move:
    """Returns the move by that key."""
    dates = setting("quality")["dates"]
    placeholders = tuple(dt.date.fromisoformat(day) for day in dates["placeholders"])
    return Move(key, dates["two_digit_years_from"], placeholders)


def _refuse_place(path: Path) -> None:
    for place in (Path.cwd(), PROJECT):
        if path.resolve().is_relative_to(place.resolve()):
            raise StudyError(
                f"{path}: the key must not lie among results, code or settings ({place.name}/). Keep it elsewhere."
            )


def days_of(patient_ids: Iterable[str], key: bytes) -> list[tuple[str, int]]:
    """Returns (patient_id, days), each patient once: ±7, ±14 … ±182, never 0, from HMAC-SHA256 of the id under the key."""
    days = []
    for patient in sorted(set(patient_ids)):
        drawn = int.from_bytes(hmac.digest(key, patient.encode(), "sha256")[:8], "big") % (2 * WEEKS) - WEEKS
        days.append((patient, 7 * (drawn if drawn < 0 else drawn + 1)))
    return days


def shift_sheet(given: Given, move: Move, path: str) -> Shifted:
    """Returns the sheet with its dates moved, and only the columns that the mapping uses.

    A date is what the mapping's format or ISO reads. A month moves with its last day, so that no visit comes to lie
    after a death it preceded. A text that stands for missing stays; what cannot be read as a date stays and is counted;
    a row without a patient id has its dates emptied. StudyError for a sheet without one id column, or packed dates.
    """
    ids, dated, used = _columns(given, path)
    rows = given.cells.select(name for name in given.cells.columns if name in used)
    days = pl.DataFrame(
        days_of(rows[ids].drop_nulls(), move.key), schema={ids: pl.String, DAYS: pl.Int64}, orient="row"
    )
    rows = rows.join(days, on=ids, how="left", validate="m:1", maintain_order="left")
    has_id = pl.col(ids).is_not_null()
    changed: dict[str, pl.Expr] = {}
    counts: dict[str, list[pl.Expr]] = {"n_moved": [], "n_left": [], "n_emptied": []}
    for name, column in dated.items():
        text = pl.col(name)
        iso = read_date(text)
        day = pl.coalesce(read_declared_date(text, column.format, move.two_digit_years_from), iso)
        stands_for_missing = text.str.to_lowercase().is_in(column.missing) | day.is_in(move.placeholders)
        told = text.is_not_null() & ~stands_for_missing.fill_null(False)
        moved = _moved(text, day, iso.is_not_null(), column)
        changed[name] = pl.when(has_id | ~told).then(pl.coalesce(pl.when(told).then(moved), text))
        counts["n_moved"].append((told & has_id & moved.is_not_null()).sum())
        counts["n_left"].append((told & has_id & moved.is_null()).sum())
        counts["n_emptied"].append((told & ~has_id).sum())
    total = rows.select(pl.sum_horizontal(pl.lit(0), *each).alias(name) for name, each in counts.items())
    cells = rows.with_columns(**changed).drop(DAYS)
    new = Given(given.label, given.above, cells, given.header_row, given.sources)
    left_out = tuple(name for name in given.cells.columns if name not in used)
    return Shifted(new, **total.row(0, named=True), left_out=left_out)


def _moved(text: pl.Expr, day: pl.Expr, is_iso: pl.Expr, column: Dated) -> pl.Expr:
    """The cell's day moved by the row's days, written as it was; null where no date can be read."""
    by = pl.duration(days=pl.col(DAYS))
    if column.format == "excel":
        declared = (day + by - pl.lit(EXCEL_EPOCH)).dt.total_days().cast(pl.String)
    else:
        declared = (day + by).dt.strftime(column.format)
    moved = pl.when(is_iso).then((day + by).dt.strftime(ISO)).otherwise(declared)
    if not column.is_month:
        return moved
    last_day = (read_month(text) + "-01").str.to_date(ISO).dt.month_end()
    return pl.coalesce((last_day + by).dt.strftime("%Y-%m"), moved)


def _columns(given: Given, path: str) -> tuple[str, dict[str, Dated], set[str]]:
    """The column of the patient's id, the columns of dates, and all that the mapping uses; checked."""
    header = set(given.cells.columns)
    ids: set[str | None] = set()
    dated: dict[str, Dated] = {}
    used: set[str | None] = set()
    for table, source in ((table, source) for table, several in given.sources.items() for source in several):
        used |= {source.clinic}
        used |= {source.split.names, source.split.values, source.split.units} if source.split else set()
        for columns in columns_of(source, table):
            ids.add(columns["patient_id"])
            used.update(columns.values())
            for ours, theirs in columns.items():
                kind = COLUMNS[table][ours].kind
                if theirs is None or kind not in ("date", "month"):
                    continue
                if theirs not in header and theirs != ours:
                    raise StudyError(
                        f"{path}: {given.label}: {ours} comes from packed cells, whose dates cannot be moved. "
                        "Give it a column of its own."
                    )
                if theirs in header:
                    words = {*source.missing.get(ours, ()), *source.missing.get(theirs, ())}
                    plain = tuple(sorted(word.strip().lower() for word in words))
                    dated[theirs] = Dated(source.dates.format, plain, kind == "month")
    (one, *others) = ids
    if others or one not in header:
        raise StudyError(
            f"{path}: {given.label} needs one column of patient ids, by which its dates are moved; the mapping names "
            f"{len(ids & header) or 'none'}."
        )
    return str(one), dated, {name for name in used if name in header}


def shift_dates(site: SiteMapping, key: bytes, out: Path, recognise: Recogniser) -> str:
    """Writes the extract anew into the folder `out`, its dates moved; returns what was done, in a few lines.

    Every file of the site under its own name, with the columns that the mapping uses (what it ignores is left out, so
    that no date escapes by it), cells as text; beside `out`, for the department alone, `<out>_calendar_years.csv`:
    what `calendar_years` gives. `recognise` is `d2tra.treatment.recognise_drugs`. StudyError for a database, where
    `out` is there already, or a file cannot be written back.
    """
    if site.is_fetched:
        raise StudyError(f"{site.path}: dates are moved in files; export the tables of the database first.")
    if out.exists():
        raise StudyError(f"{out}: is there already. Name a new folder; nothing is written over.")
    read = {table: rows.lazy().collect() for table, rows in harmonise(site).tables.items()}
    years = calendar_years(read, recognise)
    move = move_by(key)
    by_file: dict[str, list[Shifted]] = {}
    for given in given_sheets(site):
        by_file.setdefault(given.first.file, []).append(shift_sheet(given, move, site.path))
    write_folder(
        {name: file_content(name, [each.given for each in sheets]) for name, sheets in by_file.items()}, out
    )
    make_private(out)
    beside = out.with_name(f"{out.name}_calendar_years.csv")
    write(years, beside)
    beside.chmod(0o600)
    return _told(site, [each for sheets in by_file.values() for each in sheets], out, beside)


def calendar_years(tables: dict[str, pl.DataFrame], recognise: Recogniser) -> pl.DataFrame:
    """Returns patient_id, first_bts_year (Int64: of the first b/tsDMARD start), last_visit_year, one row per patient.

    Null = none. For the era of an analysis (NICE changed in 2021), which moved dates no longer tell. `tables`: as
    harmonised. Source: clinical reference 7.3.
    """
    people = tables["patients"].select("patient_id").drop_nulls().unique().sort("patient_id")
    last_visit = read_date(pl.col("visit_date")).dt.year().cast(pl.Int64).max()
    years = [tables["visits"].group_by("patient_id").agg(last_visit_year=last_visit)]
    if "treatments" in tables:
        rows = tables["treatments"]
        if "atc_code" not in rows.columns:
            rows = rows.with_columns(atc_code=pl.lit(None, dtype=pl.String))
        is_bts = recognise(rows["drug"], rows["atc_code"])["kind"].is_in(BTS_KINDS).fill_null(False)
        first = read_date(pl.col("start_date")).dt.year().cast(pl.Int64).min()
        years.insert(0, rows.filter(is_bts).group_by("patient_id").agg(first_bts_year=first))
    for found in years:
        people = people.join(found, on="patient_id", how="left", validate="1:1", maintain_order="left")
    return people


def _told(site: SiteMapping, sheets: list[Shifted], out: Path, beside: Path) -> str:
    lines = [
        f"Dates moved by whole weeks, up to {WEEKS} either way, every date of a patient by the same number."
    ]
    for one in sheets:
        said = f"{one.given.label}: {one.n_moved} dates moved"
        if one.n_left:
            said += f", {one.n_left} left as they are (no whole date can be read: correct them first)"
        if one.n_emptied:
            said += f", {one.n_emptied} emptied (no patient id in their rows)"
        if one.left_out:
            said += f", {len(one.left_out)} columns left out that the mapping does not use"
        lines.append(f"{said}.")
    cut = site.data_cut_date
    stated = (cut + FURTHEST).isoformat() if cut else f"<last day of the extract + {FURTHEST.days} days>"
    lines += [
        f"In the mapping of the moved extract: source: {out.as_posix()} and data_cut_date: {stated}",
        f"(the cut + {FURTHEST.days} days, so that no row falls after it; the same in a study that states a cut).",
        f"For the department alone: {beside.as_posix()} (calendar years), and the key.",
    ]
    return "\n".join(lines)
