"""What no span of rows shows: repeated keys, the patients there are, the extract's cut. Read from the key columns alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from d2tra.config import setting
from d2tra.errors import StudyError
from d2tra.extract.column_rules import untranslated_words
from d2tra.extract.findings import AS_READ
from d2tra.extract.schemas import ROW_DATES, ROW_KEYS
from d2tra.extract.site import TABLES, SiteMapping
from d2tra.extract.table_rules import Findings, Recogniser, split_drugs
from d2tra.extract.typed import read_table
from d2tra.logs import count_rows

WHERE = ("source", "source_row", "place")
SEX = "sex"
ROWS_AT_ONCE = 250_000  # of visits about 200 MB of text


@dataclass(frozen=True)
class Extract:
    """The harmonised tables, read in spans of so many rows."""

    tables: Mapping[str, pl.LazyFrame]
    site: SiteMapping
    recognise: Recogniser
    rows_at_once: int

    @property
    def names(self) -> list[str]:
        """The tables that the extract has, in canonical order."""
        return [table for table in TABLES if table in self.tables]

    def columns(self, table: str) -> list[str]:
        """Returns the columns of a harmonised table."""
        return self.tables[table].collect_schema().names()

    def spans(
        self, table: str, only: tuple[str, ...] | None = None
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Yields so many rows at a time as read, and what is left of them without duplicates, drugs of one cell apart.

        The latter have `row` (UInt32, from 0 through the table). `only`: these columns beside where the rows stand.
        """
        rows, first_row = self.tables[table], 0
        if only is not None:
            needed = {*only, *WHERE, "is_duplicate"}
            needed |= {"drug", "atc_code"} if table == "treatments" and self.site.drug_separators else set()
            rows = rows.select(name for name in self.columns(table) if name in needed)
        n_rows = self.tables[table].select(pl.len()).collect().item()
        for first in range(0, max(n_rows, 1), self.rows_at_once):
            read = rows.slice(first, self.rows_at_once).collect()
            if only is None:
                count_rows("read", read.height)
            fresh = read.filter(~pl.col("is_duplicate")).drop("is_duplicate")
            if table == "treatments":
                separators = self.site.drug_separators if "drug" in fresh.columns else []
                fresh = split_drugs(fresh, separators, self.recognise)
            yield read, fresh.with_row_index("row", offset=first_row)
            first_row += fresh.height

    def typed(self, table: str, only: tuple[str, ...]) -> pl.DataFrame:
        """Returns these columns of the whole table typed, with source, source_row, row; broken cells are null."""
        return pl.concat(
            read_table(fresh, table, only)[0].select(*only, "source", "source_row", "row")
            for _, fresh in self.spans(table, only)
        )


@dataclass(frozen=True)
class WholeTables:
    """patients: row, patient_id (text, no null) · known, bare: their ids, and these without leading zeros, sorted ·
    repeated: by table, the rows whose key occurs more than once · sequences_twice · untranslated: findings of patients."""

    patients: pl.DataFrame
    known: pl.Series
    bare: pl.Series
    repeated: Mapping[str, pl.Series]
    sequences_twice: pl.Series
    untranslated: Findings
    cut: dt.date | None
    _set_aside: list[pl.Series] = field(default_factory=list)

    def ids_near(self, ids: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Returns which of these ids are known, and which of them, without their leading zeros, are so without theirs."""
        return those_in(ids, self.known), those_in(ids.str.strip_chars_start("0"), self.bare)

    def set_patients_aside(self, rows: pl.Series) -> None:
        """Remembers the patients in these rows of patients."""
        self._set_aside.append(self.patients.filter(pl.col("row").is_in(rows.implode()))["patient_id"])

    def set_aside(self) -> pl.Series:
        """Returns the patients that have been set aside, sorted."""
        return pl.concat([self.known.clear(), *self._set_aside]).unique().sort()


def read_whole_tables(extract: Extract) -> WholeTables:
    """Returns what the rules of single rows must know of all rows; StudyError as `find_data_cut` raises it."""
    words = ("patient_id", SEX, f"{AS_READ}{SEX}")
    people = pl.concat(fresh for _, fresh in extract.spans("patients", words))
    known = people["patient_id"].drop_nulls().unique().sort()
    sequences = extract.typed("patients", ("sequence",))["sequence"].drop_nulls()
    return WholeTables(
        patients=people.select("row", "patient_id").drop_nulls(),
        known=known,
        bare=known.str.strip_chars_start("0").unique().sort(),
        repeated={table: _repeated(extract, table) for table in ROW_KEYS if table in extract.tables},
        sequences_twice=sequences.filter(sequences.is_duplicated()).unique(),
        untranslated=untranslated_words(people, "patients", [SEX]),
        cut=find_data_cut(extract),
    )


def _repeated(extract: Extract, table: str) -> pl.Series:
    """The rows whose key occurs more than once, as text: ids and ISO dates are written in one way only."""
    key = ROW_KEYS[table]
    keys = pl.concat(fresh.select("row", *key) for _, fresh in extract.spans(table, key))
    filled = keys.drop_nulls()
    # few are alike in the hash of their key: only these are compared in full
    alike = filled.filter(filled.select(key).hash_rows().is_duplicated())
    return alike.filter(pl.struct(key).is_duplicated())["row"]


def later_equals(prints: pl.DataFrame) -> pl.Series:
    """Returns true for the later ones of rows that are equal in both hashes (`one`, `other`: UInt64) of their cells."""
    one = prints["one"]
    ordered = one.sort()  # takes a fifth of the memory of counting them
    again = ordered.filter(ordered == ordered.shift(1)).unique()
    alike = one.is_in(again.implode())
    later = prints.filter(alike).select(~pl.struct(pl.all()).is_first_distinct()).to_series()
    rows = alike.arg_true().filter(later)
    return pl.select(pl.int_range(prints.height, dtype=pl.UInt32).is_in(rows.implode())).to_series()


def those_in(ids: pl.Series, known: pl.Series) -> pl.Series:
    """Returns the different ids that are among `known`, which is sorted and may be many times as long."""
    if known.is_empty():
        return known
    asked = ids.drop_nulls().unique()
    place = known.search_sorted(asked).clip(0, len(known) - 1)
    return asked.filter(known.gather(place) == asked)


def find_data_cut(extract: Extract) -> dt.date | None:
    """Returns the extract's cut: the declared one, else the latest visit, sample, start, imaging or recorded date.

    Null where there is no date. StudyError if, undeclared, the latest date stands further from the next-latest than
    `lonely_date_days` of config/quality.yaml.
    """
    site = extract.site
    if site.data_cut_date:
        return site.data_cut_date
    dated = [
        extract.typed(table, (name,)).select(
            "source", "source_row", date=name, column=pl.lit(f"{table}.{name}")
        )
        for table, name in ROW_DATES.items()
        if table in extract.tables
    ]
    if not dated:
        return None
    dates = pl.concat(dated).drop_nulls("date")
    latest = dates["date"].unique().sort(descending=True).head(2).to_list()
    days = setting("quality")["lonely_date_days"]
    if len(latest) == 2 and (latest[0] - latest[1]).days > days:
        rows = dates.filter(pl.col("date") == latest[0])
        where = rows.select(pl.concat_str("column", pl.lit(" in "), "source", pl.lit(" row "), "source_row"))
        raise StudyError(
            f"{site.path}: the latest date of the extract stands {(latest[0] - latest[1]).days} days after the next "
            f"one: {rows.height} row(s), {where.item(0, 0)}. Correct it if it is a slip, or declare data_cut_date."
        )
    return latest[0] if latest else None
