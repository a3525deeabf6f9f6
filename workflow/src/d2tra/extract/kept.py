"""Rows that come in spans and in any order, sorted by patient: on the disk, so that memory does not grow with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import ceil
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from d2tra import io
from d2tra.extract.mapping import Harmonised
from d2tra.extract.schemas import sorted_rows
from d2tra.extract.site import SiteMapping
from d2tra.extract.table_rules import Recogniser
from d2tra.extract.validate import Judged, validate_spans
from d2tra.extract.whole_table import ROWS_AT_ONCE
from d2tra.logs import count_rows


class KeptRows:
    """The valid rows of every table, on shelves: each holds those of some patients who follow one another.

    `folder`: for what does not fit in memory · `firsts`: the first patient of every shelf but the first, sorted.
    """

    def __init__(self, folder: Path, firsts: pl.Series) -> None:
        self._folder, self._firsts = folder, firsts
        self._shelves: dict[tuple[str, int], list[Path | pl.DataFrame]] = defaultdict(list)
        self._schemas: dict[str, pl.Schema] = {}

    def keep(self, table: str, rows: pl.DataFrame) -> None:
        """Takes the rows of a span; the spans of a table follow one another."""
        self._schemas[table] = rows.schema
        if self._firsts.is_empty():
            self._shelves[table, 0].append(rows)
            return
        shelf = self._firsts.search_sorted(rows["patient_id"], side="right")
        for number in shelf.unique().sort():
            parts = self._shelves[table, number]
            path = self._folder / f"{table}_{number}_{len(parts)}.arrow"
            rows.filter(shelf == number).write_ipc(path, compression="uncompressed")
            parts.append(path)

    def tables(self) -> Mapping[str, pl.DataFrame | pl.LazyFrame]:
        """Returns each table sorted by patient_id, date, source_row; lazy, a shelf at a time, where there are several."""
        if self._firsts.is_empty():
            return {table: self._sorted(table, 0) for table in self._schemas}
        return {table: self._shelf_by_shelf(table) for table in self._schemas}

    def _shelf_by_shelf(self, table: str) -> pl.LazyFrame:
        def read(*_asked: Any) -> Iterator[pl.DataFrame]:
            for number in range(len(self._firsts) + 1):
                rows = self._sorted(table, number)
                count_rows("written", rows.height)
                yield rows

        return register_io_source(read, schema=self._schemas[table])

    def _sorted(self, table: str, number: int) -> pl.DataFrame:
        parts = self._shelves[table, number]
        rows = [part if isinstance(part, pl.DataFrame) else pl.read_ipc(part) for part in parts]
        return sorted_rows(pl.concat([pl.DataFrame(schema=self._schemas[table]), *rows]), table)


def validate_to_folder(
    harmonised: Harmonised,
    site: SiteMapping,
    recognise: Recogniser,
    folder: str | Path,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Judged:
    """Writes the valid tables, `<table>.parquet` as `validate_extract` returns them; returns and raises as `validate_spans`.

    What is held in memory grows with the key columns of a table only.
    """
    tables = {table: rows.lazy() for table, rows in harmonised.tables.items()}
    with io.workspace(folder) as beside:
        kept = KeptRows(beside, _first_patients(tables, rows_at_once))
        judged = validate_spans(harmonised, site, recognise, kept.keep, rows_at_once)
        io.write_folder({f"{table}.parquet": rows for table, rows in kept.tables().items()}, folder)
    return judged


def _first_patients(tables: Mapping[str, pl.LazyFrame], rows_at_once: int) -> pl.Series:
    """The first patient of every shelf but the first: so many shelves that none holds many more rows than so many."""
    most = max(rows.select(pl.len()).collect().item() for rows in tables.values())
    ids = tables["patients"].select("patient_id").collect()["patient_id"].drop_nulls().unique().sort()
    n_shelves = max(ceil(most / rows_at_once), 1)
    return ids.gather_every(max(ceil(len(ids) / n_shelves), 1))[1:]
