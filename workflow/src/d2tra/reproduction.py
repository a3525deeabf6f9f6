"""The numbers that an audit printed, counted again: config/published/<audit>.yaml against a cohort's analysis set."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import polars as pl

from d2tra.config import Closed, load_yaml, parse
from d2tra.errors import StudyError, nearest
from d2tra.risk_factors import at_index
from d2tra.scores.bands import Limit, rounded

Filter = dict[str, bool | int | str | Limit]
NUMBERS = {"numerator": pl.Int64, "denominator": pl.Int64, "computed": pl.Float64}
REPRODUCTION = {
    "statement": pl.String,
    "published": pl.Float64,
    "implied_numerator": pl.Int64,
    **NUMBERS,
    "agrees": pl.Boolean,
    "note": pl.String,
    "implied_denominator": pl.Int64,
}
READINGS = {"statement": pl.String, "reading": pl.String, **NUMBERS, "note": pl.String}


class Reading(Closed):
    """Another way to read a statement; `among` as in the statement where it is left out."""

    reading: str
    count: Filter | None = None
    among: Filter | None = None
    not_computed: str | None = None


class Statement(Closed):
    """One printed number (percent), the fraction behind it, and what it counts in whom."""

    statement: str
    published: float
    implied: tuple[int, int]
    count: Filter
    among: Filter
    readings: list[Reading] = []


class Agreement(Closed):
    """Below so many points apart agrees where the denominator is small; correct rounding is asked otherwise."""

    points: Limit
    denominator: Limit
    source: str


class PublishedCohort(Closed):
    definition: str
    statements: list[Statement]


class Published(Closed):
    """The printed numbers of a paper, per cohort."""

    title: str
    source: str
    agreement: Agreement
    cohorts: dict[str, PublishedCohort]


def load_published(path: str | Path) -> Published:
    """Returns the published numbers of a YAML; StudyError names the file and the key."""
    return parse(Published, load_yaml(path), path)


def reproduce(analysis_set: pl.DataFrame, published: Published | None, cohort: str) -> pl.DataFrame:
    """Returns one row per printed statement of the cohort, in the order printed; none where nothing of it was
    printed (or `published` is None).

    statement, published (percent), implied_numerator, numerator, denominator, computed (percent, full precision, null
    without a denominator), agrees (numerator and denominator as implied, and the percentage within the agreement of
    `published`), note, implied_denominator. Characteristics are those at the index date. A patient of whom a
    characteristic is not known stays in the denominator and is counted in the note.
    """
    section = published.cohorts.get(cohort) if published else None
    if published is None or section is None:
        return pl.DataFrame(schema=REPRODUCTION)
    described = at_index(analysis_set)
    rows = [_row(described, statement, section, published.agreement) for statement in section.statements]
    return pl.DataFrame(rows, schema=REPRODUCTION)


def other_readings(analysis_set: pl.DataFrame, published: Published | None, cohort: str) -> pl.DataFrame:
    """Returns one row per other reading of a statement: statement, reading, numerator, denominator, computed (percent),
    note (why it is not computed, or how many patients it is not known of)."""
    section = published.cohorts.get(cohort) if published else None
    if section is None:
        return pl.DataFrame(schema=READINGS)
    described = at_index(analysis_set)
    read = [(statement, reading) for statement in section.statements for reading in statement.readings]
    rows = [
        {"statement": statement.statement, "reading": reading.reading}
        | _read(described, reading, statement.among, section.definition)
        for statement, reading in read
    ]
    return pl.DataFrame(rows, schema=READINGS)


def _read(described: pl.DataFrame, reading: Reading, among: Filter, definition: str) -> dict[str, Any]:
    if reading.count is None:
        return {"note": reading.not_computed}
    among = among if reading.among is None else reading.among
    asked = [definition if key == "outcome" else key for key in {**among, **reading.count}]
    absent = [name for name in asked if name not in described.columns]
    if absent:
        return {"note": f"not computed: {', '.join(absent)} is not in the analysis set"}
    return _share(described, reading.count, among, definition)


def _row(
    analysis_set: pl.DataFrame, statement: Statement, section: PublishedCohort, agreement: Agreement
) -> dict[str, Any]:
    numerator, denominator = statement.implied
    found = _share(analysis_set, statement.count, statement.among, section.definition)
    notes = [misprint(statement), found["note"]]
    as_implied = (found["numerator"], found["denominator"]) == statement.implied
    return {
        "statement": statement.statement,
        "published": statement.published,
        "implied_numerator": numerator,
        "implied_denominator": denominator,
        **found,
        "agrees": as_implied and _is_close(found["computed"], statement.published, denominator, agreement),
        "note": "; ".join(note for note in notes if note) or None,
    }


def _is_close(computed: float, published: float, denominator: int, agreement: Agreement) -> bool:
    """Within the points allowed where the denominator is small, else correctly rounded to the decimals printed."""
    if not _holds(agreement.denominator, denominator):
        return _as_printed(computed, published) == _decimal(published)
    return _holds(agreement.points, abs(computed - published))


def misprint(statement: Statement) -> str | None:
    """Returns why the printed percentage is no correct rounding of the fraction behind it; None where it is."""
    numerator, denominator = statement.implied
    exact = 100 * numerator / denominator
    correct = _as_printed(exact, statement.published)
    if correct == _decimal(statement.published):
        return None
    shown = _decimal(exact).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return (
        f"printed value is not a correct rounding: {numerator}/{denominator} = {shown} rounds to {correct}, "
        f"printed {_decimal(statement.published)}"
    )


def _decimal(number: float) -> Decimal:
    """The number as written: 66, not 66.0."""
    return Decimal(f"{number:.10g}")


def as_printed(number: float, places: int, rounding: str = ROUND_HALF_UP) -> Decimal:
    """Returns the number with that many decimals: rounded half away from zero, or cut off (decimal.ROUND_DOWN)."""
    return Decimal(repr(number)).quantize(Decimal(1).scaleb(-places), rounding)


def _as_printed(number: float, published: float) -> Decimal:
    """The number rounded half away from zero to the decimals of the printed one."""
    return as_printed(number, -min(int(_decimal(published).as_tuple().exponent), 0))


def _holds(limit: Limit, number: float) -> bool:
    return bool(pl.select(limit.holds(pl.lit(float(number)))).item())


def _share(analysis_set: pl.DataFrame, count: Filter, among: Filter, definition: str) -> dict[str, Any]:
    """numerator, denominator, computed (percent) and a note that counts those of whom it is not known."""
    group = analysis_set.filter(fulfils(analysis_set, among, definition))
    counted = group.select(held=fulfils(analysis_set, count, definition))["held"]
    numerator, denominator, n_unknown = int(counted.sum() or 0), group.height, counted.null_count()
    return {
        "numerator": numerator,
        "denominator": denominator,
        "computed": 100 * numerator / denominator if denominator else None,
        "note": f"not known of {n_unknown} of them" if n_unknown else None,
    }


def fulfils(analysis_set: pl.DataFrame, wanted: Filter, definition: str) -> pl.Expr:
    """Returns whether a patient fulfils the whole filter (Kleene; an outcome that is not assessable is not met).

    `outcome` in it stands for `definition`. StudyError for a column that the analysis set does not have.
    """
    held = []
    for key, value in wanted.items():
        name = definition if key == "outcome" else key
        if name not in analysis_set.columns:
            raise StudyError(
                f"published numbers: the analysis set has no column {name!r}{nearest(name, analysis_set.columns)}"
                " Definitions that they count must be among the study's."
            )
        held.append(value.holds(pl.col(name)) if isinstance(value, Limit) else _equals(name, value))
    return pl.all_horizontal(held) if held else pl.repeat(True, pl.len(), dtype=pl.Boolean)


def _equals(name: str, value: bool | int | str) -> pl.Expr:
    return rounded(pl.col(name)) == value if type(value) is int else pl.col(name) == value
