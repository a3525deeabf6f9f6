"""How soon after the first b/tsDMARD the primary definition is met: who is followed, and the cumulative incidence."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl

from d2tra.follow_up import CENSORED, DIED, FOLLOWED, MET, time_until_met
from d2tra.survival import cumulative_incidence
from d2tra.tables.cells import CELLS, Cell, as_cells, count_cell, value_cell
from d2tra.tables.results import Results
from d2tra.tables.table import Table

HORIZONS = (1, 2, 5, 10)  # years
PATIENTS, AT_RISK = "Patients", "At risk"
NUMBERS = ("incidence", "ci_low", "ci_high")
CURVES = {MET: "Met it by then, %", DIED: "Died before it, %"}
BY_THEN, CURVE = "Years since the first b/tsDMARD", "Curve"
NOTES = (
    "Aalen–Johansen cumulative incidence with 95 % confidence intervals (log scale, infinitesimal jackknife); death competes; "
    "who is not met is censored at the last contact.",
    "Delayed entry: a patient counts from the first visit at which the definition can be assessed; who meets it there may have "
    "done so at any time before, and is left out of the curve. Who cannot be assessed at the last visits is censored at the "
    "last visit at which it could be.",
    "With delayed entry few may be at risk in the first months; look at the number at risk. No estimate is given where "
    "nobody is at risk any more.",
    "Where small counts are held back, the curve steps only where enough events lie between.",
    "A death counts in the month in which it is recorded, unless that lies after the recorded last contact.",
)


def time_to_d2t(results: Results) -> Table:
    """Returns who is followed and why others are not; the steps of the curve, which only the figure shows (level = years);
    and at 1, 2, 5 and 10 years those at risk and the incidence."""
    members = results.analysis_set
    title = f"Time from the first b/tsDMARD to the definition, cohort {results.cohort}"
    if not set(FOLLOWED) <= set(members.columns):
        return Table("time_to_d2t", title, pl.DataFrame(schema=CELLS))
    of_disease = members.filter(pl.col(results.primary).is_not_null())
    spells = time_until_met(of_disease)
    followed = spells.filter(pl.col("left_out").is_null())
    cells = [count_cell("Cohort members", PATIENTS, spells.height)]
    for reason, rows in spells.drop_nulls("left_out").partition_by("left_out", as_dict=True).items():
        cells.append(count_cell("Left out", PATIENTS, rows.height, str(reason[0])))
    cells.sort(key=lambda cell: cell["level"] or "")
    cells.append(count_cell("Followed", PATIENTS, followed.height))
    for event, said in {MET: "met", DIED: "died before", CENSORED: "neither until the end"}.items():
        cells.append(count_cell("Followed", PATIENTS, followed.filter(pl.col("event") == event).height, said))
    cells += results.presumed_cells(PATIENTS)
    if followed.height:
        cells += _incidence(followed)
    return Table("time_to_d2t", title, as_cells(cells), results.footnotes(*NOTES))


def _incidence(followed: pl.DataFrame) -> list[Cell]:
    """The steps up to each horizon, then what can be read off them there."""
    curves = cumulative_incidence(followed["leave"], followed["event"], followed["entry"], censored=CENSORED)
    steps = curves.filter(pl.col("n_event") > 0).sort("time", "event")
    cells: list[Cell] = []
    for since, years in pairwise((0.0, *HORIZONS, float("inf"))):
        between = steps.filter(pl.col("time") > since, pl.col("time") <= years)
        cells += [_step(step) for step in between.iter_rows(named=True)]
        if years in HORIZONS:
            cells += _at(years, steps, followed)
    return cells


def _step(step: dict[str, Any]) -> Cell:
    estimate, low, high = (None if step[name] is None else 100 * step[name] for name in NUMBERS)
    column, time = CURVES[step["event"]], f"{step['time']:.3f}"
    return value_cell("step", CURVE, column, estimate, low, high, level=time, n=step["n_event"])


def _at(years: float, steps: pl.DataFrame, followed: pl.DataFrame) -> list[Cell]:
    """Those at risk at that time, and the incidence by then; 0 before the first event, none where nobody is at risk."""
    level = f"{years:g} year" + ("s" if years > 1 else "")
    at_risk = followed.filter(pl.col("entry") < years, pl.col("leave") >= years).height
    cells = [count_cell(BY_THEN, AT_RISK, at_risk, level)]
    for event, column in CURVES.items():
        reached = steps.filter(pl.col("event") == event, pl.col("time") <= years).tail(1)
        if at_risk and reached.height:
            cells.append(
                _step(reached.row(0, named=True))
                | {"kind": "on_curve", "row": BY_THEN, "level": level, "n": None}
            )
        else:
            cells.append(value_cell("estimate", BY_THEN, column, 0.0 if at_risk else None, level=level))
    return cells
