"""Packed cells: several results in one cell, their names in another of the same row."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from d2tra.extract.site import Split


def packed_columns(split: Split) -> list[str]:
    """Returns the columns whose cells hold several parts each: names, values, units if any."""
    return [name for name in (split.names, split.values, split.units) if name]


def packed_names(pieces: Iterable[pl.DataFrame], split: Split) -> list[str]:
    """Returns the names that packed cells hold, in the order in which they come, through all pieces of a source."""
    names = [_long(cells, split).get_column(split.names).unique(maintain_order=True) for cells in pieces]
    return pl.concat(names).unique(maintain_order=True).to_list()


def unpacked(cells: pl.DataFrame, split: Split, names: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns the cells with a column for each of `names` (its unit: `<name> unit`) instead of the packed ones, and the
    rows whose packed cells cannot be told apart: as many names as values, none of them twice."""
    packed = packed_columns(split)
    wide = cells.drop(packed)
    long = _long(cells, split)
    for content, ending in ((split.values, ""), (split.units, " unit")):
        if content and names:
            apart = long.pivot(on=split.names, on_columns=names, index="source_row", values=content)
            filled = [pl.when(pl.col(name) != "").then(name).alias(f"{name}{ending}") for name in names]
            apart = apart.select("source_row", *filled)
            wide = wide.join(apart, on="source_row", how="left", validate="1:1", maintain_order="left")
    some = pl.any_horizontal(pl.col(name).is_not_null() for name in packed)
    unfit = cells.filter(some).join(long, on="source_row", how="anti", maintain_order="left")
    return wide, unfit


def _long(cells: pl.DataFrame, split: Split) -> pl.DataFrame:
    """source_row and one row per part of packed cells that can be told apart."""
    packed = packed_columns(split)
    parts = pl.col(packed).str.split(split.separator)
    lists = cells.select("source_row", parts.list.eval(pl.element().str.strip_chars()))
    n_names = pl.col(split.names).list.len()
    fits = pl.all_horizontal(pl.col(name).list.len() == n_names for name in packed) & (
        pl.col(split.names).list.n_unique() == n_names
    )
    return lists.filter(fits).explode(*packed)
