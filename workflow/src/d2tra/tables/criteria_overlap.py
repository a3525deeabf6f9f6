"""Which criteria of the primary definition are met together, and which items of a criterion that asks for any of them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from d2tra.definitions import Definition
from d2tra.tables.agreement import PATIENTS, TOGETHER
from d2tra.tables.cells import Cell, as_cells, count_cell, proportion_cell
from d2tra.tables.results import STATUSES, WILSON, Results
from d2tra.tables.table import Table

KEY = ["site", "patient_id"]
EACH, EXACTLY = "Met each", "Met exactly these"
UNKNOWN = STATUSES["not_assessable"]
OF_ALL = "criteria"
NOTES = (
    WILSON,
    "Met each: of the patients in whom the criterion could be judged. Met exactly these: the others are not met or could "
    "not be judged.",
)


def criteria_overlap(results: Results) -> Table:
    """Returns, for the criteria of the primary definition and for the items of each that asks for any of several: how
    many meet each, in how many it could not be judged, and how many meet exactly which together. No cell for a
    definition of one criterion, and where the study has no evidence."""
    title = f"Criteria that are met together, cohort {results.cohort}"
    definition = results.definitions[results.primary]
    cells: list[Cell] = []
    if results.evidence is not None:
        judged = results.evidence.filter(pl.col("definition") == results.primary)
        judged = judged.join(results.analysis_set.select(KEY), on=KEY, how="semi")
        for group, ids in groups_of_criteria(definition).items():
            cells += _group_cells(group, ids, definition, judged)
    return Table("criteria_overlap", title, as_cells(cells), results.footnotes(*NOTES))


def groups_of_criteria(definition: Definition) -> dict[str, list[str]]:
    """Returns the ids that are counted together: those at the top, then, of each of these that asks for any of several, its
    items; a group of fewer than two is left out."""
    groups = {OF_ALL: definition.criteria}
    groups |= {f"items of criterion {node.id}": node.any_of for node in definition.criteria}
    found = {group: [node.id for node in nodes if node.id is not None] for group, nodes in groups.items()}
    return {group: ids for group, ids in found.items() if len(ids) > 1}


def _group_cells(group: str, ids: Sequence[str], definition: Definition, judged: pl.DataFrame) -> list[Cell]:
    cells: list[Cell] = []
    for name in ids:
        met = judged.filter(pl.col("criterion") == name)["met"]
        level = f"{name} {definition.listed[name].title or ''}".strip()
        cells.append(proportion_cell(f"{EACH}: {group}", PATIENTS, int(met.sum()), met.count(), level))
        cells.append(count_cell(f"{EACH}: {group}", UNKNOWN, met.null_count(), level))
    order = pl.Enum(ids)
    together = (
        judged.filter(pl.col("criterion").is_in(ids), "met")
        .sort(pl.col("criterion").cast(order))
        .group_by(KEY, maintain_order=True)
        .agg(names=pl.col("criterion").str.join(TOGETHER))
    )
    counted = together.group_by("names").len().sort("names")  # an order that says nothing of the counts
    return cells + [count_cell(f"{EXACTLY}: {group}", PATIENTS, n, level) for level, n in counted.iter_rows()]
