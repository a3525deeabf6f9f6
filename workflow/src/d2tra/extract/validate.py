"""Which rows may be used? Nothing is lost: every row read is valid, set aside with its reason, or an exact duplicate."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from d2tra.codelists import local_concept
from d2tra.config import setting
from d2tra.errors import StudyError
from d2tra.extract.accounting import count_by_source, count_rows, rows_aside
from d2tra.extract.cells import read_number
from d2tra.extract.column_rules import damaged_ids, untranslated_words
from d2tra.extract.findings import AS_READ, FINDINGS, collect, find
from d2tra.extract.mapping import Harmonised
from d2tra.extract.schemas import (
    COLUMNS,
    READERS,
    ROW_DATES,
    ROW_KEYS,
    Column,
    haq_di_used,
    schema,
    sorted_rows,
)
from d2tra.extract.site import REQUIRED_TABLES, TABLES, SiteMapping
from d2tra.extract.table_rules import (
    Findings,
    Recogniser,
    check_codes,
    check_imaging,
    empty_patient_cells,
    name_drugs,
    read_markers,
    read_results,
    split_drugs,
)
from d2tra.extract.their_columns import lead_back
from d2tra.logs import log

LATER_THAN = {"patients": ("diagnosis_date", "symptom_onset_date"), "treatments": ("stop_date", "start_date")}
DERIVED = {
    "visits": ("haq_di_used",), "labs": ("number", "is_censored"), "treatments": ("molecule", "kind", "mechanism"),
    "biomarkers": ("number",),
}  # fmt: skip
KEPT = ("place", "clinic")  # what harmonised rows carry beside their canonical columns


@dataclass(frozen=True)
class Validated:
    """What validation gives: typed tables, every finding, the count of every row, and the extract's cut."""

    tables: dict[str, pl.DataFrame]
    quarantine: pl.DataFrame
    accounting: pl.DataFrame
    by_source: pl.DataFrame
    data_cut_date: dt.date | None


class SetAsideError(StudyError):
    """The stop for too many rows set aside; the frames hold the reasons, for the private log and the workbook."""

    def __init__(self, message: str, quarantine: pl.DataFrame, by_source: pl.DataFrame) -> None:
        super().__init__(message)
        self.quarantine = quarantine
        self.by_source = by_source


def validate_extract(harmonised: Harmonised, site: SiteMapping, recognise: Recogniser) -> Validated:
    """Returns the valid tables, the findings, the accounting and the extract's cut.

    tables: canonical columns, typed and complete, what is derived from them (haq_di_used; number, is_censored;
    molecule, kind, mechanism), source_row; sorted by patient_id, date, source_row · quarantine: table, source,
    source_row, column, rule, severity, value, message, their_column (null: no cell of theirs) · accounting, by_source:
    n_read = n_valid + n_quarantined + n_duplicate, per table and per source of a table.
    `recognise` is `d2tra.treatment.recognise_drugs`. Raises StudyError for a lonely latest date without a declared
    cut, a rule of severity stop, and (SetAsideError) more than the site's percentage of a required table set aside.
    """
    read = harmonised.tables
    fresh: dict[str, pl.DataFrame] = {t: _without_duplicates(read[t]) for t in TABLES if t in read}
    if "treatments" in fresh:
        fresh["treatments"] = split_drugs(fresh["treatments"], site.drug_separators, recognise)
    text = {table: rows.with_row_index("row") for table, rows in fresh.items()}
    typed: dict[str, pl.DataFrame] = {}
    findings: Findings = [harmonised.findings, *damaged_ids(text)]
    findings += untranslated_words(text["patients"], "patients", ["sex"])
    for table, rows in text.items():
        typed[table], found = read_table(rows, table)
        findings += found
    cut = find_data_cut(typed, site)
    for table in typed:
        typed[table], found = _check_rows(typed[table], table, cut, site, recognise)
        findings += found
    findings += _check_patients(typed, text, collect(findings))
    every = collect(findings)
    _stop_where_told(every, site)
    valid = {table: _valid_rows(rows, table, every) for table, rows in typed.items()}
    valid = _with_what_the_site_says(valid, site)
    quarantine = every.sort("table", "source", "source_row", "column", "rule", "row", maintain_order=True)
    quarantine = lead_back(quarantine, site, read).select(n for n in FINDINGS if n not in ("row", "place"))
    by_source = count_by_source(read, text, every)
    accounting = count_rows(by_source, valid)
    _stop_where_too_many(accounting, by_source, quarantine, site)
    return Validated(valid, quarantine, accounting, by_source, cut)


