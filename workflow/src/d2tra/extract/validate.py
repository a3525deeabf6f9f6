"""Which rows may be used? Nothing is lost: every row read is valid, set aside with its reason, or an exact duplicate."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from d2tra.codelists import local_concept
from d2tra.errors import StudyError
from d2tra.extract.accounting import count_by_source, count_rows, count_span, rows_aside
from d2tra.extract.column_rules import damaged_ids
from d2tra.extract.findings import FINDINGS, collect, find
from d2tra.extract.mapping import Harmonised
from d2tra.extract.schemas import COLUMNS, ROW_DATES, ROW_KEYS, haq_di_used, schema, sorted_rows
from d2tra.extract.site import REQUIRED_TABLES, SiteMapping
from d2tra.extract.table_rules import (
    Findings,
    Recogniser,
    check_codes,
    check_imaging,
    empty_patient_cells,
    name_drugs,
    read_markers,
    read_results,
)
from d2tra.extract.their_columns import lead_back
from d2tra.extract.typed import judged_columns, read_table
from d2tra.extract.whole_table import ROWS_AT_ONCE, Extract, WholeTables, read_whole_tables, those_in
from d2tra.logs import log

LATER_THAN = {"patients": ("diagnosis_date", "symptom_onset_date"), "treatments": ("stop_date", "start_date")}
DERIVED = {
    "visits": ("haq_di_used",), "labs": ("number", "is_censored"), "treatments": ("molecule", "kind", "mechanism"),
    "biomarkers": ("number",),
}  # fmt: skip
Found = dict[str, Findings]  # by kind: ids, words, cells, rows, patients


@dataclass(frozen=True)
class Judged:
    """What validation found: every finding, the count of every row, and the extract's cut."""

    quarantine: pl.DataFrame
    accounting: pl.DataFrame
    by_source: pl.DataFrame
    data_cut_date: dt.date | None


@dataclass(frozen=True)
class Validated(Judged):
    """What validation found, and the typed tables that it leaves."""

    tables: dict[str, pl.DataFrame]


class SetAsideError(StudyError):
    """The stop for too many rows set aside; the frames hold the reasons, for the private log and the workbook."""

    def __init__(self, message: str, quarantine: pl.DataFrame, by_source: pl.DataFrame) -> None:
        super().__init__(message)
        self.quarantine = quarantine
        self.by_source = by_source


def validate_extract(harmonised: Harmonised, site: SiteMapping, recognise: Recogniser) -> Validated:
    """Returns the valid tables and what `validate_spans` returns, all of it in memory; raises what that raises.

    tables: canonical columns, typed and complete, what is derived from them (haq_di_used; number, is_censored;
    molecule, kind, mechanism), source_row; sorted by patient_id, date, source_row.
    """
    kept: dict[str, list[pl.DataFrame]] = {}

    def keep(table: str, rows: pl.DataFrame) -> None:
        kept.setdefault(table, []).append(rows)

    judged = validate_spans(harmonised, site, recognise, keep)
    tables = {table: sorted_rows(pl.concat(parts), table) for table, parts in kept.items()}
    return Validated(judged.quarantine, judged.accounting, judged.by_source, judged.data_cut_date, tables)


