"""The canonical tables as data: every column's kind, need, unit, range and words, and pandera schemas made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import polars as pl

from d2tra.errors import StudyError, nearest
from d2tra.extract.biomarkers import NAME, read_biomarkers
from d2tra.extract.cells import (
    read_boolean,
    read_date,
    read_lab_results,
    read_month,
    read_number,
    read_whole_number,
)

Kind = Literal["text", "enum", "int", "float", "bool", "date", "month"]
DTYPES: dict[str, pl.DataType] = {
    "text": pl.String(), "enum": pl.String(), "month": pl.String(), "int": pl.Int64(), "float": pl.Float64(),
    "bool": pl.Boolean(), "date": pl.Date(),
}  # fmt: skip
READERS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "text": lambda text: text, "enum": lambda text: text, "month": read_month, "int": read_whole_number,
    "float": read_number, "bool": read_boolean, "date": read_date,
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One canonical column. `need`: `R` must be there and be filled, `R N` must be there, `N` or empty: optional."""

    name: str
    kind: Kind
    need: Literal["R", "R N", "N"] = "N"
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    written: str = ""  # what the pattern takes, in words

    @property
    def must_exist(self) -> bool:
        return self.need != "N"

    @property
    def is_key(self) -> bool:
        """True if a broken cell sets its row aside; in any other column it is emptied and the row stays."""
        return self.need == "R" or self.name == "stop_date"

    @property
    def dtype(self) -> pl.DataType:
        return DTYPES[self.kind]

    def says(self) -> str:
        """Returns what the column takes, in words: `whole number from 0 to 28`."""
        kinds = {"text": "text", "enum": "one of " + ", ".join(self.allowed), "int": "a whole number",
                 "float": "a number with a decimal point", "bool": "true or false", "date": "a date YYYY-MM-DD",
                 "month": "a month YYYY-MM"}  # fmt: skip
        words = self.written or kinds[self.kind]
        if self.low is not None:
            words += f" from {self.low:g}" + (f" to {self.high:g}" if self.high is not None else " upwards")
        return words + (f" {self.unit}" if self.unit else "")


def _enum(name: str, need: Literal["R", "R N", "N"], *allowed: str) -> Column:
    return Column(name, "enum", need, allowed=allowed)


def _number(name: str, low: float, high: float, unit: str | None = None) -> Column:
    return Column(name, "float", "N", unit, low, high)


def _count(name: str, high: int, low: int = 0) -> Column:
    return Column(name, "int", "N", None, low, high)


PATIENT_ID = Column(
    "patient_id", "text", "R", pattern=r"^[A-Za-z0-9_-]{1,64}$", written="1 to 64 letters, digits, _ or -"
)
HAQ_CATEGORIES = ("dressing", "arising", "eating", "walking", "hygiene", "reach", "grip", "activities")
HAQ_MIN_ANSWERED = 6  # of 8 categories; HAQ instruction sheet, clinical reference 1.4
HAQ_WITH_AID = 2  # a category done with an aid or help counts at least this; the same sheet
STOP_REASONS = (
    "primary_inefficacy", "secondary_inefficacy", "inefficacy", "adverse_event", "intolerance", "remission",
    "pregnancy", "surgery", "infection", "patient_choice", "access", "death", "other", "unknown",
)  # fmt: skip
# measure: modality, lowest, highest, whole numbers only
IMAGING_MEASURES: dict[str, tuple[str, float, float, bool]] = {
    "power_doppler_grade": ("ultrasound", 0, 3, True),
    "grey_scale_grade": ("ultrasound", 0, 3, True),
    "osteitis": ("mri", 0, 1, True),
    "synovitis": ("mri", 0, 1, True),
    "sharp_van_der_heijde": ("xray", 0, 448, False),
}

