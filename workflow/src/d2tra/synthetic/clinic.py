"""Clinic visits and laboratory results of the synthetic patients, steered so that the last visit shows what the story says."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np

from d2tra.synthetic.drugs import BIOLOGICS
from d2tra.synthetic.histories import History, weekday
from d2tra.synthetic.people import CUT, Person, stream

FIRST_CLINIC = dt.date(2015, 1, 5)
NEW_CLINIC_SYSTEM = dt.date(2020, 1, 1)  # from here globals are in mm, before in cm
TELEPHONE_CLINICS = (dt.date(2020, 3, 23), dt.date(2021, 6, 30))
COMPONENTS = ("tjc", "sjc", "patient", "physician", "pain", "fatigue", "haq")
SETTLED = {"high": (6.0, 7.6), "moderate": (3.9, 5.3), "remote": (3.9, 5.3)}


@dataclass
class Visit:
    """One assessment. Globals, pain and fatigue in mm; `esr` and `crp` are what a reader of the extract would use."""

    day: dt.date
    seen: dict[str, float | None]
    esr: int
    crp: float
    crp_text: str
    crp_unit: str
    sampled: dt.date
    has_esr: bool = True
    has_crp: bool = True
    on_sheet: bool = False  # ESR and CRP typed into the clinic sheet instead of sent by the laboratory
    weight: float | None = None
    height: int | None = None
    flag_patient: bool | None = None
    flag_physician: bool | None = None
    das28_form: str = ""
    das28: float | None = None


def das28_esr(visit: Visit) -> float:
    """Returns DAS28-ESR with four variables (Prevoo 1995); used only to steer and to fill the recorded score."""
    return _joints(visit) + 0.70 * math.log(max(visit.esr, 1)) + 0.014 * _number(visit, "patient")


def das28_crp(visit: Visit) -> float:
    """Returns DAS28-CRP with four variables (das-score.nl); CRP in mg/L."""
    return _joints(visit) + 0.36 * math.log(visit.crp + 1) + 0.014 * _number(visit, "patient") + 0.96


def cdai(visit: Visit) -> float:
    """Returns the CDAI; globals count in cm."""
    mm = _number(visit, "patient") + _number(visit, "physician")
    return _number(visit, "tjc") + _number(visit, "sjc") + mm / 10


def _joints(visit: Visit) -> float:
    return 0.56 * math.sqrt(_number(visit, "tjc")) + 0.28 * math.sqrt(_number(visit, "sjc"))


def _number(visit: Visit, name: str) -> float:
    value = visit.seen[name]
    assert value is not None, f"no {name} on {visit.day}"
    return value


def draw_visits(person: Person, history: History, seed: int) -> list[Visit]:
    """Returns the patient's visits in order of date; the last is the index visit of the story."""
    random = stream(seed, 5, person.sequence)
    settled = _settled_level(history, random)
    days = _visit_days(history, random)
    visits = []
    for day in days:
        level = _level(history, day, settled) + float(random.normal(0, 0.45))
        visits.append(_assess(person, history, day, level, random))
    visits[-1] = _last_assessment(person, history, visits[-1].day, settled, random)
    for visit in visits[:-1]:
        _lose_values(visit, random)
    _make_remote(history, visits, random)
    _weigh(person, history, visits, random)
    _record_flags(history, visits, random)
    _record_das28(visits, random)
    return visits


def _settled_level(history: History, random: np.random.Generator) -> float:
    activity = history.story.activity
    if activity == "any":
        share = random.random()
        low, high = (
            (1.4, 2.4)
            if share < 0.38
            else (2.4, 3.3)
            if share < 0.62
            else (3.5, 5.0)
            if share < 0.93
            else (5.4, 6.6)
        )
        return float(random.uniform(low, high))
    return float(random.uniform(*SETTLED.get(activity, (1.3, 2.4))))


def _visit_days(history: History, random: np.random.Generator) -> list[dt.date]:
    before = dt.timedelta(days=int(random.integers(20, 700)))
    first = max(history.first_bts - before, history.diagnosis, FIRST_CLINIC)
    first = max(first, history.index - dt.timedelta(days=int(random.integers(2200, 3000))))
    days = [weekday(first)]
    gaps = [100, 100, 180]
    while True:
        gap = gaps.pop(0) + int(random.integers(-12, 25)) if gaps else int(random.integers(170, 290))
        following = weekday(days[-1] + dt.timedelta(days=gap))
        if following > history.index - dt.timedelta(days=80):
            return [*days, history.index]
        days.append(following)