def validate_spans(
    harmonised: Harmonised,
    site: SiteMapping,
    recognise: Recogniser,
    keep: Callable[[str, pl.DataFrame], None],
    rows_at_once: int = ROWS_AT_ONCE,
) -> Judged:
    """Gives `keep` the valid rows of each table, so many at a time and in the order read; returns what was found.

    quarantine: table, source, source_row, column, rule, severity, value, message, their_column (null: no cell of
    theirs) · accounting, by_source: n_read = n_valid + n_quarantined + n_duplicate, per table and per source of a table.
    Of a whole table only its key columns are held. `recognise` is `d2tra.treatment.recognise_drugs`. Raises StudyError
    for a lonely latest date without a declared cut, a rule of severity stop, and (SetAsideError) more than the site's
    percentage of a required table set aside: what was kept until then is worth nothing.
    """
    lazy = {table: rows.lazy() for table, rows in harmonised.tables.items()}
    extract = Extract(lazy, site, recognise, rows_at_once)
    whole = read_whole_tables(extract)
    found: dict[str, list[Found]] = {table: [] for table in extract.names}
    counts: dict[str, list[pl.DataFrame]] = {table: [] for table in extract.names}
    n_kept: Counter[str] = Counter()
    for table in extract.names:
        for read, fresh in extract.spans(table):
            typed, of_span = _judge_span(fresh, table, extract, whole)
            aside = rows_aside(collect(frame for frames in of_span.values() for frame in frames), table)
            valid = _valid_rows(typed, table, aside, site)
            keep(table, valid)
            n_kept[table] += valid.height
            found[table].append(of_span)
            counts[table].append(count_span(read, fresh, aside))
            if table == "patients":
                whole.set_patients_aside(aside)
    every = _in_order(harmonised.findings, found)
    _stop_where_told(every, site)
    quarantine = every.sort("table", "source", "source_row", "column", "rule", "row", maintain_order=True)
    columns = {table: extract.columns(table) for table in extract.names}
    quarantine = lead_back(quarantine, site, columns).select(n for n in FINDINGS if n not in ("row", "place"))
    by_source = count_by_source({table: pl.concat(parts) for table, parts in counts.items()}, every)
    accounting = count_rows(by_source, {table: n_kept[table] for table in extract.names})
    _stop_where_too_many(accounting, by_source, quarantine, site)
    return Judged(quarantine, accounting, by_source, whole.cut)


def _judge_span(
    fresh: pl.DataFrame, table: str, extract: Extract, whole: WholeTables
) -> tuple[pl.DataFrame, Found]:
    """The rows typed, and what they break; each finding has its place among its kind, in this span as in any other."""
    known, bare = whole.ids_near(fresh["patient_id"])
    found: Found = {"ids": damaged_ids(fresh, table, known, bare)}
    rows = pl.col("row").is_in(fresh["row"].implode())
    found["words"] = [frame.filter(rows) for frame in whole.untranslated if table == "patients"]
    typed, found["cells"] = read_table(fresh, table)
    typed, found["rows"] = _check_rows(typed, table, extract, whole)
    found["patients"] = (
        []
        if table == "patients"
        else _check_patients(typed, fresh, table, known, those_in(fresh["patient_id"], whole.set_aside()))
    )
    return typed, found


def _in_order(harmonised: pl.DataFrame, found: Mapping[str, list[Found]]) -> pl.DataFrame:
    """All findings, as if each table had been looked at as a whole: by kind, table and rule, then by row."""
    frames = [harmonised]
    for kind in ("ids", "words", "cells", "rows", "patients"):
        for spans in found.values():
            for of_rule in zip(*(span[kind] for span in spans), strict=True):
                frames += [frame for frame in of_rule if frame.height]
    return collect(frames)


def _check_rows(
    typed: pl.DataFrame, table: str, extract: Extract, whole: WholeTables
) -> tuple[pl.DataFrame, Findings]:
    """What one table's rows break among themselves: first more cells, then the order of dates, the cut and the keys."""
    findings: Findings = []
    if table == "patients":
        typed, findings = empty_patient_cells(typed, whole.cut, whole.sequences_twice)
    elif table == "labs":
        typed, findings = read_results(typed, extract.site)
    elif table == "treatments":
        typed, findings = name_drugs(typed, extract.recognise)
    elif table == "imaging":
        findings = check_imaging(typed)
    elif table == "diagnoses":
        findings = check_codes(typed)
    elif table == "biomarkers":
        typed, findings = read_markers(typed, extract.site)
    elif table == "visits":
        typed = typed.with_columns(haq_di_used=haq_di_used())
    if table in LATER_THAN:
        later, earlier = LATER_THAN[table]
        findings.append(find(typed, table, later, "dates_out_of_order", pl.col(later) < pl.col(earlier)))
    if table in ROW_DATES and whole.cut:
        name = ROW_DATES[table]
        findings.append(find(typed, table, name, "row_after_cut", pl.col(name) > whole.cut))
    if table in ROW_KEYS:
        key, again = ROW_KEYS[table], pl.col("row").is_in(whole.repeated[table].implode())
        filled = pl.all_horizontal(pl.col(name).is_not_null() for name in key)
        findings.append(find(typed, table, key[-1], "repeated_key", again & filled))
    return typed, findings


