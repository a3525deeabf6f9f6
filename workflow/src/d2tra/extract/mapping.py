"""From a site's own shape to the canonical tables, still as text: `config/sites/<site>.yaml` put to work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from d2tra.errors import StudyError, nearest
from d2tra.extract.cells import NUMBER, UNITS, plain_unit, read_number
from d2tra.extract.findings import collect, find
from d2tra.extract.schemas import COLUMNS, require_columns
from d2tra.extract.site import REQUIRED_TABLES, TABLES, SiteMapping, Split, TableSource
from d2tra.logs import log


@dataclass(frozen=True)
class Harmonised:
    """Canonical tables as text (+ source, source_row, is_duplicate), and the findings of severity fix so far."""

    tables: dict[str, pl.DataFrame]
    findings: pl.DataFrame


@dataclass(frozen=True)
class Part:
    """One source of a table as read: its text cells with source_row, and the name it goes by."""

    source: TableSource
    cells: pl.DataFrame
    label: str


@dataclass(frozen=True)
class Group:
    """Which source column fills which canonical column (ours → theirs), and what is declared for every row."""

    columns: dict[str, str]
    constants: dict[str, str]
    reshaped: tuple[str, ...] = ()


def harmonise(site: SiteMapping) -> Harmonised:
    """Returns the site's tables under canonical names, as text; a table that the site does not have is no key.

    StudyError where a required table or column is missing, or the mapping and the files do not agree.
    """
    from d2tra.extract.sources import read_cells, source_label

    stated = site.sources()
    tables, findings = {}, []
    for table in TABLES:
        if table not in stated:
            if table in REQUIRED_TABLES and not (table == "treatments" and site.has_no(table)):
                raise StudyError(f"{site.path}: {site.source} has no table {table}, which is required.")
            continue
        parts = []
        for source in stated[table]:
            path = site.file_path(source)
            parts.append(Part(source, read_cells(path, source), source_label(path, source)))
        tables[str(table)], found = harmonise_table(parts, table, site)
        findings.append(found)
    return Harmonised(tables, collect(findings))


def harmonise_table(parts: list[Part], table: str, site: SiteMapping) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns the table's rows (canonical columns as text, source, source_row, is_duplicate) and its fix findings.

    `is_duplicate` marks the later ones of rows that are equal in every canonical column as read.
    """
    read, findings = [], []
    for number, part in enumerate(parts):
        part, unsplit = split_packed_cells(part, table)
        findings.append(unsplit)
        read.append(_canonical_rows(part, table, site).with_columns(_part=pl.lit(number)))
    rows = pl.concat(read, how="diagonal")
    present = [name for name in COLUMNS[table] if name in rows.columns]
    rows = rows.with_columns(is_duplicate=~pl.struct(*present, "_reading").is_first_distinct())
    done = []
    for number, part in enumerate(parts):
        mine = rows.filter(pl.col("_part") == number)
        mine, found = _repair(mine, part, table, site)
        findings.extend(found)
        done.append(_translate(mine, part, table, site))
    whole = pl.concat(done)
    return whole.select(*present, "source", "source_row", "is_duplicate"), collect(findings)


def split_packed_cells(part: Part, table: str) -> tuple[Part, pl.DataFrame]:
    """Returns the part with its packed cells as columns of their own, and findings where they cannot be told apart."""
    split: Split | None = part.source.split
    if split is None:
        return part, collect([])
    packed = [name for name in (split.names, split.values, split.units) if name]
    for name in packed:
        _need(name, part, table, "split")
    lists = part.cells.select("source_row", *(pl.col(name).str.split(split.separator) for name in packed))
    n_names = pl.col(split.names).list.len()
    fits = pl.all_horizontal(pl.col(name).list.len() == n_names for name in packed) & (
        pl.col(split.names).list.n_unique() == n_names
    )
    long = lists.filter(fits).explode(*packed).with_columns(pl.col(packed).str.strip_chars())
    cells = part.cells.drop(packed)
    for name, ending in ((split.values, ""), (split.units, " unit")):
        if name and not long.is_empty():
            wide = long.pivot(on=split.names, index="source_row", values=name, maintain_order=True)
            wide = wide.rename({column: f"{column}{ending}" for column in wide.columns if column != "source_row"})
            cells = cells.join(wide, on="source_row", how="left", validate="1:1", maintain_order="left")
    unfit = part.cells.join(lists.filter(~fits).select("source_row"), on="source_row", how="semi")
    found = find(
        unfit.with_columns(source=pl.lit(part.label)), table, split.values, "packed_cells_disagree", pl.lit(True)
    )
    return Part(part.source, cells, part.label), found


def _canonical_rows(part: Part, table: str, site: SiteMapping) -> pl.DataFrame:
    """The part's rows under canonical names, as read: one per source row, or one per filled group of it."""
    source = part.source
    groups = list(_groups(part, table, site))
    frames = []
    for number, group in enumerate(groups):
        require_columns(
            [*group.columns, *group.constants],
            table,
            [column.name for column in COLUMNS[table].values() if column.must_exist],
            f"{part.label} ({site.path})",
        )
        rows = part.cells.select(
            "source_row",
            **{ours: pl.col(theirs) for ours, theirs in group.columns.items()},
            **{ours: pl.lit(value) for ours, value in group.constants.items()},
            _empty=_all_empty(group.reshaped, group.columns, source, table) if group.reshaped else pl.lit(False),
        )
        frames.append(rows.with_columns(_group=pl.lit(number)))
    reading = source.model_dump_json(include={"dates", "units", "values", "missing"})
    return (
        pl.concat(frames, how="diagonal")
        .sort("source_row", "_group", maintain_order=True)
        .with_columns(source=pl.lit(part.label), _reading=pl.lit(reading))
        .drop("_group")
    )
