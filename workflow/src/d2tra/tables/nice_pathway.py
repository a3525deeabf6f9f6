"""Was the way to the first b/tsDMARD the one that NICE lays down? Each step against its standard, by era."""

from __future__ import annotations

from itertools import pairwise

import polars as pl

from d2tra.config import Closed, parse, setting, setting_path
from d2tra.risk_factor_plan import Characteristic
from d2tra.scores.bands import Edge
from d2tra.tables.cells import Cell, as_cells, count_cell, value_cell
from d2tra.tables.describe import describe, row_label
from d2tra.tables.results import SYNTHETIC, WILSON, Results
from d2tra.tables.table import Table

ERA, BAND = "first_bts_from_july_2021", "nice_band_at_first_bts"
STANDARD, BEFORE, SINCE = "Standard, %", "Begun before", "Begun from"
ELIGIBLE = Characteristic(
    name="das28_eligible_at_first_bts",
    title="DAS28 at the first b/tsDMARD within what NICE then asked for",
    coding="yes_no",
    source="config/nice.yaml",
)


class Era(Closed):
    bands: list[str]
    source: str


class Eras(Closed):
    before: Era
    since: Era


class Pathway(Closed):
    """All of config/nice.yaml."""

    standard_percent: float
    eligible_bands: Eras


def nice_pathway(results: Results) -> Table:
    """Returns, of the patients with RA who had begun a b/tsDMARD by the index date, how many had taken each step, in all and
    by the era of that start, beside the standard. Unknown is a row of its own. No cells where nobody had begun, or
    where the cohort is not of RA: the appraisals are of RA."""
    pathway = parse(Pathway, setting("nice"), setting_path("nice"))
    known = results.plan.characteristics
    begun = results.described.filter(pl.col(ERA).is_not_null()).with_columns(
        _eligible(pathway.eligible_bands)
    )
    is_of_ra = results.study.cohort(results.cohort).disease in ("RA", None)
    groups = {"All": begun, **_by_era(results, begun)} if begun.height and is_of_ra else {}
    cells: list[Cell] = [count_cell("Patients", era, group.height) for era, group in groups.items()]
    for step in (known["two_csdmards_with_methotrexate"], known["csdmard_step"], ELIGIBLE, known[BAND]):
        cells += describe(step, groups)
        if groups and step.name != BAND:
            cells.append(value_cell("number", row_label(step), STANDARD, pathway.standard_percent))
    footnotes = (
        WILSON,
        "Patients who had begun a b/tsDMARD by the index date; n/N of those in whom the step is known.",
        f"{known[BAND].title}: {_in_words(known[BAND], results)}. {known['das28_esr_at_first_bts'].title}, else DAS28-CRP, nearest "
        "before or on the day of the start.",
        *(era.source + "." for era in (pathway.eligible_bands.before, pathway.eligible_bands.since)),
        f"{known['csdmard_step'].title}: {known['csdmard_step'].source}.",
        *([SYNTHETIC] if results.synthetic else []),
    )
    title = f"The NICE pathway to the first b/tsDMARD, cohort {results.cohort}"
    return Table("nice_pathway", title, as_cells(cells), footnotes)


def _eligible(eras: Eras) -> pl.Expr:
    band = pl.col(BAND).cast(pl.String)
    since, before = (band.is_in(era.bands) for era in (eras.since, eras.before))
    return pl.when(ERA).then(since).otherwise(before).alias(ELIGIBLE.name)


def _by_era(results: Results, begun: pl.DataFrame) -> dict[str, pl.DataFrame]:
    since = results.plan.factors[ERA].origin.since
    assert since is not None, f"{ERA} is a day that came or had not come"
    day = f"{since.day.day} {since.day:%B %Y}"
    return {f"{BEFORE} {day}": begun.filter(~pl.col(ERA)), f"{SINCE} {day}": begun.filter(ERA)}


def _in_words(banded: Characteristic, results: Results) -> str:
    origin = results.plan.factors[banded.name].origin.bands
    assert origin is not None, f"{banded.name} is banded"
    below: list[Edge | None] = [None, *origin.edges]
    return "; ".join(f"{edge.band} {_reach(last, edge)}" for last, edge in pairwise(below) if edge)


def _reach(last: Edge | None, edge: Edge) -> str:
    if edge.below is not None:
        return f"below {edge.below}"
    if edge.up_to is not None:
        return f"up to {edge.up_to}"
    assert last is not None, "the first band of a scheme has an end"
    return f"above {last.up_to}" if last.up_to is not None else f"from {last.below}"
