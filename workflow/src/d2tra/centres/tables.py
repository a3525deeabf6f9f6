"""Pooled results as tables of cells: each factor with its centres' odds ratios above the pooled ones; the prevalence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from d2tra.centres.pool import Question
from d2tra.centres.share import ShareFile
from d2tra.estimates import Z
from d2tra.risk_factor_plan import load_plan
from d2tra.tables.cells import Cell, as_cells, decimal, interval, proportion_cell, text_cell, value_cell
from d2tra.tables.describe import row_label
from d2tra.tables.table import Table

EVENTS, ODDS_RATIO, PREDICTION, BETWEEN = (
    "Met / patients",
    "Odds ratio",
    "95 % prediction interval",
    "Between centres",
)
POOLED_ROWS = {
    "reml": "Random effects (REML, Hartung–Knapp)",
    "dl": "Random effects (DerSimonian–Laird, Hartung–Knapp)",
    "fixed": "Common effect",
    "joint": "Common effect, all terms together",
}  # fmt: skip
YES = "true"
NOTE = "Note"
COLUMNS = (
    ODDS_RATIO,
    PREDICTION,
    EVENTS,
    BETWEEN,
    NOTE,
)  # every row has the first, so that rows keep their order
NOTES = (
    "Centres: odds ratio and Wald 95 % interval from the log odds ratio and standard error that each released. «Held back»: "
    "the centre's disclosure control, or no estimate there.",
    "Random effects: the mean over centres like these. Common effect: one effect for all; «all terms together» uses the "
    "covariances too and comes nearest to one fit of all patients.",
    "The prediction interval is where the odds ratio of one more centre is expected.",
    "Met / patients: as released, of the complete cases behind the estimate; sums are of the centres that contribute.",
)


def odds_ratio_tables(
    files: Sequence[ShareFile], asked: Sequence[Question], pooled: pl.DataFrame
) -> list[Table]:
    """Returns a table per cohort and model: the study's primary definition, each factor with a row per centre and pooling."""
    primary = files[0].primary
    tables = []
    for cohort, model in dict.fromkeys((q.cohort, q.model) for q in asked if q.definition == primary):
        same = [q for q in asked if (q.cohort, q.model, q.definition) == (cohort, model, primary)]
        cells = sorted(
            (cell for q in same for cell in _cells_of(q, pooled)),
            key=lambda cell: COLUMNS.index(cell["column"]),
        )
        title = f"Odds ratios across {len(files)} centres: model {model}, cohort {cohort}"
        tables.append(Table(f"{model}_{cohort}", title, as_cells(cells), _footnotes(files)))
    return tables


def prevalence_table(files: Sequence[ShareFile], counts: pl.DataFrame) -> Table:
    """Returns how many meet each definition in each centre and in all together (Wilson intervals; sums of released counts)."""
    cells: list[Cell] = []
    for one in counts.iter_rows(named=True):
        row = f"{one['definition']}, cohort {one['cohort']}"
        level = one["site"] or f"Together ({one['n_centres']} of {len(files)} centres)"
        known = one["n_met"] is not None and one["n"] is not None
        cells.append(
            proportion_cell(row, "Met", one["n_met"], one["n"], level)
            if known
            else text_cell(row, "Met", "held back", level)
        )
        for name, column in (("n_not_met", "Not met"), ("n_not_assessable", "Not assessable")):
            held = (
                {"kind": "text", "text": "held back"}
                if one[name] is None
                else {"kind": "count", "n": one[name]}
            )
            cells.append({"row": row, "level": level, "column": column, **held})
    return Table(
        "prevalence", "Who meets each definition, by centre", as_cells(cells), _footnotes(files)[-2:]
    )


def _cells_of(asked: Question, pooled: pl.DataFrame) -> Iterator[Cell]:
    row = _label(asked)
    given = {one.site: one for one in asked.given}
    for site in sorted({*given, *asked.without}):
        if site not in given:
            yield text_cell(row, ODDS_RATIO, "held back", site)
            continue
        _, fit, term = given[site]
        if fit.n is not None and fit.n_events is not None:
            yield proportion_cell(row, EVENTS, fit.n_events, fit.n, site)
        estimate, low, high = np.exp(term.log_odds_ratio + np.array([0, -Z, Z]) * term.std_error).tolist()
        yield value_cell("estimate", row, ODDS_RATIO, estimate, low, high, site, note=term.note)
        if term.note:
            yield text_cell(row, NOTE, term.note, site)
    same = pooled.filter(
        *(pl.col(name) == getattr(asked, name) for name in ("cohort", "model", "definition", "term")),
        pl.col("level").eq_missing(asked.level),
    )
    for found in same.iter_rows(named=True):
        yield from _pooled_cells(row, found)


def _pooled_cells(row: str, found: dict[str, Any]) -> Iterator[Cell]:
    level = POOLED_ROWS[found["pooling"]]
    if found["estimate"] is None:
        yield text_cell(row, ODDS_RATIO, found["note"], level)
        return
    if found["n"] is not None and found["n_events"] is not None:
        yield proportion_cell(row, EVENTS, found["n_events"], found["n"], level)
    numbers = (found["odds_ratio"], found["ci_low"], found["ci_high"])
    yield value_cell("estimate", row, ODDS_RATIO, *numbers, level=level, note=found["note"])
    if found["pooling"] in ("reml", "dl"):
        low, high = found["prediction_low"], found["prediction_high"]
        yield text_cell(row, PREDICTION, interval(low, high, 2), level, low=low, high=high)
    if found["note"]:
        yield text_cell(row, NOTE, found["note"], level)
    if found["i2"] is not None:
        between = (
            f"I² {decimal(found['i2'], 0)} %, τ² {decimal(found['tau2'], 2)}, {found['n_centres']} centres"
        )
        yield text_cell(row, BETWEEN, between, level)


def _label(asked: Question) -> str:
    known = load_plan().characteristics
    name = row_label(known[asked.term]) if asked.term in known else asked.term
    if asked.level is None or asked.level == YES:
        return name
    return f"{name}: {asked.level}" + (f" v {asked.reference}" if asked.reference else "")


def _footnotes(files: Sequence[ShareFile]) -> tuple[str, ...]:
    outcome = f"Outcome: {files[0].primary}. Study {files[0].study}: {files[0].title}."
    rules = list(dict.fromkeys(file.disclosure for file in files))
    synthetic = ["Synthetic data: no patient behind any number."] if files[0].synthetic else []
    return (*NOTES, outcome, *rules, *synthetic)