def _level(history: History, day: dt.date, settled: float) -> float:
    """The activity that the patient's drug of that day leaves, on the scale of DAS28."""
    begun = [line for line in history.lines if line.start <= day]
    if not begun:
        return 5.7
    line = begun[-1]
    since = (day - line.start).days
    if line.stop and day > line.stop:
        return 5.3
    if line.ending == "secondary_inefficacy" and line.stop:
        goal = 3.0 + 2.6 * since / (line.stop - line.start).days
    elif line.ending == "ongoing":
        goal = settled
    elif line.ending in ("primary_inefficacy", "inefficacy", "short", "blank"):
        goal = 4.9
    else:
        goal = 3.1
    return goal + (5.7 - goal) * math.exp(-since / 90)


def _assess(
    person: Person, history: History, day: dt.date, level: float, random: np.random.Generator
) -> Visit:
    """One visit at a level of activity: components move together; fibromyalgia adds tenderness and pain."""
    above = max(level - 1.5, 0.05)
    tender = int(min(random.poisson(0.75 * above**1.75 + (2.0 if person.fibromyalgia else 0)), 28))
    swollen = int(min(random.poisson(0.42 * above**1.75), 26))
    patient = random.normal(13 * above + 4 + (10 if person.fibromyalgia else 0), 9)
    pain = patient + random.normal(2, 8)
    fatigue = 0.7 * patient + random.normal(18 if person.fibromyalgia else 10, 11)
    seen: dict[str, float | None] = {"tjc": tender, "sjc": swollen}
    seen["patient"] = _mm(patient)
    seen["physician"] = _mm(random.normal(11 * above + 2, 6))
    seen["pain"], seen["fatigue"] = _mm(pain), _mm(fatigue)
    disability = 0.24 * above + (0.2 if person.osteoarthritis else 0) + random.normal(0.1, 0.25)
    seen["haq"] = round(float(np.clip(disability, 0, 3)) * 8) / 8
    damp = _acute_phase(history, day)
    esr = int(np.clip(round(math.exp(random.normal(1.7 + 0.33 * above, 0.4)) * damp), 1, 118))
    true_crp = math.exp(random.normal(0.5 + 0.48 * above, 0.55)) * damp * (1.25 if person.bmi >= 30 else 1)
    text, unit, crp = _report_crp(min(true_crp, 240), day, random)
    sampled = day + dt.timedelta(days=int(random.integers(-9, 4)))
    return Visit(day, seen, esr, crp, text, unit, min(sampled, CUT))


def _mm(value: float) -> int:
    return int(np.clip(round(value), 0, 100))


def _acute_phase(history: History, day: dt.date) -> float:
    """What is left of ESR and CRP under the drug of that day; more than usual where the story asks for signs alone."""
    if history.story.activity == "signs" and day == history.index:
        return 4.0
    taken = [line for line in history.lines if line.start <= day and (line.stop is None or day <= line.stop)]
    mechanism = BIOLOGICS[taken[-1].molecule].mechanism if taken else ""
    return {"il6r": 0.4, "jak": 0.8}.get(mechanism, 1.0)


def _report_crp(crp: float, day: dt.date, random: np.random.Generator) -> tuple[str, str, float]:
    """Returns text and unit as the laboratory reports them, and the mg/L that a reader takes from them."""
    limit = 5 if day < NEW_CLINIC_SYSTEM else 4
    if crp < limit:
        return f"<{limit}", "mg/L", limit / 2
    if crp > 200:
        return ">200", "mg/L", 200.0
    if random.random() < 0.03:
        text = f"{crp / 10:.2f}"
        return text, "mg/dL", float(text) * 10
    text = f"{crp:.1f}" if random.random() < 0.4 else f"{crp:.0f}"
    return text, "mg/L" if random.random() < 0.95 else "", float(text)


def _last_assessment(
    person: Person, history: History, day: dt.date, settled: float, random: np.random.Generator
) -> Visit:
    """Returns the first drawn visit that shows the story's activity, clear of every cut-off by a margin."""
    for attempt in range(5000):
        wobble = random.normal(0, 0.3) + (0.0005 * attempt if history.story.activity == "high" else 0)
        visit = _assess(person, history, day, settled + float(wobble), random)
        if _shows(history.story.activity, visit):
            return visit
    raise RuntimeError(f"no visit of activity {history.story.activity} found for sequence {person.sequence}")


