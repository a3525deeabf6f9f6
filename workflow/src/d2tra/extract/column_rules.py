"""What a column shows as a whole and no cell alone: decimal commas, a score or questionnaire of another kind, ids that a
spreadsheet has damaged, words that nobody has translated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import polars as pl

from d2tra.config import setting
from d2tra.errors import StudyError
from d2tra.extract.findings import find
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.site import SiteMapping, TableSource

AROUND = r"^((?:[<>]=?|[≤≥])?\s*[+-]?{}(?:\s*[^0-9.,\s].*)?)$"
COMMA, POINT, THOUSANDS = (
    AROUND.format(number) for number in (r"\d+,\d+", r"\d*\.\d+", r"[1-9]\d{0,2},\d{3}")
)
RESULTS = ("labs", "biomarkers")  # their `value` is text that may be a number
SCIENTIFIC = r"^\d(?:\.\d+[eE]\+?|[eE]\+)\d+$"


def read_decimal_commas(
    rows: pl.DataFrame, source: TableSource, table: str
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Returns the rows with decimal points, and findings: `decimal_comma` (fix), `mixed_decimal_marks` (stop).

    A numeric column whose decimals all have a comma is read so, or as `decimal:` declares it. `1,234` may be thousands:
    alone it says nothing. Both marks in one column are left as they are, and the rarer is a finding unless it is there
    once only: that is a slip of one cell, and no number.
    """
    findings: list[pl.DataFrame] = []
    fresh = ~pl.col("is_duplicate")
    for column in COLUMNS[table].values():
        name = column.name
        numeric = column.kind in ("int", "float") or (table in RESULTS and name == "value")
        if name not in rows.columns or not numeric or source.decimal == ".":
            continue
        cell = pl.col(name)
        if not rows[name].str.contains(",", literal=True).any():
            continue
        has = {key: cell.str.contains(pattern).fill_null(False) for key, pattern in
               (("comma", COMMA), ("point", POINT), ("thousands", THOUSANDS))}  # fmt: skip
        n = rows.select((has["comma"] & ~has["thousands"]).sum().alias("clear"), (has["comma"]).sum().alias("comma"),
                        has["point"].sum().alias("point")).row(0, named=True)  # fmt: skip
        if not (n["comma"] if source.decimal == "," else n["clear"]):
            continue
        if n["point"]:
            rarer = has["comma"] if n["comma"] <= n["point"] else has["point"]
            if min(n["comma"], n["point"]) > 1:
                findings.append(find(rows, table, name, "mixed_decimal_marks", rarer & fresh))
            if n["comma"] <= n["point"]:
                continue
        if source.decimal is None:
            findings.append(find(rows, table, name, "decimal_comma", has["comma"] & fresh))
        rows = rows.with_columns(
            pl.when(has["comma"]).then(cell.str.replace(",", ".", literal=True)).otherwise(cell)
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
