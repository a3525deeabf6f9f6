"""The count of every row: per source and per table, rows read = rows valid + rows set aside + exact duplicates."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

COUNTS = (
    "n_read",
    "n_valid",
    "n_quarantined",
    "n_duplicate",
    "n_orphaned",
    "n_cells_set_aside",
    "n_cells_fixed",
)


def rows_aside(findings: pl.DataFrame, table: str) -> pl.Series:
    """Returns the numbers (`row`, ascending, each once) of the table's rows that a finding sets aside."""
    broken = (pl.col("table") == table) & (pl.col("severity") == "row")
    return findings.filter(broken)["row"].drop_nulls().unique().sort()


def count_span(read: pl.DataFrame, fresh: pl.DataFrame, aside: pl.Series) -> pl.DataFrame:
    """Returns source, n_duplicate, n_fresh, n_quarantined (Int64) of some rows of a table, one row per source.

    `read`: the rows as harmonised (source, is_duplicate); `fresh`: what is left of them after merging, with row;
    `aside`: which of these are set aside. A source row that was reshaped or split counts once for each record it holds.
    """
    counts = (
        read.group_by("source", maintain_order=True).agg(n_duplicate=pl.col("is_duplicate").sum()),
        fresh["source"].value_counts(name="n_fresh"),
        fresh.filter(pl.col("row").is_in(aside.implode()))["source"].value_counts(name="n_quarantined"),
    )
    counted = counts[0]
    for part in counts[1:]:
        counted = counted.join(part, on="source", how="left", validate="1:1", maintain_order="left")
    return counted.with_columns(pl.exclude("source").fill_null(0).cast(pl.Int64))


def count_by_source(counts: Mapping[str, pl.DataFrame], findings: pl.DataFrame) -> pl.DataFrame:
    """Returns table, source and the COUNTS (Int64, never null), one row per source of a table, in the order read.

    `counts`: what `count_span` gave of each table, one under the other. n_orphaned is part of n_quarantined.
    """
    counted = [
        pl.DataFrame(schema={"table": pl.String, "source": pl.String, **dict.fromkeys(COUNTS, pl.Int64)})
    ]
    for table, spans in counts.items():
        mine = findings.filter(pl.col("table") == table)
        orphans = pl.col("row").filter(pl.col("rule") == "orphan").n_unique()
        severities = {"n_cells_set_aside": "cell", "n_cells_fixed": "fix"}
        found = mine.group_by("source").agg(
            n_orphaned=orphans,
            **{name: (pl.col("severity") == severity).sum() for name, severity in severities.items()},
        )
        whole = spans.group_by("source", maintain_order=True).sum()
        whole = whole.join(found, on="source", how="left", validate="1:1", maintain_order="left")
        whole = whole.with_columns(pl.exclude("source").fill_null(0).cast(pl.Int64), table=pl.lit(table))
        n_read = pl.col("n_fresh") + pl.col("n_duplicate")
        n_valid = pl.col("n_fresh") - pl.col("n_quarantined")
        counted.append(whole.with_columns(n_read=n_read, n_valid=n_valid).select("table", "source", *COUNTS))
    return pl.concat(counted)


def count_rows(by_source: pl.DataFrame, n_kept: Mapping[str, int]) -> pl.DataFrame:
    """Returns table and the COUNTS, one row per table of `n_kept`, checked: nothing is lost on the way to its valid rows."""
    totals = []
    for table, n_rows in n_kept.items():
        total = by_source.filter(pl.col("table") == table).select(
            pl.lit(table).alias("table"), pl.col(COUNTS).sum()
        )
        totals.append(total)
        line = total.row(0, named=True)
        assert line["n_valid"] == n_rows, line
        assert line["n_read"] == line["n_valid"] + line["n_quarantined"] + line["n_duplicate"], line
    return pl.concat(totals)
