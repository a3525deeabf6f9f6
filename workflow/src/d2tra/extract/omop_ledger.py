"""What became of every row of the OMOP CDM, and which of its concepts nothing is known of."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from d2tra.extract.omop_codes import Codes

ACCOUNTING = {"cdm_table": pl.String, "became": pl.String, "n_rows": pl.Int64}
UNKNOWN = {
    "cdm_table": pl.String, "column": pl.String, "concept_id": pl.String, "source_value": pl.String,
    "concept_name": pl.String, "n_rows": pl.Int64, "n_persons": pl.Int64,
}  # fmt: skip


@dataclass
class Ledger:
    """What became of the rows so far."""

    counted: list[pl.DataFrame] = field(default_factory=list)
    unknown: list[pl.DataFrame] = field(default_factory=list)

    def count(self, table: str, became: str, n_rows: int) -> None:
        """Adds a number of rows of one fate; none is no line."""
        if n_rows:
            self.counted.append(pl.DataFrame([[table, became, n_rows]], schema=ACCOUNTING, orient="row"))

    def count_rows(self, rows: pl.DataFrame) -> None:
        """Adds rows that say themselves what became of them (cdm_table, became)."""
        self.counted.append(rows.group_by("cdm_table", "became").agg(n_rows=pl.len().cast(pl.Int64)))

    def list_unknown(self, rows: pl.DataFrame, column: str, concept: str, source: str, codes: Codes) -> None:
        """Adds the distinct concepts and source values of rows (cdm_table, person_id) that stand for nothing listed."""
        named = rows.group_by("cdm_table", concept_id=concept, source_value=source).agg(
            n_rows=pl.len().cast(pl.Int64), n_persons=pl.col("person_id").n_unique().cast(pl.Int64)
        )
        named = named.with_columns(column=pl.lit(column), concept_name=codes.name_of("concept_id"))
        self.unknown.append(named.select(*UNKNOWN))

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Returns the accounting and the unknown, sorted."""
        counted = pl.concat([pl.DataFrame(schema=ACCOUNTING), *(c.select(*ACCOUNTING) for c in self.counted)])
        counted = (
            counted.group_by("cdm_table", "became").agg(pl.col("n_rows").sum()).sort("cdm_table", "became")
        )
        unknown = pl.concat([pl.DataFrame(schema=UNKNOWN), *self.unknown])
        by = ["n_rows", "cdm_table", "column", "concept_id", "source_value"]
        return counted, unknown.sort(by, descending=[True, False, False, False, False])


def in_order(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """The columns in order, and the rows sorted by them: a database keeps no order of its own."""
    return rows.select(columns).sort(columns)
