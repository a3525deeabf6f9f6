"""What the department would hand over about one synthetic patient, in its own columns and words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np

from d2tra.synthetic.clinic import NEW_CLINIC_SYSTEM, Visit
from d2tra.synthetic.drugs import ATC, BIOLOGICS, CSDMARDS, drug_text, pick, reason_text
from d2tra.synthetic.histories import History, Line, infusions
from d2tra.synthetic.people import Person, stream

Row = dict[str, object]
LABEL = "SYNTHETIC"
MAX_BIOLOGICS = 10
RF_LIMIT, CCP_LIMIT = 14, 7


def written(day: dt.date | None) -> str:
    """Returns a date as the department writes it, dd/mm/yyyy; empty for none."""
    return f"{day:%d/%m/%Y}" if day else ""


def _text(value: object) -> str:
    return "" if value is None else str(value)


def patient_row(person: Person, history: History, seed: int) -> Row:
    """Returns the patient's row of the register."""
    random = stream(seed, 6, person.sequence)
    ethnic = random.choice(["A", "A", "A", "B", "C", "G", "H", "J", "K", "M", "N", "S", "Z"], p=_ETHNIC)
    smoking = random.choice(["never", "ex", "current", ""], p=[0.44, 0.33, 0.19, 0.04])
    contraindicated = (
        "Y" if random.random() < 0.02 and history.story.csdmard else "N" if random.random() < 0.8 else ""
    )
    return {
        "Study no": person.patient_id,
        "Register no": person.sequence,
        "Diagnosis": "RA",
        "Sex": "F" if person.female else "M",
        "Year of birth": history.index.year - person.age,
        "Ethnic group": str(ethnic),
        "IMD quintile": "" if random.random() < 0.03 else int(random.choice(5, p=_DEPRIVATION)) + 1,
        "Smoking": str(smoking),
        "Symptom onset": history.onset,
        "Date of diagnosis": history.diagnosis,
        "csDMARD contraindicated": contraindicated,
        "Last contact": history.last_contact,
        "Month of death": f"{history.last_contact:%Y-%m}" if history.died and history.last_contact else "",
    }


_ETHNIC = [0.3, 0.3, 0.21, 0.01, 0.03, 0.01, 0.045, 0.035, 0.01, 0.01, 0.01, 0.01, 0.02]
_DEPRIVATION = [0.24, 0.22, 0.2, 0.18, 0.16]


def biologics_row(person: Person, history: History, seed: int) -> Row:
    """Returns the patient's wide row of b/tsDMARDs: `Biologic 1`, `Start 1`, `Stop 1`, `Reason 1`, `Taken as agreed 1` …"""
    random = stream(seed, 7, person.sequence)
    entries = [entry for line in history.lines for entry in _entries(line, history, random)]
    if len(entries) > MAX_BIOLOGICS:
        raise RuntimeError(f"sequence {person.sequence} needs {len(entries)} columns of biologics")
    row: Row = {"Data": LABEL, "Study no": person.patient_id}
    for number in range(1, MAX_BIOLOGICS + 1):
        entry = entries[number - 1] if number <= len(entries) else ("", None, None, "")
        drug, start, stop, reason = entry
        agreed = ""
        if number == len(entries):
            agreed = pick(random, ["Y"] * 7 + ["N"] + ["", ""])
        row |= {
            f"Biologic {number}": drug,
            f"Start {number}": written(start),
            f"Stop {number}": written(stop),
            f"Reason {number}": reason,
            f"Taken as agreed {number}": agreed,
        }
    return row


def _entries(
    line: Line, history: History, random: np.random.Generator
) -> Iterator[tuple[str, dt.date, dt.date | None, str]]:
    """The register's entries for one line: one, two where a biosimilar came, one per rituximab cycle."""
    ending = "inefficacy" if line.ending == "short" else line.ending
    reason = "" if line.ending == "ongoing" else reason_text(random, ending)
    stop = line.stop
    if line.ending == "ongoing" and history.died and line.molecule != "rituximab":
        stop, reason = history.last_contact, reason_text(random, "death")
    if line.molecule == "rituximab":
        *earlier, last = infusions(line, history.index, random)
        for day in earlier:
            yield drug_text(random, line.molecule, day), day, None, ""
        recorded = reason not in ("", "?", "see letter")
        yield drug_text(random, line.molecule, last), last, line.stop if recorded else None, reason
        return
    drug = BIOLOGICS[line.molecule]
    switch = drug.biosimilars_from + dt.timedelta(days=int(random.integers(20, 420)))
    end = line.stop or history.index
    if (
        drug.mechanism == "tnf"
        and drug.biosimilars
        and line.start < drug.biosimilars_from
        and switch < end - dt.timedelta(60)
    ):
        yield drug.names[0], line.start, switch, reason_text(random, "other")
        pause = dt.timedelta(days=int(random.integers(0, 22)))
        yield pick(random, drug.biosimilars), switch + pause, stop, reason
        return
    yield drug_text(random, line.molecule, line.start), line.start, stop, reason