_TABLES: dict[str, tuple[Column, ...]] = {
    "patients": (
        PATIENT_ID,
        Column("sequence", "int", low=1),
        _enum("disease", "R", "RA", "PsA"),
        _enum("sex", "R N", "female", "male", "other", "unknown"),
        Column("birth_year", "int", "R N", low=1900),
        _enum("ethnicity", "N", "white", "asian", "black", "mixed", "other", "unknown"),
        _count("imd_quintile", 5, low=1),
        _enum("smoking_status", "N", "never", "former", "current"),
        Column("symptom_onset_date", "date"),
        Column("diagnosis_date", "date"),
        Column("csdmard_contraindicated", "bool"),
        Column("last_contact_date", "date"),
        Column("death_month", "month"),
    ),
    "visits": (
        PATIENT_ID,
        Column("visit_date", "date", "R"),
        _count("tjc28", 28), _count("sjc28", 28), _count("tjc68", 68), _count("sjc66", 66),
        *(_number(f"{name}_mm", 0, 100, "mm") for name in ("patient_global", "physician_global", "pain", "fatigue")),
        _number("haq_di", 0, 3),
        _number("esr_mm_h", 0, 200, "mm/h"),
        _number("crp_mg_l", 0, 600, "mg/L"),
        _number("weight_kg", 20, 350, "kg"),
        _number("height_cm", 100, 230, "cm"),
        _number("bmi_kg_m2", 10, 90, "kg/m2"),
        Column("problematic_to_patient", "bool"),
        Column("problematic_to_rheumatologist", "bool"),
        _number("recorded_das28", 0, 10),
        _number("recorded_cdai", 0, 76),
        _number("recorded_sdai", 0, 110),
        _enum("recorded_das28_form", "N", "esr4", "esr3", "crp4", "crp3"),
        _count("mdhaq_sum", 30),
        *(_count(f"haq_{category}", 3) for category in HAQ_CATEGORIES),
        *(Column(f"haq_{category}_aid", "bool") for category in HAQ_CATEGORIES),
        _number("skin_bsa_percent", 0, 100, "%"),
        _number("pasi", 0, 72),
        _count("enthesitis_count", 13),
        _count("lei_count", 6),
        _count("tender_dactylitis", 20),
        _number("sf36_pcs", 0, 100),
    ),
    "labs": (
        PATIENT_ID,
        Column("sample_date", "date", "R"),
        _enum("test", "R", "esr", "crp", "rf", "anti_ccp"),
        Column("value", "text", "R"),
        Column("unit", "text"),
        Column("upper_limit", "float"),
    ),
    "treatments": (
        PATIENT_ID,
        Column("drug", "text", "R"),
        Column("atc_code", "text"),
        Column("start_date", "date", "R"),
        Column("stop_date", "date"),
        _enum("stop_reason", "N", *STOP_REASONS),
        Column("daily_dose_mg", "float", "N", "mg", low=0),
        _enum("adherence", "N", "adherent", "non_adherent", "unknown"),
    ),
    "diagnoses": (
        PATIENT_ID,
        Column("recorded_date", "date", "R N"),
        _enum("code_system", "R", "icd10", "snomed", "read2", "omop", "local"),
        Column("code", "text", "R"),
        Column("term", "text"),
    ),
    "imaging": (
        PATIENT_ID,
        Column("imaging_date", "date", "R"),
        _enum("modality", "R", "ultrasound", "mri", "xray"),
        _enum("measure", "R", *IMAGING_MEASURES),
        Column("value", "float", "R"),
        Column("joint", "text"),
    ),
    "biomarkers": (
        PATIENT_ID,
        Column("sample_date", "date", "R"),
        Column("marker", "text", "R", pattern=NAME, written="a name of config/biomarkers.yaml in small letters"),
        Column("value", "text", "R"),
        Column("unit", "text"),
    ),
}  # fmt: skip

COLUMNS: dict[str, dict[str, Column]] = {
    table: {column.name: column for column in columns} for table, columns in _TABLES.items()
}
ROW_KEYS: dict[str, tuple[str, ...]] = {"patients": ("patient_id",), "visits": ("patient_id", "visit_date")}
ROW_DATES: dict[str, str] = {
    "visits": "visit_date", "labs": "sample_date", "treatments": "start_date", "diagnoses": "recorded_date",
    "imaging": "imaging_date", "biomarkers": "sample_date",
}  # fmt: skip
LAB_COLUMNS = {"esr": COLUMNS["visits"]["esr_mm_h"], "crp": COLUMNS["visits"]["crp_mg_l"]}


