"""The demo extract as files: one workbook and five csv, each marked as synthetic, and `truth.json` beside them."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path

import xlsxwriter

from d2tra.io import write_bytes, write_json, write_text
from d2tra.synthetic.clinic import NEW_CLINIC_SYSTEM, draw_visits
from d2tra.synthetic.faults import Fault, plant
from d2tra.synthetic.histories import write_history
from d2tra.synthetic.people import (
    INTERCEPT,
    N_ALL,
    N_AUDIT,
    ODDS_RATIOS,
    PREVALENCES,
    SEED,
    SHARE_NOT_ASSESSABLE,
    SHARE_WITHOUT_CCP,
    SHARE_WITHOUT_RF,
    SHARE_WITHOUT_WEIGHT,
    Person,
    draw_people,
)
from d2tra.synthetic.records import (
    Row,
    biologics_row,
    clinic_row,
    diagnosis_rows,
    lab_rows,
    patient_row,
    prescription_rows,
)
from d2tra.synthetic.survey import draw_survey

WORKBOOK = "synthetic_register.xlsx"
TITLE = "SYNTHETIC DATA: invented patients, made by d2tra.synthetic, nobody is described here"
SHEETS = {"patients": ("Patients", 2), "biologics": ("Biologics", 1)}  # sheet, row of its header
CSV_FILES = {
    "clinic_old": ("synthetic_clinic_2015_2019.csv", ","),
    "clinic_new": ("synthetic_clinic_2020_2023.csv", ","),
    "labs": ("synthetic_laboratory.csv", ";"),
    "prescriptions": ("synthetic_prescriptions.csv", ","),
    "diagnoses": ("synthetic_diagnoses.csv", ","),
}
SURVEY = "synthetic_survey.csv"  # what clinicians answered: no table of the extract
MADE_ON = dt.datetime(2024, 4, 24)  # fixed, so that the same seed gives the same bytes


def write_demo(folder: str | Path, seed: int = SEED) -> None:
    """Writes the whole demo extract into a folder, the same bytes for the same seed and versions of the libraries."""
    folder = Path(folder)
    people, tables, planted = draw_demo(seed)
    write_bytes(_workbook(tables), folder / WORKBOOK)
    for name, (file, delimiter) in CSV_FILES.items():
        write_text(_csv(tables[name], delimiter), folder / file)
    write_text(_csv(draw_survey(seed), ","), folder / SURVEY)
    write_json(_truth(seed, people, tables, planted), folder / "truth.json")


def draw_demo(seed: int = SEED) -> tuple[list[Person], dict[str, list[Row]], list[tuple[Fault, Row]]]:
    """Returns the people, the rows of every file or sheet, and the planted faults with the row that shows each."""
    people = draw_people(seed)
    tables: dict[str, list[Row]] = {name: [] for name in (*SHEETS, *CSV_FILES)}
    victims = []
    for person in people:
        history = write_history(person, seed)
        visits = draw_visits(person, history, seed)
        tables["patients"].append(patient_row(person, history, seed))
        tables["biologics"].append(biologics_row(person, history, seed))
        for visit in visits:
            tables["clinic_new" if visit.day >= NEW_CLINIC_SYSTEM else "clinic_old"].append(
                clinic_row(person, visit)
            )
        tables["labs"].extend(lab_rows(person, history, visits, seed))
        tables["prescriptions"].extend(prescription_rows(person, history, seed))
        tables["diagnoses"].extend(diagnosis_rows(person, history, seed))
        if history.story.kind == "first_drug" and not history.last_contact and person.sequence > N_AUDIT:
            victims.append(person.patient_id)
    return people, tables, plant(tables, victims)


def _csv(rows: list[Row], delimiter: str) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _workbook(tables: dict[str, list[Row]]) -> bytes:
    """The register as an .xlsx with fixed dates and properties; zlib may differ, the parts inside do not."""
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    book.set_properties({"title": "SYNTHETIC DATA", "author": "d2tra.synthetic", "created": MADE_ON})
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    for name, (sheet, header_row) in SHEETS.items():
        page = book.add_worksheet(sheet)
        if header_row > 1:
            page.write_string(0, 0, TITLE)
        page.write_row(header_row - 1, 0, list(tables[name][0]))
        for number, row in enumerate(tables[name], start=header_row):
            for column, cell in enumerate(row.values()):
                if isinstance(cell, dt.date):
                    page.write_datetime(number, column, dt.datetime(cell.year, cell.month, cell.day), day)
                elif isinstance(cell, int):
                    page.write_number(number, column, cell)
                elif cell:
                    page.write_string(number, column, str(cell))
    book.close()
    return content.getvalue()


def _truth(
    seed: int, people: list[Person], tables: dict[str, list[Row]], planted: list[tuple[Fault, Row]]
) -> dict[str, object]:
    """What is true of the demo by construction: read by its tests only."""
    cohorts = {"audit": (1, N_AUDIT), "extension": (N_AUDIT + 1, N_ALL), "full": (1, N_ALL)}
    statuses = ("met", "not_met", "not_assessable")
    return {
        "what": "Facts about the generator of SYNTHETIC data (d2tra.synthetic). Tests read this file, the pipeline never does.",
        "seed": seed,
        "data_cut_date": "2023-12-31",
        "definition": "eular_2021 at the last visit, criterion 3 unrecorded = unknown",
        "generating_model": {
            "cohort": "extension",
            "form": "log odds of met = intercept + sum of log(odds ratio) over the factors that the patient has at the last visit",
            "intercept": INTERCEPT,
            "odds_ratios": ODDS_RATIOS,
            "then": "this share becomes not assessable whatever the label",
            "share_not_assessable": SHARE_NOT_ASSESSABLE,
            "factors": PREVALENCES,
            "missing_at_random": {
                "weight": SHARE_WITHOUT_WEIGHT,
                "rf": SHARE_WITHOUT_RF,
                "anti_ccp": SHARE_WITHOUT_CCP,
            },
        },
        "cohorts": {
            name: {"n": last - first + 1}
            | {status: sum(p.status == status for p in people[first - 1 : last]) for status in statuses}
            for name, (first, last) in cohorts.items()
        },
        "sequences": {
            **{status: [p.sequence for p in people if p.status == status] for status in statuses[::2]},
            **{name: [p.sequence for p in people if p.factors()[name]] for name in ODDS_RATIOS},
        },
        "faults": [
            {
                "file": WORKBOOK if fault.file in SHEETS else CSV_FILES[fault.file][0],
                "sheet": SHEETS[fault.file][0] if fault.file in SHEETS else None,
                "row": 1
                + SHEETS.get(fault.file, ("", 1))[1]
                + next(i for i, r in enumerate(tables[fault.file]) if r is row),
                "becomes": fault.becomes,
            }
            for fault, row in planted
        ],
    }