def clinic_row(person: Person, visit: Visit) -> Row:
    """Returns a visit as its clinic system exports it: to 2019 globals in cm and height in m, from 2020 in mm and cm."""
    seen, yes_no = visit.seen, {True: "Y", False: "N", None: ""}
    if visit.day >= NEW_CLINIC_SYSTEM:
        return {
            "data": LABEL, "study_no": person.patient_id, "clinic_date": written(visit.day),
            "tender_28": _text(seen["tjc"]), "swollen_28": _text(seen["sjc"]),
            "patient_vas_mm": _text(seen["patient"]), "physician_vas_mm": _text(seen["physician"]),
            "pain_vas_mm": _text(seen["pain"]), "fatigue_vas_mm": _text(seen["fatigue"]), "haq_di": _text(seen["haq"]),
            "das28": _text(visit.das28), "das28_form": visit.das28_form,
            "weight_kg": _text(visit.weight), "height_cm": _text(visit.height),
            "problem_patient": yes_no[visit.flag_patient], "problem_doctor": yes_no[visit.flag_physician],
        }  # fmt: skip

    def cm(name: str) -> str:
        value = seen[name]
        return "" if value is None else f"{value / 10:.1f}"

    return {
        "Data": LABEL, "Study no": person.patient_id, "Clinic date": written(visit.day),
        "TJC": _text(seen["tjc"]), "SJC": _text(seen["sjc"]), "Pt global cm": cm("patient"), "Dr global cm": cm("physician"),
        "Pain cm": cm("pain"), "Fatigue cm": cm("fatigue"), "HAQ": _text(seen["haq"]),
        "ESR": _text(visit.esr if visit.on_sheet and visit.has_esr else None),
        "CRP": visit.crp_text if _crp_on_sheet(visit) else "",
        "Wt": _text(visit.weight), "Ht": "" if visit.height is None else f"{visit.height / 100:.2f}",
        "Problem for pt": yes_no[visit.flag_patient], "Problem for dr": yes_no[visit.flag_physician],
    }  # fmt: skip


def _crp_on_sheet(visit: Visit) -> bool:
    return visit.on_sheet and visit.has_crp and visit.crp_unit == "mg/L" and visit.crp_text[0].isdigit()


def lab_rows(person: Person, history: History, visits: list[Visit], seed: int) -> list[Row]:
    """Returns the laboratory's results: RF and anti-CCP once or twice, ESR and CRP near each visit."""
    random = stream(seed, 8, person.sequence)
    rows: list[Row] = []

    def add(day: dt.date, test: str, result: str, unit: str, limit: str) -> None:
        rows.append({"Data": LABEL, "PatientRef": person.patient_id, "Sampled": written(day), "Test": test,
                     "Result": result, "Units": unit, "Upper limit": limit})  # fmt: skip

    day = history.diagnosis + dt.timedelta(days=int(random.integers(-20, 60)))
    if person.rf_known:
        add(day, "Rheumatoid factor", *_antibody(person.rf, RF_LIMIT, "IU/mL", random))
    if person.ccp_known:
        add(day, "Anti-CCP", *_antibody(person.ccp, CCP_LIMIT, "U/mL", random))
    if person.rf_known and random.random() < 0.12:
        later = day + dt.timedelta(days=int(random.integers(90, 700)))
        if later < history.index:
            add(later, "RhF", *_antibody(person.rf, RF_LIMIT, "IU/mL", random))
    for visit in visits:
        if visit.has_esr and not visit.on_sheet:
            unit = pick(random, ["mm/hr"] * 16 + ["mm/h"] * 3 + [""])
            add(visit.sampled, "ESR", str(visit.esr), unit, "")
        if visit.has_crp and not _crp_on_sheet(visit):
            add(visit.sampled, "CRP", visit.crp_text, visit.crp_unit, "5" if visit.crp_unit == "mg/L" else "")
    return rows