def _without_duplicates(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(~pl.col("is_duplicate")).drop("is_duplicate")


def read_table(text: pl.DataFrame, table: str) -> tuple[pl.DataFrame, Findings]:
    """Returns the table typed (every canonical column, source, source_row, row) and what its cells break.

    Cells that break their column's kind, range, words or pattern become null; so do key cells, whose row is set aside.
    """
    columns = COLUMNS[table].values()
    text = text.with_columns(
        pl.lit(None, dtype=pl.String).alias(column.name)
        for column in columns
        if column.name not in text.columns
    )
    typed = text.select(
        *(
            READERS[column.kind](pl.col(column.name)).cast(column.dtype).alias(column.name)
            for column in columns
        ),
        *(name for name in text.columns if name.startswith(AS_READ) or name in KEPT),
        "source",
        "source_row",
        "row",
    )
    failures = _schema_failures(typed, table)
    findings: Findings = []
    emptied = []
    for column in columns:
        unread = text[column.name].is_not_null() & typed[column.name].is_null()
        if unread.any():
            findings += _unread(text, table, column, unread)
        found, broken = _misfits(text, table, column, failures)
        findings += found
        if broken is not None:
            emptied.append(pl.when(~broken).then(pl.col(column.name)).alias(column.name))
    return typed.with_columns(emptied), findings


def _schema_failures(typed: pl.DataFrame, table: str) -> pl.DataFrame:
    """column, check, index of every cell that fails the table's pandera schema."""
    from pandera.errors import SchemaErrors

    try:
        schema(table).validate(typed, lazy=True)
    except SchemaErrors as failed:
        return failed.failure_cases.select("column", "check", pl.col("index").cast(pl.Int64))
    return pl.DataFrame(schema={"column": pl.String, "check": pl.String, "index": pl.Int64})


def _unread(text: pl.DataFrame, table: str, column: Column, unread: pl.Series) -> Findings:
    """Findings for cells that hold something, but nothing of the column's kind."""
    name = column.name
    if column.is_key:
        return [find(text, table, name, "broken_key", pl.lit(unread))]
    if column.kind == "int":
        is_number = read_number(pl.col(name)).is_not_null()
        return [
            find(text, table, name, "not_a_number", pl.lit(unread) & ~is_number),
            find(text, table, name, "not_a_whole_number", pl.lit(unread) & is_number),
        ]
    rule = {"float": "not_a_number", "bool": "not_true_or_false"}.get(column.kind, "not_a_date")
    return [find(text, table, name, rule, pl.lit(unread))]


def _misfits(
    text: pl.DataFrame, table: str, column: Column, failures: pl.DataFrame
) -> tuple[Findings, pl.Expr | None]:
    """Findings for cells that were read and fail the schema, and which cells to empty."""
    mine = failures.filter(pl.col("column") == column.name)
    if mine.is_empty():
        return [], None
    null = pl.col("check") == "not_nullable"
    empty = pl.col("row").is_in(mine.filter(null)["index"].implode()) & pl.col(column.name).is_null()
    broken = pl.col("row").is_in(mine.filter(~null)["index"].implode())
    rule = "broken_key" if column.is_key else "not_in_list" if column.allowed else "out_of_range"
    return [
        find(text, table, column.name, "missing_key", empty),
        find(text, table, column.name, rule, broken),
    ], broken


def find_data_cut(typed: dict[str, pl.DataFrame], site: SiteMapping) -> dt.date | None:
    """Returns the extract's cut: the declared one, else the latest visit, sample, start, imaging or recorded date.

    Null where there is no date. StudyError if, undeclared, the latest date stands further from the next-latest than
    `lonely_date_days` of config/quality.yaml.
    """
    if site.data_cut_date:
        return site.data_cut_date
    dated = [
        typed[table].select("source", "source_row", date=name, column=pl.lit(f"{table}.{name}"))
        for table, name in ROW_DATES.items()
        if table in typed
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


def _check_rows(
    typed: pl.DataFrame,
    table: str,
    cut: dt.date | None,
    site: SiteMapping,
    recognise: Recogniser,
) -> tuple[pl.DataFrame, Findings]:
    """What one table's rows break among themselves: first more cells, then the order of dates, the cut and the keys."""
    findings: Findings = []
    if table == "patients":
        typed, findings = empty_patient_cells(typed, cut)
    elif table == "labs":
        typed, findings = read_results(typed, site)
    elif table == "treatments":
        typed, findings = name_drugs(typed, recognise)
    elif table == "imaging":
        findings = check_imaging(typed)
    elif table == "diagnoses":
        findings = check_codes(typed)
    elif table == "biomarkers":
        typed, findings = read_markers(typed, site)
    elif table == "visits":
        typed = typed.with_columns(haq_di_used=haq_di_used())
    if table in LATER_THAN:
        later, earlier = LATER_THAN[table]
        findings.append(find(typed, table, later, "dates_out_of_order", pl.col(later) < pl.col(earlier)))
    if table in ROW_DATES and cut:
        name = ROW_DATES[table]
        findings.append(find(typed, table, name, "row_after_cut", pl.col(name) > cut))
    if table in ROW_KEYS:
        key = ROW_KEYS[table]
        filled = pl.all_horizontal(pl.col(name).is_not_null() for name in key)
        findings.append(find(typed, table, key[-1], "repeated_key", filled & pl.struct(key).is_duplicated()))
    return typed, findings


def _check_patients(
    typed: dict[str, pl.DataFrame], text: dict[str, pl.DataFrame], findings: pl.DataFrame
) -> Findings:
    """Rows whose patient was set aside (orphan) or is nowhere (unknown_patient)."""
    everyone = text["patients"].select("row", "patient_id").drop_nulls()
    aside = everyone.filter(pl.col("row").is_in(rows_aside(findings, "patients").implode()))
    set_aside, known = aside["patient_id"].unique().implode(), everyone["patient_id"].unique().implode()
    found: Findings = []
    for table in typed:
        if table != "patients":
            kept = [name for name in ("source", "source_row", "row", "place") if name in typed[table].columns]
            rows = typed[table].select(*kept, readable="patient_id")
            rows = rows.with_columns(text[table]["patient_id"])
            patient = pl.col("patient_id")
            found.append(find(rows, table, "patient_id", "orphan", patient.is_in(set_aside)))
            nowhere = pl.col("readable").is_not_null() & ~patient.is_in(known)
            found.append(find(rows, table, "patient_id", "unknown_patient", nowhere))
    return found


def _valid_rows(typed: pl.DataFrame, table: str, findings: pl.DataFrame) -> pl.DataFrame:
    """The rows that nothing set aside, in their order and columns; they pass the strict schema."""
    valid = typed.filter(~pl.col("row").is_in(rows_aside(findings, table).implode()))
    clinic = [name for name in valid.columns if name == "clinic"]
    valid = valid.select(*COLUMNS[table], *DERIVED.get(table, ()), *clinic, "source_row")
    schema(table).validate(valid)
    return sorted_rows(valid, table)


def _with_what_the_site_says(valid: dict[str, pl.DataFrame], site: SiteMapping) -> dict[str, pl.DataFrame]:
    """The tables with what the mapping tells of the rows: `records_glucocorticoids` of patients (Boolean, null = not
    said), `local_concept` of diagnoses (String, where the mapping has local codes)."""
    recorded = pl.lit(site.records_glucocorticoids, dtype=pl.Boolean)
    told = {"patients": {"records_glucocorticoids": recorded}}
    if site.local_codes:
        told["diagnoses"] = {"local_concept": local_concept(site.local_codes)}
    last = (pl.exclude("source_row"), "source_row")
    return {t: rows.with_columns(**told[t]).select(*last) if t in told else rows for t, rows in valid.items()}


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