def sorted_rows(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """Returns the rows in the order of every valid table: patient_id, the row's date, source_row."""
    order = ["patient_id", *([ROW_DATES[table]] if table in ROW_DATES else []), "source_row"]
    return frame.sort(order, maintain_order=True)


def in_order(rows: pl.DataFrame, patient: str, day: str) -> pl.DataFrame:
    """Returns the rows sorted by patient and day (null days first), equal ones in their order.

    Rows that are in order, as every valid table is, are only looked at.
    """
    who, when, before = pl.col(patient), pl.col(day), pl.col(day).shift()
    later = when.ge(before).fill_null(before.is_null())
    ordered = rows.select(((who > who.shift()) | ((who == who.shift()) & later)).all()).item()
    return rows if ordered else rows.sort(patient, day, maintain_order=True)


@cache
def schema(table: str, only: tuple[str, ...] | None = None) -> Any:
    """Returns the table's pandera schema for a typed frame: every column (`only`: these) with its range, words or pattern.

    Null is a failure only in key columns. Import of pandera is put off: most steps never validate.
    """
    import pandera.polars as pa

    def checks(column: Column) -> list[Any]:
        found = []
        if column.low is not None:
            top = column.high
            found.append(pa.Check.ge(column.low) if top is None else pa.Check.in_range(column.low, top))
        if column.allowed:
            found.append(pa.Check.isin(list(column.allowed)))
        if column.pattern:
            found.append(pa.Check.str_matches(column.pattern))
        return found

    columns = {
        column.name: pa.Column(column.dtype, checks(column), nullable=column.need != "R")
        for column in COLUMNS[table].values()
        if only is None or column.name in only
    }
    return pa.DataFrameSchema(columns, name=table)


def require_columns(present: Iterable[str], table: str, needed: Iterable[str], where: str) -> None:
    """Raises StudyError naming every needed column that is not there, with the nearest one that is."""
    present = list(present)
    missing = [name for name in needed if name not in present]
    if missing:
        named = "; ".join(f"{name!r}{nearest(name, present)}" for name in missing)
        raise StudyError(f"{where}: required column of table {table} is missing: {named} Add or map it.")


def complete(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """Returns the frame with every canonical column of its table, typed, in canonical order, then its other columns.

    Absent columns become typed nulls; numbers, dates and booleans given as text are read; `source_row` is the row's
    place as a spreadsheet shows it where absent. visits gain `haq_di_used` (0–3; null with fewer than 6 of 8
    categories), labs `number` (ESR mm/h, CRP mg/L also where no unit is given) and `is_censored`, biomarkers `number`.
    StudyError if patient_id or the row's date is absent, or a cell does not fit its column.
    """
    needed = [
        name for name in ("patient_id", ROW_DATES.get(table)) if name and COLUMNS[table][name].need == "R"
    ]
    require_columns(frame.columns, table, needed, "frame given")
    canonical = [
        _typed(frame, table, column) if column.name in frame.columns
        else pl.lit(None, dtype=column.dtype).alias(column.name)
        for column in COLUMNS[table].values()
    ]  # fmt: skip
    others = [name for name in frame.columns if name not in COLUMNS[table] and name != "source_row"]
    row = pl.int_range(2, pl.len() + 2, dtype=pl.Int64)
    if "source_row" in frame.columns and frame.schema["source_row"] != pl.Null:
        row = pl.col("source_row").cast(pl.Int64)
    whole = frame.select(*canonical, *others, row.alias("source_row"))
    if table == "visits" and "haq_di_used" not in others:
        whole = whole.with_columns(haq_di_used=haq_di_used())
    if table == "labs" and not {"number", "is_censored"} <= set(others):
        results = read_lab_results(whole, crp_unit="mg/L", censored="half")
        whole = whole.with_columns(results[name] for name in ("number", "is_censored") if name not in others)
    if table == "biomarkers" and "number" not in others:
        whole = whole.with_columns(read_biomarkers(whole)["number"])
    # where nothing was added: to select anew would make the empty columns whole
    if whole.columns[-1] == "source_row":
        return whole
    return whole.select(pl.exclude("source_row"), "source_row")


def no_rows(table: str) -> pl.DataFrame:
    """Returns the table with every canonical column and no row: what a site without it has."""
    return complete(pl.DataFrame(schema={c.name: c.dtype for c in COLUMNS[table].values()}), table)


def haq_di_used() -> pl.Expr:
    """Returns haq_di where given, else the mean of the answered HAQ categories (0–3), at least 6 of 8.

    A category with an aid or help counts at least 2; an unanswered one stays unanswered. Source: clinical
    reference 1.4 (HAQ-DI instruction sheet).
    """
    scores = [
        pl.when(pl.col(f"haq_{category}_aid").fill_null(False) & (pl.col(f"haq_{category}") < HAQ_WITH_AID))
        .then(HAQ_WITH_AID)
        .otherwise(pl.col(f"haq_{category}"))
        for category in HAQ_CATEGORIES
    ]
    n_answered = pl.sum_horizontal(score.is_not_null().cast(pl.Int64) for score in scores)
    from_categories = pl.when(n_answered >= HAQ_MIN_ANSWERED).then(pl.sum_horizontal(scores) / n_answered)
    return pl.coalesce(pl.col("haq_di"), from_categories)


def _typed(frame: pl.DataFrame, table: str, column: Column) -> pl.Series:
    given = frame[column.name]
    if given.dtype == column.dtype:
        return given
    if given.dtype == pl.Null:
        return given.cast(column.dtype)
    if given.dtype in (pl.Categorical, pl.Enum):
        given = given.cast(pl.String)
    if given.dtype == pl.String and column.dtype != pl.String:
        given = given.replace("", None)
        typed = (
            given.to_frame().select(READERS[column.kind](pl.col(column.name).str.strip_chars())).to_series()
        )
    elif column.kind == "bool" and given.dtype.is_numeric():
        typed = pl.select(pl.when(given.is_in([0, 1])).then(given == 1)).to_series()
    elif column.kind == "int" and given.dtype.is_float():
        typed = (
            pl.select(pl.when(given == given.round(0)).then(given)).to_series().cast(pl.Int64, strict=False)
        )
    else:
        typed = given.cast(column.dtype, strict=False)
    n_lost = int((given.is_not_null() & typed.is_null()).sum())
    if n_lost:
        raise StudyError(
            f"frame given: table {table}, column {column.name!r}: {n_lost} cells are not {column.says()}."
        )
    return typed.alias(column.name)