def _antibody(positive: bool, limit: int, unit: str, random: np.random.Generator) -> tuple[str, str, str]:
    """Returns result, unit and upper limit as reported; one in eight without a limit, one in six as a word."""
    top = f"{limit}" if random.random() < 0.87 else ""
    if random.random() < 1 / 6:
        words = (
            ["positive", "positive", "Positive", "weak positive"] if positive else ["negative", "Negative"]
        )
        return pick(random, words), "", ""
    if not positive:
        return pick(random, [f"<{limit // 2}", f"<{limit}", str(int(random.integers(1, limit)))]), unit, top
    titre = int(limit * (1.2 + random.gamma(1.1, 7)))
    return (f">{30 * limit}" if titre > 30 * limit else str(titre)), unit, top


def prescription_rows(person: Person, history: History, seed: int) -> list[Row]:
    """Returns csDMARDs and prednisolone as the prescribing system exports them."""
    random = stream(seed, 9, person.sequence)
    rows: list[Row] = []

    def add(
        drug: str, code: str, start: dt.date, stop: dt.date | None = None, reason: str = "", dose: str = ""
    ) -> None:
        if start <= history.index:
            rows.append({"Data": LABEL, "study_no": person.patient_id, "drug": drug, "atc": code if random.random() < 0.8 else "",
                         "started": written(start), "stopped": written(stop), "why_stopped": reason,
                         "daily_mg": dose, "taken": pick(random, ["yes"] * 8 + ["no"] + [""] * 6)})  # fmt: skip

    _csdmards(history, person, random, add)
    _steroids(history, random, add)
    return rows


def _csdmards(history: History, person: Person, random: np.random.Generator, add) -> None:  # type: ignore[no-untyped-def]
    molecules = ["methotrexate"]
    others = ["hydroxychloroquine", "sulfasalazine", "leflunomide", "azathioprine"]
    n_more = int(random.choice([1, 2, 3], p=[0.6, 0.32, 0.08]))
    shares = np.array([0.45, 0.38, 0.14, 0.03])
    molecules += [others[i] for i in random.choice(4, size=n_more, replace=False, p=shares)]
    if person.status == "not_met" and random.random() < 0.12:
        molecules = molecules[: 1 + int(random.random() < 0.5)][
            -1:
        ]  # one csDMARD only, sometimes no methotrexate
    room = (history.first_bts - history.diagnosis).days
    starts = sorted(int(x) for x in random.beta(0.8, 2.0, size=len(molecules)) * (room - 40))
    for molecule, after in zip(molecules, starts, strict=True):
        start = history.diagnosis + dt.timedelta(days=after + 5)
        if not history.story.csdmard:  # only what was added to the biologic is on record
            if molecule != "methotrexate":
                continue
            start = history.first_bts + dt.timedelta(days=int(random.integers(40, 120)))
        names, code = CSDMARDS[molecule], ATC[molecule]
        share = random.random()
        if share < 0.4 and molecule == "methotrexate":  # tablets, then the pen, without a true gap
            change = start + dt.timedelta(days=int(random.integers(120, 600)))
            add("methotrexate", code, start, change, reason_text(random, "intolerance"))
            add("Metoject PEN", code, change + dt.timedelta(days=int(random.integers(1, 40))))
        elif share < 0.6:
            add(pick(random, names), code, start)
        else:
            reason = pick(
                random,
                ["inefficacy", "inefficacy", "adverse_event", "intolerance", "blank", "patient_choice"],
            )
            stop = start + dt.timedelta(days=int(random.integers(60, 900)))
            add(pick(random, names), code, start, min(stop, history.index), reason_text(random, reason))


def _steroids(history: History, random: np.random.Generator, add) -> None:  # type: ignore[no-untyped-def]
    code, names = ATC["prednisolone"], ["prednisolone", "prednisolone", "pred", "prednisalone"]
    if random.random() < 0.35:  # a reducing course while waiting for the first biologic
        start = history.first_bts - dt.timedelta(days=int(random.integers(30, 150)))
        for dose, days in ((15, 14), (10, 14), (5, 28)):
            add(pick(random, names), code, start, start + dt.timedelta(days=days - 1), dose=str(dose))
            start += dt.timedelta(days=days)
    elif random.random() < 0.06:
        start = history.first_bts - dt.timedelta(days=60)
        add("Depo-Medrone 120 mg im", "H02AB04", start, start)
    since = history.index - dt.timedelta(days=int(random.integers(190, 700)))
    kind = history.story.steroid
    if kind == "any" and history.story.kind == "failed":
        kind = "high" if random.random() < 0.2 else "low"
    elif kind == "any" and history.story.activity == "any" and random.random() < 0.06:
        kind = "high"
    if kind == "high" and random.random() < 0.5:  # renewed every month, a few days late now and then
        while since <= history.index:
            add(
                pick(random, names),
                code,
                since,
                since + dt.timedelta(days=27),
                dose=pick(random, ["7.5", "10", "10"]),
            )
            since += dt.timedelta(days=28 + int(random.integers(0, 8)))
    elif kind == "high":
        add(pick(random, names), code, since, dose=pick(random, ["7.5", "10"]))
    elif random.random() < 0.12:
        add("prednisolone", code, since, dose=pick(random, ["2.5", "5", "5"]))


