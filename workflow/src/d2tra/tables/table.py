"""A table of results: its cells, its title and what is said below it; and the folder that a set of tables is kept in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from d2tra import io
from d2tra.tables.cells import CELLS

CAPTIONS = "captions.json"
OF_COHORT = "_in_"  # between the name of a table and its cohort, where the tables of several cohorts stand side by side


@dataclass(frozen=True)
class Table:
    """`cells`: schema CELLS. `footnotes`: sentences without a computed number (those are cells)."""

    name: str
    title: str
    cells: pl.DataFrame
    footnotes: tuple[str, ...] = ()

    def with_cells(self, cells: pl.DataFrame) -> Table:
        """Returns the table with other cells, e.g. after disclosure control."""
        return replace(self, cells=cells)


def write_tables(tables: Iterable[Table], folder: str | Path) -> None:
    """Writes `<name>.csv` (the cells) per table, and captions.json (name, title, footnotes, in order)."""
    tables = list(tables)
    captions = [{"name": t.name, "title": t.title, "footnotes": list(t.footnotes)} for t in tables]
    io.write_folder({f"{t.name}.csv": t.cells for t in tables} | {CAPTIONS: captions}, folder)


def read_tables(folder: str | Path) -> list[Table]:
    """Returns the tables of a folder that `write_tables` wrote, in their order."""
    folder = Path(folder)
    return [
        Table(
            name=caption["name"],
            title=caption["title"],
            cells=pl.read_csv(folder / f"{caption['name']}.csv", schema=CELLS),
            footnotes=tuple(caption["footnotes"]),
        )
        for caption in io.read_json(folder / CAPTIONS)
    ]
