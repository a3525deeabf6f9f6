"""What a column shows as a whole and no cell alone: decimal commas, a score or questionnaire of another kind, ids that a
spreadsheet has damaged, words that nobody has translated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from d2tra.config import setting
from d2tra.errors import StudyError
from d2tra.extract.findings import FRESH, find
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.site import SiteMapping, TableSource

AROUND = r"^((?:[<>]=?|[≤≥])?\s*[+-]?{}(?:\s*[^0-9.,\s].*)?)$"
COMMA, POINT, THOUSANDS = (
    AROUND.format(number) for number in (r"\d+,\d+", r"\d*\.\d+", r"[1-9]\d{0,2},\d{3}")
)
RESULTS = ("labs", "biomarkers")  # their `value` is text that may be a number
SCIENTIFIC = r"^\d(?:\.\d+[eE]\+?|[eE]\+)\d+$"


@dataclass(frozen=True)
class Marks:
    """How many cells of a column have a decimal comma, a decimal point, and a comma that cannot stand between thousands."""

    comma: int = 0
    point: int = 0
    clear: int = 0

    def __add__(self, more: Marks) -> Marks:
        return Marks(self.comma + more.comma, self.point + more.point, self.clear + more.clear)


def columns_with_commas(rows: pl.DataFrame, source: TableSource, table: str) -> set[str]:
    """Returns the columns of numbers in which some cell has a comma; none where decimal points are declared."""
    numeric = [
        column.name
        for column in COLUMNS[table].values()
        if column.kind in ("int", "float") or (table in RESULTS and column.name == "value")
    ]
    there = [name for name in numeric if name in rows.columns and source.decimal != "."]
    return {name for name in there if rows[name].str.contains(",", literal=True).any()}


def count_decimal_marks(cells: pl.Series) -> Marks:
    """Returns how the numbers of a column write their decimals."""
    comma, point, thousands = _marks(pl.col(cells.name))
    counted = cells.to_frame().select(comma=comma.sum(), point=point.sum(), clear=(comma & ~thousands).sum())
    return Marks(**counted.row(0, named=True))


def _marks(cell: pl.Expr) -> list[pl.Expr]:
    return [cell.str.contains(pattern).fill_null(False) for pattern in (COMMA, POINT, THOUSANDS)]


def read_decimal_commas(
    rows: pl.DataFrame, source: TableSource, table: str, marks: Mapping[str, Marks]
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Returns the rows with decimal points, and findings: `decimal_comma` (fix), `mixed_decimal_marks` (stop).

    A numeric column whose decimals all have a comma is read so, or as `decimal:` declares it. `1,234` may be thousands:
    alone it says nothing. Both marks in one column are left as they are, and the rarer is a finding unless it is there
    once only: that is a slip of one cell, and no number. `marks`: of the whole column, by its name; those without any
    comma may be left out.
    """
    findings: list[pl.DataFrame] = []
    for name in (name for name in COLUMNS[table] if name in marks):
        n, cell = marks[name], pl.col(name)
        comma, point, _ = _marks(cell)
        if not (n.comma if source.decimal == "," else n.clear):
            continue
        if n.point:
            if min(n.comma, n.point) > 1:
                rarer = comma if n.comma <= n.point else point
                findings.append(find(rows, table, name, "mixed_decimal_marks", rarer & FRESH))
            if n.comma <= n.point:
                continue
        if source.decimal is None:
            findings.append(find(rows, table, name, "decimal_comma", comma & FRESH))
        rows = rows.with_columns(
            pl.when(comma).then(cell.str.replace(",", ".", literal=True)).otherwise(cell)
        )
    return rows, findings


def refuse_other_instruments(theirs: Mapping[str, str], label: str, site: SiteMapping) -> None:
    """Raises StudyError where the header of a mapped column names another score (DAS44, MHAQ) than its canonical column."""
    for ours, section in setting("quality")["other_instruments"].items():
        header = theirs.get(ours, "")
        if re.search(section["header"], header, re.IGNORECASE) and ours not in site.units_confirmed:
            raise StudyError(
                f"{label}: column {header!r} is mapped to {ours}, but its header names {section['names']}. {section['mend']} "
                f"If it is {ours} after all, say `units_confirmed: [{ours}]` in {site.path}."
            )


def damaged_ids(rows: pl.DataFrame, table: str, known: pl.Series, bare: pl.Series) -> list[pl.DataFrame]:
    """Findings for pseudonyms in scientific notation (1.2E+10), and for those that fit a patient but for leading zeros.

    `known`: the ids of patients; `bare`: these without leading zeros; of both those suffice that the rows may hold.
    """
    patient = pl.col("patient_id")
    findings = [find(rows, table, "patient_id", "patient_id_as_number", patient.str.contains(SCIENTIFIC))]
    if table != "patients":
        lost = ~patient.is_in(known.implode()) & patient.str.strip_chars_start("0").is_in(bare.implode())
        findings.append(find(rows, table, "patient_id", "patient_id_lost_zeros", lost))
    return findings


def untranslated_words(text: pl.DataFrame, table: str, columns: Iterable[str]) -> list[pl.DataFrame]:
    """Findings for a column of words none of which is understood (sex as 1 and 2): the mapping lacks its `values`."""
    findings = []
    for name in columns:
        allowed = list(COLUMNS[table][name].allowed)
        filled = text[name].drop_nulls() if name in text.columns else pl.Series([], dtype=pl.String)
        if len(filled) >= setting("quality")["untranslated_from_cells"] and not filled.is_in(allowed).any():
            first = pl.col(name).is_not_null() & pl.col(name).is_not_null().cum_sum().eq(1)
            findings.append(find(text, table, name, "words_not_translated", first))
    return findings