# Term, ICD-10, SNOMED CT; blank where the department codes it in one system only
CODES = {
    "fibromyalgia": ("Fibromyalgia", "M79.7", "203082005"),
    "osteoarthritis": ("Osteoarthritis", "M15.9", "396275006"),
    "osteoarthritis knee": ("Osteoarthritis of knee", "M17.9", "239873007"),
    "osteoarthritis hip": ("Osteoarthritis of hip", "M16.9", "239872002"),
    "osteoarthritis thumb": ("Arthrosis of first carpometacarpal joint", "M18.9", ""),
    "osteoarthritis other": ("Other arthrosis", "M19.9", ""),
    "depression": ("Depressive disorder", "F32.9", "35489007"),
    "ild": ("Interstitial lung disease", "J84.9", "233703007"),
    "diabetes": ("Type 2 diabetes mellitus", "E11.9", "44054006"),
    "osteoporosis": ("Osteoporosis", "M81.9", "64859006"),
    "obesity": ("Obesity", "E66.9", "414916001"),
    "heart disease": ("Ischaemic heart disease", "I25.9", ""),
    "hypertension": ("Essential hypertension", "I10", "59621000"),
    "hypothyroidism": ("Hypothyroidism", "E03.9", "40930008"),
    "seropositive ra": ("Seropositive rheumatoid arthritis", "M05.9", ""),
    "seronegative ra": ("Seronegative rheumatoid arthritis", "M06.0", ""),
    "ra": ("Rheumatoid arthritis", "M06.9", "69896004"),
}


def diagnosis_rows(person: Person, history: History, seed: int) -> list[Row]:
    """Returns the coded diagnoses: rheumatoid arthritis, fibromyalgia and osteoarthritis as the person has them, others."""
    random = stream(seed, 10, person.sequence)
    rows: list[Row] = []

    def add(concept: str, day: dt.date | None) -> None:
        term, icd10, snomed = CODES[concept]
        in_snomed = snomed and random.random() < 0.5
        rows.append({"Data": LABEL, "StudyNo": person.patient_id, "Recorded": written(day),
                     "System": "SNOMED CT" if in_snomed else "ICD-10", "Code": snomed if in_snomed else icd10, "Term": term})  # fmt: skip

    def between() -> dt.date:
        """A day from five years before the diagnosis up to a month before the last visit."""
        first = history.diagnosis - dt.timedelta(days=1800)
        return first + dt.timedelta(days=int(random.integers((history.index - first).days - 30)))

    ra = "seropositive ra" if person.rf or person.ccp else "seronegative ra"
    add(ra if random.random() < 0.7 else "ra", history.diagnosis)
    if person.fibromyalgia:
        add("fibromyalgia", between())
    if person.osteoarthritis:
        sites = [
            "osteoarthritis",
            "osteoarthritis knee",
            "osteoarthritis hip",
            "osteoarthritis thumb",
            "osteoarthritis other",
        ]
        for site in dict.fromkeys(pick(random, sites) for _ in range(1 + int(random.random() < 0.3))):
            add(site, between())
    old = person.age > 65
    chances = {
        "depression": 0.13 + 0.2 * person.fibromyalgia,
        "ild": 0.05,
        "diabetes": 0.06 + 0.09 * (person.bmi >= 30),
        "osteoporosis": 0.04 + 0.13 * (old and person.female),
        "obesity": 0.45 * (person.bmi >= 30),
        "heart disease": 0.03 + 0.1 * old,
        "hypertension": 0.15 + 0.2 * old,
        "hypothyroidism": 0.07,
    }
    for concept, chance in chances.items():
        if random.random() < chance:
            undated = concept == "hypothyroidism" and random.random() < 0.2
            add(concept, None if undated else between())
    return rows