def _check_patients(
    typed: pl.DataFrame, text: pl.DataFrame, table: str, known: pl.Series, set_aside: pl.Series
) -> Findings:
    """Rows whose patient was set aside (orphan) or is nowhere (unknown_patient)."""
    kept = [name for name in ("source", "source_row", "row", "place") if name in typed.columns]
    rows = typed.select(*kept, readable="patient_id").with_columns(text["patient_id"])
    patient = pl.col("patient_id")
    orphan = patient.is_in(set_aside.implode())
    nowhere = pl.col("readable").is_not_null() & ~patient.is_in(known.implode())
    return [
        find(rows, table, "patient_id", "orphan", orphan),
        find(rows, table, "patient_id", "unknown_patient", nowhere),
    ]


def _valid_rows(typed: pl.DataFrame, table: str, aside: pl.Series, site: SiteMapping) -> pl.DataFrame:
    """The rows that nothing set aside, with what the site says of them; they pass the strict schema."""
    valid = typed.filter(~pl.col("row").is_in(aside.implode()))
    clinic = [name for name in valid.columns if name == "clinic"]
    valid = valid.select(*COLUMNS[table], *DERIVED.get(table, ()), *clinic, "source_row")
    schema(table, judged_columns(valid, table)).validate(valid)
    return _with_what_the_site_says(valid, table, site)


def _with_what_the_site_says(valid: pl.DataFrame, table: str, site: SiteMapping) -> pl.DataFrame:
    """The rows with what the mapping tells of them: `records_glucocorticoids` of patients (Boolean, null = not said),
    `local_concept` of diagnoses (String, where the mapping has local codes)."""
    if table == "patients":
        told = pl.lit(site.records_glucocorticoids, dtype=pl.Boolean).alias("records_glucocorticoids")
    elif table == "diagnoses" and site.local_codes:
        told = local_concept(site.local_codes).alias("local_concept")
    else:
        return valid
    return valid.with_columns(told).select(pl.exclude("source_row"), "source_row")


def _stop_where_told(findings: pl.DataFrame, site: SiteMapping) -> None:
    stops = findings.filter(pl.col("severity") == "stop")
    if not stops.is_empty():
        raise StudyError(
            f"{site.path}: {_reasons(stops)}. config/quality.yaml stops the run for this. "
            + " ".join(stops["message"].unique(maintain_order=True))
        )


def _stop_where_too_many(
    accounting: pl.DataFrame, by_source: pl.DataFrame, quarantine: pl.DataFrame, site: SiteMapping
) -> None:
    n_own = pl.col("n_quarantined") - pl.col("n_orphaned")
    too_many = accounting.filter(
        pl.col("table").is_in(list(REQUIRED_TABLES)),
        n_own * 100 > pl.col("n_read") * site.max_set_aside_percent,
    )
    if too_many.is_empty():
        return
    sentences = [
        f"table {row['table']}: {row['n_quarantined'] - row['n_orphaned']} of {row['n_read']} rows set aside "
        f"(at most {site.max_set_aside_percent:g} %): "
        + _reasons(quarantine.filter(table=row["table"], severity="row").filter(pl.col("rule") != "orphan"))
        for row in too_many.iter_rows(named=True)
    ]
    log.info("%s", quarantine.write_csv())
    raise SetAsideError(
        f"{site.path}: {'; '.join(sentences)}. Mend the source or the mapping; the rows are in the private log.",
        quarantine,
        by_source,
    )


def _reasons(findings: pl.DataFrame) -> str:
    """How often each rule was broken, in which column, first where; the most frequent first."""
    where = pl.concat_str("source", pl.lit(" row "), "source_row").first()
    counted = findings.group_by("column", "rule", maintain_order=True).agg(n=pl.len(), where=where)
    counted = counted.sort("n", descending=True, maintain_order=True)
    return ", ".join(
        f"{n} × {rule.replace('_', ' ')} ({column}, first in {where})"
        for column, rule, n, where in counted.rows()
    )
