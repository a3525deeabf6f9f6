"""Back from a canonical column to the department's own: which of their columns filled this cell of this row?"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from d2tra.extract.findings import PLACE
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.site import SiteMapping, TableSource

KEYS = ("table", "place", "column")


def columns_of(source: TableSource, table: str) -> list[dict[str, str | None]]:
    """Returns, for each wide-to-long group of a source (one where it has none), canonical column → their column.

    A part of packed cells stands under its own name. Null: a declared constant, which no cell holds. A column that the
    mapping does not name goes by the canonical name.
    """
    groups = [group for reshape in source.wide_to_long for group in reshape.groups()] or [({}, {})]
    found = []
    for columns, constants in groups:
        theirs: dict[str, str | None] = {ours: ours for ours in COLUMNS[table]}
        theirs |= dict.fromkeys((*source.constants, *constants))
        theirs |= {ours: name for name, ours in (*source.columns.items(), *columns.items())}
        found.append(theirs)
    return found


def lead_back(findings: pl.DataFrame, site: SiteMapping, read: Mapping[str, Collection[str]]) -> pl.DataFrame:
    """Returns the findings, in their order, with `their_column` filled: null where no cell of theirs holds the value.

    `read`: the columns of each harmonised table. A column that is none of ours (packed cells) is one of theirs.
    """
    led = [
        (table, PLACE.replace("{}", str(number), 1).replace("{}", str(group)), ours, theirs)
        for table, sources in site.sources().items()
        for number, source in enumerate(sources)
        for group, columns in enumerate(columns_of(source, table))
        for ours, theirs in columns.items()
        if table in read and ours in read[table]
    ]
    schema = {**dict.fromkeys(KEYS, pl.String), "theirs": pl.String}
    known = pl.DataFrame(led, schema=schema, orient="row")
    ours = [name for columns in COLUMNS.values() for name in columns]
    own = pl.when(~pl.col("column").is_in(ours)).then("column")
    joined = findings.join(known, on=KEYS, how="left", validate="m:1", maintain_order="left")
    return joined.with_columns(their_column=pl.coalesce("theirs", own)).drop("theirs")
