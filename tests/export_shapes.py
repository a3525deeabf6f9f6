"""The same small extract in the shapes in which departments export it, for tests of `d2tra map`.

Each shape writes its files and says which canonical tables they stand for, and what a person answers where the
proposal asks (None: the line is deleted).
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import polars as pl

import small_study

Rows = list[dict[str, Any]]
Tables = dict[str, Rows]
N_PATIENTS = 12
NO_CUT: dict[str, str | None] = {"data_cut_date": None}


class Shape(NamedTuple):
    """An export: the canonical tables it stands for, and the answers to what the proposal asks."""

    tables: Tables
    answers: dict[str, str | None]


def canonical_tables() -> Tables:
    """Returns twelve synthetic patients with three visits each, without the planted faults of the small study."""
    everyone = small_study.extract()
    ours = {small_study.patient_id(number) for number in range(1, N_PATIENTS + 1)}
    tables = {
        table: [dict(row) for row in rows if row["patient_id"] in ours] for table, rows in everyone.items()
    }
    tables["visits"] = tables["visits"][: 3 * N_PATIENTS]
    tables["visits"][4]["tjc28"] = 7
    for table, rows in tables.items():  # days beyond the twelfth, so that day and month can be told apart
        if table != "visits":
            tables[table] = [
                {name: _later(cell) if name.endswith("_date") else cell for name, cell in row.items()}
                for row in rows
            ]
    for row in tables["visits"]:  # at least 30 values, so that a unit can be told
        row["crp_mg_l"] = row["crp_mg_l"] or 9
    return tables


def _later(day: Any) -> str:
    return str(dt.date.fromisoformat(day) + dt.timedelta(days=14)) if day else ""


def write_rows(path: Path, rows: Rows, delimiter: str = ",", encoding: str = "utf-8", above: int = 0) -> None:
    """Writes rows as delimited text, `above` title rows over the header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as handle:
        for number in range(above):
            handle.write(f"Rheumatology export, part {number + 1}\n")
        writer = csv.DictWriter(handle, list(rows[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def renamed(rows: Rows, names: dict[str, str], **change: Callable[[Any], Any]) -> Rows:
    """Returns the rows with their columns called otherwise (others left out) and the filled cells changed."""
    return [
        {
            theirs: change[ours](row[ours]) if ours in change and row[ours] not in ("", None) else row[ours]
            for ours, theirs in names.items()
        }
        for row in rows
    ]


def as_is(tables: Tables) -> dict[str, dict[str, str]]:
    return {table: {name: name for name in rows[0]} for table, rows in tables.items()}


def dated(written: str) -> Callable[[str], str]:
    return lambda day: dt.date.fromisoformat(day).strftime(written)


def with_dates(tables: Tables, change: Callable[[str], Any]) -> Tables:
    """Returns the tables with every date cell rewritten."""
    return {
        table: [{name: change(cell) if name.endswith("_date") and cell else cell for name, cell in row.items()} for row in rows]
        for table, rows in tables.items()
    }  # fmt: skip


def write_all(folder: Path, tables: Tables, **how: Any) -> None:
    for table, rows in tables.items():
        write_rows(folder / f"{table}.csv", rows, **how)


def canonical_csv(folder: Path, tables: Tables) -> Shape:
    write_all(folder, tables)
    return Shape(tables, NO_CUT)


def parquet(folder: Path, tables: Tables) -> Shape:
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in tables.items():
        text = [{name: None if cell == "" else str(cell) for name, cell in row.items()} for row in rows]
        pl.DataFrame(text, infer_schema_length=None).write_parquet(folder / f"{table}.parquet")
    return Shape(tables, NO_CUT)


UK = {
    "patients": {"patient_id": "Study no", "sequence": "Register no", "disease": "Diagnosis", "sex": "Sex",
                 "birth_year": "Year of birth", "smoking_status": "Smoking", "diagnosis_date": "Date of diagnosis"},
    "visits": {"patient_id": "Study no", "visit_date": "Clinic date", "tjc28": "TJC", "sjc28": "SJC",
               "patient_global_mm": "Pt global", "physician_global_mm": "Dr global", "pain_mm": "Pain",
               "fatigue_mm": "Fatigue", "haq_di": "HAQ", "esr_mm_h": "ESR", "crp_mg_l": "CRP", "weight_kg": "Weight",
               "height_cm": "Height", "problematic_to_patient": "Problem for pt",
               "problematic_to_rheumatologist": "Problem for dr"},
    "treatments": {"patient_id": "Study no", "drug": "Drug", "start_date": "Started", "stop_date": "Stopped",
                   "stop_reason": "Reason stopped"},
    "labs": {"patient_id": "Study no", "sample_date": "Date taken", "test": "Test", "value": "Result", "unit": "Units",
             "upper_limit": "ULN"},
    "diagnoses": {"patient_id": "Study no", "recorded_date": "Date recorded", "code_system": "System", "code": "Code",
                  "term": "Description"},
}  # fmt: skip
LOCAL = {"female": "F", "male": "M", "RA": "rheumatoid arthritis", "PsA": "psoriatic arthritis", "former": "ex",
         "true": "Y", "false": "N", "inefficacy": "no better", "secondary_inefficacy": "wore off",
         "adverse_event": "rash", "crp": "C-reactive protein", "rf": "Rheumatoid Factor", "anti_ccp": "CCP antibodies",
         "positive": "POS", "negative": "neg", "icd10": "ICD-10"}  # fmt: skip


def in_uk_words(tables: Tables, date: str = "%d/%m/%Y", words: dict[str, str] | None = None) -> Tables:
    """Returns the tables as a UK clinic heads and words them."""
    said = LOCAL if words is None else words
    local = {
        table: [{name: said.get(str(cell), cell) for name, cell in row.items()} for row in rows]
        for table, rows in with_dates(tables, dated(date)).items()
    }
    return {table: renamed(rows, UK[table]) for table, rows in local.items()}


def uk_csv(folder: Path, tables: Tables) -> Shape:
    write_all(folder, in_uk_words(tables))
    return Shape(tables, NO_CUT)


def one_workbook(folder: Path, tables: Tables) -> Shape:
    """Four sheets under two title rows; dates are dates."""
    sheets = {
        "patients": "Register",
        "visits": "Clinic",
        "treatments": "Drugs",
        "labs": "Bloods",
        "diagnoses": "Problems",
    }
    book = openpyxl.Workbook()
    book.remove(book.active)
    for table, rows in in_uk_words(tables, "%Y-%m-%d").items():
        sheet = book.create_sheet(sheets[table])
        sheet.append(["Rheumatology register"])
        sheet.append([])
        sheet.append(list(rows[0]))
        for row in rows:
            sheet.append([_cell(cell) for cell in row.values()])
    book.create_sheet("Notes").append(["Made by the audit team"])
    folder.mkdir(parents=True, exist_ok=True)
    book.save(folder / "register.xlsx")
    return Shape(tables, NO_CUT)


def _cell(cell: Any) -> Any:
    text = str(cell)
    if len(text) == 10 and text[4] == "-" and text[7] == "-":
        return dt.datetime.fromisoformat(text)
    return None if cell == "" else cell


GERMAN = {
    "patients": {"patient_id": "Patienten-ID", "sequence": "lfd. Nr.", "disease": "Diagnose", "sex": "Geschlecht",
                 "birth_year": "Geburtsjahr", "smoking_status": "Raucherstatus", "diagnosis_date": "Erstdiagnose"},
    "visits": {"patient_id": "Patienten-ID", "visit_date": "Besuchsdatum", "tjc28": "DSG28", "sjc28": "GSG28",
               "patient_global_mm": "Globalurteil Patient", "physician_global_mm": "Globalurteil Arzt",
               "pain_mm": "Schmerz", "fatigue_mm": "Müdigkeit", "haq_di": "HAQ", "esr_mm_h": "BSG", "crp_mg_l": "CRP (mg/l)",
               "weight_kg": "Gewicht (kg)", "height_cm": "Größe (m)"},
    "treatments": {"patient_id": "Patienten-ID", "drug": "Wirkstoff", "start_date": "Beginn", "stop_date": "Ende",
                   "stop_reason": "Absetzgrund"},
}  # fmt: skip
GERMAN_WORDS = {"female": "w", "male": "m", "former": "Ex-Raucher", "never": "Nichtraucher", "current": "Raucher",
                "PsA": "Psoriasisarthritis", "RA": "rheumatoide Arthritis", "inefficacy": "unwirksam",
                "secondary_inefficacy": "Wirkverlust", "adverse_event": "UAW"}  # fmt: skip


def german_csv(folder: Path, tables: Tables) -> Shape:
    """Semicolons, decimal comma, dd.mm.yyyy, metres, cp1252."""
    kept = {table: [{name: row[name] for name in GERMAN[table]} for row in tables[table]] for table in GERMAN}

    def spoken(name: str, cell: Any) -> Any:
        if name == "height_cm":
            cell = cell / 100
        return str(cell).replace(".", ",") if isinstance(cell, float) else GERMAN_WORDS.get(str(cell), cell)

    local = {
        table: [{name: spoken(name, cell) for name, cell in row.items()} for row in rows]
        for table, rows in kept.items()
    }
    for table, rows in with_dates(local, dated("%d.%m.%Y")).items():
        write_rows(folder / f"{table}.csv", renamed(rows, GERMAN[table]), ";", "cp1252")
    return Shape(kept, NO_CUT)


def wide_biologics(folder: Path, tables: Tables) -> Shape:
    local = in_uk_words(tables)
    numbers: dict[str, Rows] = {}
    for row in local.pop("treatments"):
        numbers.setdefault(str(row["Study no"]), []).append(row)
    wide = []
    for patient, courses in numbers.items():
        row: dict[str, Any] = {"Study no": patient}
        for n in range(1, 6):
            course = courses[n - 1] if n <= len(courses) else dict.fromkeys(UK["treatments"].values(), "")
            row |= {f"Biologic {n}": course["Drug"], f"Biologic {n} start": course["Started"],
                    f"Biologic {n} stop": course["Stopped"], f"Biologic {n} reason": course["Reason stopped"]}  # fmt: skip
        wide.append(row)
    write_all(folder, {**local, "biologics": wide})
    return Shape(tables, NO_CUT)


def labs_on_the_visit(folder: Path, tables: Tables) -> Shape:
    """RF and anti-CCP beside the joints; CRP is reported as `<5` and thus a laboratory's."""
    visits = [{**row, "crp_mg_l": ""} for row in tables["visits"]]
    results: dict[str, tuple[str, str]] = {
        "rf": ("POS", "positive"),
        "anti_ccp": ("<3", "<3"),
        "crp": ("<5", "<5"),
    }
    labs = [
        {"patient_id": row["patient_id"], "sample_date": row["visit_date"], "test": test, "value": value}
        for row in visits
        for test, (_, value) in results.items()
    ]
    local = in_uk_words({**tables, "visits": visits})
    del local["labs"]
    for row in local["visits"]:
        row |= {"RF": results["rf"][0], "Anti-CCP": results["anti_ccp"][0], "CRP": results["crp"][0]}
    write_all(folder, local)
    answers = {**NO_CUT, "anti_ccp": None, "crp_unit": "mg/L"}
    return Shape({**tables, "visits": visits, "labs": labs}, answers)


def title_rows(folder: Path, tables: Tables) -> Shape:
    write_all(folder, in_uk_words(tables), above=3)
    return Shape(tables, NO_CUT)


def excel_serials(folder: Path, tables: Tables) -> Shape:
    write_all(
        folder, with_dates(tables, lambda day: (dt.date.fromisoformat(day) - dt.date(1899, 12, 30)).days)
    )
    return Shape(tables, NO_CUT)


def us_dates(folder: Path, tables: Tables) -> Shape:
    """The diagnoses of one day only, so that month and day could be either: asked."""
    diagnoses = [{**row, "recorded_date": "2016-01-05"} for row in tables["diagnoses"]]
    tables = {**tables, "diagnoses": diagnoses}
    write_all(folder, in_uk_words(tables, "%m/%d/%Y"))
    return Shape(tables, {**NO_CUT, "format": '"%m/%d/%Y"'})


def tabs_in_cp1252(folder: Path, tables: Tables) -> Shape:
    for table, rows in in_uk_words(tables).items():
        marked = [{**row, "Überweiser": "Köln"} for row in rows]
        write_rows(folder / f"{table}.tsv", marked, "\t", "cp1252")
    return Shape(tables, NO_CUT)


def packed_labs(folder: Path, tables: Tables) -> Shape:
    """One row per patient and day, `ESR;CRP` beside `12;34`."""
    labs = [
        {
            "patient_id": row["patient_id"],
            "sample_date": row["visit_date"],
            "test": test,
            "value": value,
            "unit": unit,
        }
        for n, row in enumerate(tables["visits"])
        for test, value, unit in (("esr", f"{10 + n}", "mm/h"), ("crp", f"{3 + n}", "mg/L"))
    ]
    local = in_uk_words(tables)
    local["labs"] = [
        {"Study no": row["Study no"], "Sampled": row["Clinic date"], "Tests": "ESR;CRP;Hb", "Results": f"{10 + n};{3 + n};12{n % 10}",
         "Units": "mm/h;mg/L;g/L"}
        for n, row in enumerate(local["visits"])
    ]  # fmt: skip
    write_all(folder, local)
    return Shape({**tables, "labs": labs}, NO_CUT)


SCALES = ("patient_global_mm", "physician_global_mm", "pain_mm", "fatigue_mm")


def centimetres(folder: Path, tables: Tables) -> Shape:
    """Globals and pain on 0 to 10, height in metres, and nothing in the headings that says so."""
    scaled = {
        "visits": [
            {**row, **{name: row[name] / 10 for name in SCALES}, "height_cm": row["height_cm"] / 100}
            for row in tables["visits"]
        ]
    }
    write_all(folder, in_uk_words({**tables, **scaled}))
    return Shape(tables, NO_CUT)


def sentinels(folder: Path, tables: Tables) -> Shape:
    """99 and -1 for joints that nobody counted, `n/k` for a weight, 01/01/1900 for no stop."""
    visits = [dict(row) for row in tables["visits"]]
    marked = [dict(row) for row in tables["visits"]]
    for name, n, sign in (
        ("tjc28", 3, 99),
        ("sjc28", 5, 99),
        ("sjc28", 6, -1),
        ("weight_kg", 7, "n/k"),
        ("pain_mm", 8, 999),
    ):
        visits[n][name], marked[n][name] = "", sign
    courses = [{**row, "stop_date": row["stop_date"] or "1900-01-01"} for row in tables["treatments"]]
    write_all(folder, in_uk_words({**tables, "visits": marked, "treatments": courses}))
    return Shape({**tables, "visits": visits}, NO_CUT)


def two_digit_years(folder: Path, tables: Tables) -> Shape:
    write_all(folder, in_uk_words(tables, "%d/%m/%y"))
    return Shape(tables, NO_CUT)


def coded_sex(folder: Path, tables: Tables) -> Shape:
    """1 and 2 for the sexes, no column of disease, a word that nobody knows."""
    patients = [{**row, "disease": "RA"} for row in tables["patients"]]
    words = {**LOCAL, "female": "2", "male": "1", "adverse_event": "seen by Dr X"}
    local = in_uk_words({**tables, "patients": patients}, words=words)
    for row in local["patients"]:
        del row["Diagnosis"]
    write_all(folder, local)
    asked = {'"1"': "male", '"2"': "female", "disease": "RA", "seen by Dr X": "adverse_event"}
    return Shape({**tables, "patients": patients}, {**NO_CUT, **asked})


def one_flat_table(folder: Path, tables: Tables) -> Shape:
    """Patients and visits in one file: what is of the patient is repeated on every visit."""
    local = in_uk_words(tables)
    patients = {row["Study no"]: row for row in local.pop("patients")}
    local["visits"] = [{**patients[row["Study no"]], **row} for row in local["visits"]]
    write_all(folder, local)
    return Shape(tables, NO_CUT)


SHAPES: tuple[Callable[[Path, Tables], Shape], ...] = (
    canonical_csv, parquet, uk_csv, one_workbook, german_csv, wide_biologics, labs_on_the_visit, title_rows, excel_serials,
    us_dates, tabs_in_cp1252, packed_labs, centimetres, sentinels, two_digit_years, coded_sex, one_flat_table,
)  # fmt: skip
