"""What the tables of models share: which rows of a fit they show, how a factor is named, and what stands beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from d2tra.risk_factor_plan import Characteristic
from d2tra.tables.cells import Cell, proportion_cell, text_cell, value_cell
from d2tra.tables.describe import row_label
from d2tra.tables.results import NO, YES, Results

INTERCEPT = "(Intercept)"
REFERENCE = "reference"
EXPLORATORY = "exploratory"
NOTES = "Note"
IMPUTED = re.compile(r"imputed \(m = \d+\), pooled by \w+")
OF_THE_MODEL = re.compile(rf"{IMPUTED.pattern}|{EXPLORATORY}: .*? \(Riley\)")
LEVELS = {"true": YES, "false": NO}
EXPLAINED = "Exploratory: the multivariable model has more parameters than its events can bear (Riley)."
Row = dict[str, Any]
Place = tuple[str, str | None]


def primary_rows(results: Results, fitted: pl.DataFrame) -> dict[Place, Row]:
    """Returns the rows of models/<model>.csv for the primary definition, by term and level, without the intercept."""
    wanted = fitted.filter((pl.col("definition") == results.primary) & (pl.col("term") != INTERCEPT))
    return {(row["term"], row["level"]): row for row in wanted.iter_rows(named=True)}


def is_exploratory(rows: Mapping[Place, Row]) -> bool:
    """Whether the rows come from a model above its parameter budget."""
    return any(EXPLORATORY in (row["note"] or "") for row in rows.values())


def heading(results: Results, model: str, rows: Mapping[Place, Row]) -> str:
    """Returns the model's title; "(exploratory)" is part of it, so that no number stands without the word."""
    title = results.model_titles.get(model, model)
    return f"{title} ({EXPLORATORY})" if is_exploratory(rows) else title


def places_of(rows: Iterable[Mapping[Place, Row]]) -> list[Place]:
    """Returns each term and level once, the levels of a term together, in the order of the models."""
    found = dict.fromkeys(place for by_place in rows for place in by_place)
    terms = list(dict.fromkeys(term for term, _ in found))
    return sorted(found, key=lambda place: terms.index(place[0]))


def characteristics_of(results: Results, places: Iterable[Place]) -> list[Characteristic]:
    """Returns the characteristics behind the terms, for the footnotes that they ask for."""
    known = results.plan.characteristics
    return [known[term] for term in dict.fromkeys(term for term, _ in places) if term in known]


def names_of(results: Results, row: Row) -> tuple[str, str | None]:
    """Returns how the factor and its level are named; a level of several says what it stands against."""
    known, level = results.plan.characteristics, row["level"]
    factor = row_label(known[row["term"]]) if row["term"] in known else row["term"]
    if level is None or level in LEVELS:
        return factor, LEVELS.get(level)
    against = row["reference"]
    return factor, f"{level} v {against}" if against not in (None, level) else level


def line_of(results: Results, section: str, row: Row) -> Place:
    """Returns the place of a factor's level on a line of its own in a section of a table."""
    factor, level = names_of(results, row)
    return section, factor if level in (None, YES) else f"{factor}: {level}"


def events_cells(row: Row, column: str, place: Place) -> list[Cell]:
    """Returns events of patients at that level; none for a factor that was not fitted."""
    return (
        [] if row["n"] is None else [proportion_cell(place[0], column, row["n_events"], row["n"], place[1])]
    )


def estimate_cell(row: Row, column: str, place: Place) -> Cell:
    """Returns the odds ratio with its interval; 1 for the reference."""
    if row["note"] == REFERENCE:
        return text_cell(place[0], column, "1 (reference)", place[1])
    numbers = (row["odds_ratio"], row["ci_low"], row["ci_high"])
    return value_cell("estimate", place[0], column, *numbers, level=place[1], **beside(row))


def beside(row: Row) -> dict[str, Any]:
    """Returns what every cell of that row carries: the smallest count it gives away, and what its fit has to say."""
    return {"smallest": row["smallest_cell"], "note": row["note"]}


def note_cells(place: Place, said: Iterable[tuple[str, str | None, int | None]]) -> list[Cell]:
    """Returns one cell with what the fits have to say: who says it, the note, the smallest count of that fit's term.

    It is held back with the smallest of them. What is true of the whole model is left out: the heading says
    exploratory, the footnote on methods how imputed sets were pooled.
    """
    told: list[str] = []
    counts: list[int] = []
    for who, note, smallest in said:
        about_term = OF_THE_MODEL.sub("", note or "")
        own = "; ".join(part.strip() for part in about_term.split(";") if part.strip())
        if own and own != REFERENCE:
            told.append(f"{who}: {own}" if who else own)
            counts += [] if smallest is None else [smallest]
    return (
        [text_cell(place[0], NOTES, "; ".join(told), place[1], smallest=min(counts, default=None))]
        if told
        else []
    )


def methods_note(fits: Mapping[str, Mapping[Place, Row]]) -> str:
    """Returns a sentence that names the methods of each model (or cohort), and how imputed sets were pooled."""
    named = {
        who: [
            *sorted({row["method"] for row in rows.values() if row["method"]}),
            *sorted({pooling for row in rows.values() for pooling in IMPUTED.findall(row["note"] or "")}),
        ]
        for who, rows in fits.items()
    }
    said = "; ".join(f"{who} {', '.join(methods) or 'not fitted'}" for who, methods in named.items())
    return f"Methods: {said} (firth: profile penalised-likelihood intervals; logit: Wald intervals)."
