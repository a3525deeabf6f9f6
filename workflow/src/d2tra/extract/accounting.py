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


def count_by_source(
    read: Mapping[str, pl.DataFrame], text: Mapping[str, pl.DataFrame], findings: pl.DataFrame
) -> pl.DataFrame:
    """Returns table, source and the COUNTS (Int64, never null), one row per source of a table, in the order read.

    `read`: the harmonised tables (source, is_duplicate); `text`: what is left of them after merging, with row; a source
    row that was reshaped or split counts once for each record that it holds. n_orphaned is part of n_quarantined.
    """
    counted = [
        pl.DataFrame(schema={"table": pl.String, "source": pl.String, **dict.fromkeys(COUNTS, pl.Int64)})
    ]
    for table, rows in text.items():
        mine = findings.filter(pl.col("table") == table)
        aside = pl.col("row").is_in(rows_aside(findings, table).implode())
        orphans = pl.col("row").filter(pl.col("rule") == "orphan").n_unique()
        severities = {"n_cells_set_aside": "cell", "n_cells_fixed": "fix"}
        parts = (
            read[table].group_by("source", maintain_order=True).agg(n_duplicate=pl.col("is_duplicate").sum()),
            rows.group_by("source").agg(n_fresh=pl.len(), n_quarantined=aside.sum(), n_valid=(~aside).sum()),
            mine.group_by("source").agg(
                n_orphaned=orphans,
                **{name: (pl.col("severity") == severity).sum() for name, severity in severities.items()},
            ),
        )
        whole = parts[0]
        for part in parts[1:]:
            whole = whole.join(part, on="source", how="left", validate="1:1", maintain_order="left")
        whole = whole.with_columns(pl.exclude("source").fill_null(0).cast(pl.Int64), table=pl.lit(table))
        n_read = pl.col("n_fresh") + pl.col("n_duplicate")
        counted.append(whole.with_columns(n_read=n_read).select("table", "source", *COUNTS))
    return pl.concat(counted)


def count_rows(by_source: pl.DataFrame, valid: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Returns table and the COUNTS, one row per table of `valid`, checked: nothing is lost on the way to it."""
    totals = []
    for table, rows in valid.items():
        total = by_source.filter(pl.col("table") == table).select(
            pl.lit(table).alias("table"), pl.col(COUNTS).sum()
        )
        totals.append(total)
        line = total.row(0, named=True)
        assert line["n_valid"] == rows.height, line
        assert line["n_read"] == line["n_valid"] + line["n_quarantined"] + line["n_duplicate"], line
    return pl.concat(totals)