def _shows(activity: str, visit: Visit) -> bool:
    esr, crp, clinical = das28_esr(visit), das28_crp(visit), cdai(visit)
    symptoms = max(_number(visit, "pain"), _number(visit, "fatigue"))
    quiet = esr < 3.1 and crp < 3.1 and clinical < 9.5 and _number(visit, "haq") <= 1 and visit.crp < 12
    signs = _number(visit, "sjc") >= 1 and (visit.crp > 10 or visit.esr > 28)
    match activity:
        case "high":
            return esr > 5.2 and crp > 5.2 and clinical > 22.5
        case "moderate":
            return 3.3 < esr < 5.0 and 3.3 < crp < 5.0 and 10.5 < clinical < 21.5
        case "controlled":
            return quiet and not signs and symptoms <= 38
        case "symptoms":
            return quiet and not signs and symptoms >= 45
        case "signs":
            return esr < 3.1 and crp < 3.1 and clinical < 9 and signs and visit.crp > 10.5 and symptoms <= 38
    return True


def _lose_values(visit: Visit, random: np.random.Generator) -> None:
    """Takes from an earlier visit what a busy clinic does not write down; some bloods are taken too far away."""
    for name in COMPONENTS:
        if random.random() < 0.035:
            visit.seen[name] = None
    visit.has_esr, visit.has_crp = bool(random.random() < 0.85), bool(random.random() < 0.92)
    if random.random() < 0.06:
        visit.sampled = visit.day - dt.timedelta(days=int(random.integers(17, 40)))
    elif visit.day < NEW_CLINIC_SYSTEM:
        visit.on_sheet = bool(random.random() < 0.3)


def _make_remote(history: History, visits: list[Visit], random: np.random.Generator) -> None:
    """Telephone clinics know no joint count: some of 2020–21, and the last year where the story says so."""
    for visit in visits:
        in_lockdown = TELEPHONE_CLINICS[0] <= visit.day <= TELEPHONE_CLINICS[1] and visit is not visits[-1]
        last_year = history.story.activity == "remote" and (history.index - visit.day).days <= 380
        if last_year or (in_lockdown and random.random() < 0.4):
            for name in ("tjc", "sjc", "physician"):
                visit.seen[name] = None


def _weigh(person: Person, history: History, visits: list[Visit], random: np.random.Generator) -> None:
    height = round(random.normal(162 if person.female else 175, 6))
    for visit in visits:
        years_ago = (history.index - visit.day).days / 365.25
        wanted = visit is visits[-1] or random.random() < 0.5
        if wanted and (person.weight_known or years_ago > 1.1) and visit.seen["tjc"] is not None:
            bmi = person.bmi * (1 - 0.003 * years_ago + random.normal(0, 0.003))
            visit.weight, visit.height = round(float(bmi) * (height / 100) ** 2, 1), height


def _record_flags(history: History, visits: list[Visit], random: np.random.Generator) -> None:
    """Criterion 3 as the clinic ticked it: by the story at the last visit, before that by how active the disease was."""
    for visit in visits:
        last_year = (history.index - visit.day).days <= 380
        if history.story.flags == "none" and last_year:
            continue
        if visit is visits[-1] and history.story.flags in ("true", "false"):
            flags = [(False, False)] if history.story.flags == "false" else _TRUE_FLAGS
        elif random.random() < 0.92 if visit is visits[-1] else random.random() < 0.6:
            active = (visit.seen["patient"] or 0) > 45
            flags = _TRUE_FLAGS if random.random() < (0.7 if active else 0.06) else _FALSE_FLAGS
        else:
            continue
        visit.flag_patient, visit.flag_physician = flags[int(random.integers(len(flags)))]


_TRUE_FLAGS: list[tuple[bool | None, bool | None]] = [(True, True)] * 4 + [
    (True, False),
    (False, True),
    (True, None),
]
_FALSE_FLAGS: list[tuple[bool | None, bool | None]] = [(False, False)] * 5 + [(False, None), (None, False)]


def _record_das28(visits: list[Visit], random: np.random.Generator) -> None:
    """The score as the newer clinic system stored it, to two decimals; one in sixty mistyped."""
    for visit in visits:
        near = abs((visit.sampled - visit.day).days) <= 14
        complete = all(visit.seen[name] is not None for name in ("tjc", "sjc", "patient")) and near
        if visit.day < NEW_CLINIC_SYSTEM or not complete or random.random() < 0.35:
            continue
        visit.das28_form = "ESR" if visit.has_esr else "CRP" if visit.has_crp else ""
        if visit.das28_form:
            score = das28_esr(visit) if visit.das28_form == "ESR" else das28_crp(visit)
            visit.das28 = round(score + (0.8 if random.random() < 1 / 60 else 0), 2)
