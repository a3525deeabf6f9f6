"""What has been released before: every cell that was shown, so that a later release can be checked against it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from d2tra import io
from d2tra.disclosure.primary import SUPPRESSED
from d2tra.provenance import seal_of
from d2tra.tables import Table, read_tables

PLACE = ("cohort", "table", "row", "level", "column")
LEDGER: dict[str, type[pl.DataType]] = {
    "release": pl.String,
    **dict.fromkeys(PLACE, pl.String),
    "n": pl.Int64,
    "total": pl.Int64,
    "estimate": pl.Float64,
}
"""Columns: `release`, the sha256 of its manifest.json; the place of a cell; its numbers as they were released."""


class CellPlace(NamedTuple):
    """Where a cell stands, whatever the release."""

    cohort: str
    table: str
    row: str
    level: str | None
    column: str


Remembered = Mapping[CellPlace, Sequence[Mapping[str, Any]]]


def place_of(cell: Mapping[str, Any], cohort: str, table: str) -> CellPlace:
    """Returns where the cell stands."""
    return CellPlace(cohort, table, cell["row"], cell["level"], cell["column"])


def remembered(ledger: pl.DataFrame) -> Remembered:
    """Returns place → the cells that were released there."""
    found: dict[CellPlace, list[Mapping[str, Any]]] = defaultdict(list)
    for cell in ledger.iter_rows(named=True):
        found[CellPlace(*(cell[name] for name in PLACE))].append(cell)
    return found


def read_ledger(path: str | Path | None) -> pl.DataFrame:
    """Returns the ledger (columns LEDGER); empty where nothing has been released yet, or nothing may be (None)."""
    if path is None or not Path(path).is_file():
        return pl.DataFrame(schema=LEDGER)
    return pl.read_csv(path, schema=LEDGER)


def read_others(folders: Iterable[str | Path], ledger: pl.DataFrame) -> dict[str, list[Table]]:
    """Returns cohort → its tables for those of the folders (<cohort>/tables) that are there and that the ledger names."""
    named = set(ledger["cohort"])
    there = [Path(folder) for folder in folders if Path(folder).is_dir()]
    return {folder.parent.name: read_tables(folder) for folder in there if folder.parent.name in named}


def released_cells(release: str, cohort: str, tables: Sequence[Table]) -> pl.DataFrame:
    """Returns the cells of a cohort's released tables that show a number, columns LEDGER."""
    shown = [
        table.cells.filter(
            pl.col("note").fill_null("") != SUPPRESSED,
            pl.any_horizontal(pl.col("n", "total", "estimate").is_not_null()),
        ).with_columns(release=pl.lit(release), cohort=pl.lit(cohort), table=pl.lit(table.name))
        for table in tables
    ]
    return pl.concat(
        [
            pl.DataFrame(schema=LEDGER),
            *(cells.select(pl.col(name).cast(kind) for name, kind in LEDGER.items()) for cells in shown),
        ]
    )


def seal(
    found: Mapping[str, Any],
    manifest: str | Path,
    sealed: str | Path,
    ledger: str | Path | None,
    numbers: Iterable[str | Path],
) -> None:
    """Writes what `provenance.manifest` found, then the ledger (None: nothing may leave), and last the seal: its sha256.

    `numbers`: the folders of the released cells, <cohort>/numbers each.
    """
    io.write_json(found, manifest)
    release = seal_of(manifest)
    if ledger:
        record(ledger, release, {Path(folder).parent.name: read_tables(folder) for folder in numbers})
    io.write_text(f"{release}\n", sealed)


def record(path: str | Path, release: str, tables: Mapping[str, Sequence[Table]]) -> None:
    """Adds a release (cohort → its released tables) to the ledger; one that stands there already changes nothing."""
    ledger = read_ledger(path)
    if release not in ledger["release"]:
        new = [released_cells(release, cohort, own) for cohort, own in tables.items()]
        io.write(pl.concat([ledger, *new]), path)
