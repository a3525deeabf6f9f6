"""What is wrong in the demo extract on purpose, and what each fault must become.

Faults fall on rows that cannot move a label: patients beyond the 722, or patients on their first b/tsDMARD.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from d2tra.synthetic.records import Row

Becomes = Literal[
    "row", "cell", "fix", "duplicate", "orphan", "finding"
]  # a finding stays valid and is listed in quality.csv


@dataclass(frozen=True)
class Fault:
    """One planted fault: a row is spoiled, added (a copy with changes), handed over twice, or forward: at three visits running."""

    file: str
    how: Literal["spoil", "add", "twice", "forward"]
    becomes: Becomes
    changes: Mapping[str, object]
    among: Mapping[str, str] | None = None  # only rows with these cells


def _register(number: int, becomes: Becomes = "row", **changes: object) -> Fault:
    row = {
        "Study no": f"P9{number}",
        "Register no": number,
        **{key.replace("_", " "): x for key, x in changes.items()},
    }
    return Fault("patients", "add", becomes, row)


def _slot(drug: str, start: str, stop: str = "", reason: str = "", becomes: Becomes = "row") -> Fault:
    cells = {"Biologic 9": drug, "Start 9": start, "Stop 9": stop, "Reason 9": reason}
    return Fault("biologics", "spoil", becomes, cells)


def _visit(file: str, becomes: Becomes, **changes: object) -> Fault:
    return Fault(
        file,
        "spoil",
        becomes,
        {key.replace("_", " ") if file == "clinic_old" else key: x for key, x in changes.items()},
    )


ESR, CRP = {"Test": "ESR"}, {"Test": "CRP"}
PREDNISOLONE = {"drug": "prednisolone"}
COPIED = {"TJC": "4", "SJC": "3", "Pt global cm": "4.5", "Dr global cm": "3.8", "ESR": "22", "CRP": "9"}

PLANTED = [
    # patients beyond the 722: the row is set aside, and with it what hangs on it
    _register(723, Diagnosis="OA"),
    Fault("patients", "add", "row", {"Study no": "", "Register no": 725}),
    Fault("patients", "add", "row", {"Study no": "P 77/1", "Register no": 726}),
    _register(727, Diagnosis=""),
    Fault("patients", "add", "row", {"Study no": "P9728", "Register no": 728, "Year of birth": 1951}),
    Fault("patients", "add", "row", {"Study no": "P9728", "Register no": 729, "Year of birth": 1962}),
    _register(730, Symptom_onset=dt.date(2019, 5, 1), Date_of_diagnosis=dt.date(2011, 2, 1)),
    Fault("biologics", "add", "orphan", {"Study no": "P9723"}),
    Fault("clinic_new", "add", "orphan", {"study_no": "P9723"}),
    Fault("labs", "add", "orphan", {"PatientRef": "P9723"}),
    Fault("diagnoses", "add", "orphan", {"StudyNo": "P9728"}),
    # cells of the register
    Fault("patients", "spoil", "cell", {"IMD quintile": 7}),
    Fault("patients", "spoil", "cell", {"Smoking": "vapes"}),
    Fault("patients", "spoil", "cell", {"Last contact": dt.date(2035, 2, 12)}),
    Fault("patients", "twice", "duplicate", {}),
    # biologics
    _slot("trial drug", "04/03/2019"),
    _slot("Enbrel", "01/02/2021", "01/02/2020", "no better"),
    _slot("Cimzia", "31/02/2019", "01/08/2019", "no better"),
    _slot("Kineret", "", "03/04/2021", "inj site reaction"),
    _slot("Olumiant", "01/06/2031"),
    Fault("biologics", "add", "row", {"Study no": "P0001"}),
    Fault("biologics", "twice", "duplicate", {}),
    # clinic visits
    _visit("clinic_old", "cell", TJC="41"),
    _visit("clinic_old", "cell", TJC="10+"),
    _visit("clinic_old", "cell", Pt_global_cm="12.0"),
    _visit("clinic_old", "cell", Wt="720"),
    _visit("clinic_old", "fix", SJC="99"),
    _visit("clinic_old", "fix", ESR="12 mm/hr"),
    Fault("clinic_old", "add", "row", {"Clinic date": "31/02/2018"}),
    Fault("clinic_old", "add", "row", {"Clinic date": ""}),
    Fault("clinic_old", "add", "row", {"Study no": "P0002"}),
    Fault("clinic_old", "twice", "duplicate", {}),
    _visit("clinic_new", "cell", tender_28="35"),
    _visit("clinic_new", "cell", patient_vas_mm="-5"),
    _visit("clinic_new", "cell", problem_patient="maybe"),
    _visit("clinic_new", "fix", swollen_28="99"),
    Fault("clinic_new", "add", "row", {"clinic_date": "15/06/2031"}),
    # two visits of one patient on one day that disagree
    Fault("clinic_new", "add", "row", {"study_no": "=", "clinic_date": "02/01/2022", "tender_28": "3"}),
    Fault("clinic_new", "add", "row", {"study_no": "=", "clinic_date": "02/01/2022", "tender_28": "9"}),
    Fault("clinic_new", "twice", "duplicate", {}),
    # laboratory
    Fault("labs", "spoil", "cell", {"Result": "haemolysed"}, ESR),
    Fault("labs", "spoil", "cell", {"Upper limit": "n/a"}, CRP),
    Fault("labs", "add", "row", {"Units": "mmol/L", "Result": "12"}, CRP),
    Fault("labs", "add", "row", {"Result": "940", "Units": "mm/hr"}, ESR),
    Fault("labs", "add", "row", {"Result": ""}, CRP),
    Fault("labs", "add", "row", {"Test": "Ferritin", "Result": "88", "Units": "ug/L"}, CRP),
    Fault("labs", "add", "row", {"Sampled": "30/02/2021"}, ESR),
    Fault("labs", "add", "row", {"PatientRef": "P0003"}, CRP),
    Fault("labs", "twice", "duplicate", {}, ESR),
    # prescriptions
    Fault("prescriptions", "add", "row", {"drug": "sulfadiazine", "atc": ""}),
    Fault("prescriptions", "add", "row", {"drug": "MTX/SSZ", "atc": ""}),
    Fault("prescriptions", "add", "row", {"drug": "leflunomide", "atc": "L04AX03"}),
    Fault("prescriptions", "add", "row", {"started": "01/09/2018", "stopped": "until review"}),
    Fault("prescriptions", "spoil", "cell", {"daily_mg": "15 reducing"}, PREDNISOLONE),
    Fault("prescriptions", "spoil", "cell", {"why_stopped": "gp advised"}),
    Fault("prescriptions", "twice", "duplicate", {}),
    # diagnoses
    Fault("diagnoses", "add", "row", {"Code": ""}),
    Fault("diagnoses", "add", "row", {"Recorded": "03/05/2034", "Term": "Gout", "Code": "M10.9", "System": "ICD-10"}),
    Fault("diagnoses", "add", "cell", {"Recorded": "45/13/2020", "Term": "Gout", "Code": "M10.9", "System": "ICD-10"}),
    Fault("diagnoses", "twice", "duplicate", {}),
    # implausible but possible: valid, and listed for a person to look at
    Fault("clinic_old", "forward", "finding", COPIED),
    Fault("prescriptions", "add", "finding", {"drug": "methotrexate", "atc": "", "started": "01/03/1985", "stopped": "01/09/1986"}),
    Fault("biologics", "spoil", "finding", {"Reason 1": "no better"}, {"Biologic 1": "Cimzia", "Biologic 2": "", "Stop 1": ""}),
    _slot("Kineret", "01/07/2022", "05/12/2022", "declined", becomes="finding"),
    _slot("Rinvoq", "01/05/2015", "01/10/2015", "declined", becomes="finding"),
]  # fmt: skip

KEYS = {"labs": "PatientRef", "diagnoses": "StudyNo", "clinic_new": "study_no", "prescriptions": "study_no"}


def plant(tables: dict[str, list[Row]], victims: list[str]) -> list[tuple[Fault, Row]]:
    """Puts every planted fault into the tables, one victim each; returns each fault with the row that shows it.

    `victims`: pseudonyms of patients whose label no fault can move, in order. The rows of a pair of visits on one
    day (pseudonym `=`) share a victim.
    """
    rows_of: dict[tuple[str, str], list[Row]] = {}
    for file, rows in tables.items():
        for row in rows:
            rows_of.setdefault((file, str(row[KEYS.get(file, "Study no")])), []).append(row)
    waiting, paired, planted = list(victims), "", []
    for fault in PLANTED:
        changes = {name: cell for name, cell in fault.changes.items() if cell != "="}
        is_paired = len(changes) < len(fault.changes)
        candidates = [paired] if is_paired and paired else waiting
        victim, rows = _first_fit(fault, candidates, rows_of)
        paired = victim if is_paired else ""
        if victim in waiting:
            waiting.remove(victim)
        row = rows[len(rows) // 2]
        if fault.how == "spoil":
            row.update(changes)
        elif fault.how == "forward":
            for visit in rows[len(rows) // 2 :][:3]:
                visit.update(changes)
        else:
            row = {**row, **changes}
            tables[fault.file].append(row)
        planted.append((fault, row))
    return planted


def _first_fit(
    fault: Fault, candidates: list[str], rows_of: Mapping[tuple[str, str], list[Row]]
) -> tuple[str, list[Row]]:
    """Returns the first candidate with rows that the fault can fall on, and these rows."""
    among = (fault.among or {}).items()
    for victim in candidates:
        rows = [
            row
            for row in rows_of.get((fault.file, victim), [])
            if all(row[name] == cell for name, cell in among)
        ]
        if rows and (fault.how != "forward" or len(rows) > 5):
            return victim, rows
    raise RuntimeError(f"no row found for {fault}")
