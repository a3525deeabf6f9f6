"""What each synthetic patient was treated with: a story first, then the drug lines that tell it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np

from d2tra.synthetic.drugs import BIOLOGICS, pick
from d2tra.synthetic.people import N_AUDIT, Person, stream

RECORDED_FAILURES = ["inefficacy"] * 3 + ["primary_inefficacy"] * 2 + ["secondary_inefficacy"] * 4
RECORDED_FAILURES += ["adverse_event"] * 3 + ["intolerance"]
OTHER_ENDINGS = ["remission", "pregnancy", "surgery", "infection", "patient_choice", "access"]
EARLIEST_BTS = dt.date(2012, 1, 1)


@dataclass
class Story:
    """How the patient's records are to read at the last visit.

    `endings`: how each b/tsDMARD ended: a reason of the canonical list, `blank`, `short` (inefficacy in under
    84 days) or `ongoing`. `apart`: the drugs that failed have at least two mechanisms; `same`: all are TNF inhibitors.
    `activity`: what the last visit shows; `flags`: criterion 3 as recorded in the last year.
    """

    kind: str
    endings: list[str]
    apart: bool = False
    same: bool = False
    activity: str = "any"
    flags: str = "any"
    steroid: str = "any"
    csdmard: bool = True


@dataclass
class Line:
    """One b/tsDMARD molecule in a patient's life; `stop` null while it is taken."""

    molecule: str
    start: dt.date
    stop: dt.date | None
    ending: str


@dataclass
class History:
    """A patient's story with its dates."""

    story: Story
    index: dt.date
    last_contact: dt.date | None
    died: bool
    diagnosis: dt.date
    onset: dt.date | None
    lines: list[Line] = field(default_factory=list)

    @property
    def first_bts(self) -> dt.date:
        return self.lines[0].start


def write_history(person: Person, seed: int) -> History:
    """Returns the patient's story, the dates of the disease, and the b/tsDMARD lines."""
    random = stream(seed, 4, person.sequence)
    story = _choose_story(person, random)
    index, last_contact, died = _last_visit(person, random)
    birth_year = index.year - person.age
    lines: list[Line] = []
    while not lines:
        lines = _draw_lines(story, max(EARLIEST_BTS, dt.date(birth_year + 20, 1, 1)), index, random)
    years = float(random.gamma(1.6, 3.2)) + 0.9
    diagnosis = lines[0].start - dt.timedelta(days=int(years * 365))
    diagnosis = max(diagnosis, dt.date(birth_year + 19, 3, 1))
    diagnosis = min(diagnosis, lines[0].start - dt.timedelta(days=200))
    delay = dt.timedelta(days=int(random.gamma(1.8, 120)) + 20)
    onset = None if random.random() < 0.12 else diagnosis - delay
    return History(story, index, last_contact, died, diagnosis, onset, lines)


def _choose_story(person: Person, random: np.random.Generator) -> Story:
    if person.status == "met":
        return _story_met(person, random)
    if person.status == "not_assessable":
        return _story_unclear(person.reason, random)
    failures = _failures(random, 2 if random.random() < 0.75 else 3)
    share = random.random()
    if share < 0.40:
        return Story("first_drug", ["ongoing"])
    if share < 0.68:
        blank = random.random() < 0.15
        return Story("one_failed", ["blank" if blank else failures[0], "ongoing"])
    if share < 0.77:
        return Story("within_class", [*failures[:2], "ongoing"], same=True)
    if share < 0.82:
        rest = ["ongoing"] if random.random() < 0.6 else []
        return Story("stopped_otherwise", [failures[0], pick(random, OTHER_ENDINGS), *rest])
    if share < 0.965 or person.sequence <= N_AUDIT:
        return Story("controlled", [*failures, "ongoing"], True, activity="controlled", steroid="low")
    return Story("not_problematic", [*failures, "ongoing"], True, activity="moderate", flags="false")


def _story_met(person: Person, random: np.random.Generator) -> Story:
    if person.n_tried:  # the audit's twelve
        failures = _failures(random, person.n_tried - 1)
        if person.presumed:
            failures[1] = "blank"
        return Story("failed", [*failures, "ongoing"], True, activity=person.reason, flags="true")
    share = random.random()
    n_failed = 2 if share < 0.62 else 3 if share < 0.92 else 4
    failures = _failures(random, n_failed)
    if n_failed == 2 and random.random() < 0.10:
        failures[1] = "blank"
    after = [] if failures[-1] != "blank" and random.random() < 0.18 else ["ongoing"]
    share = random.random()
    if share < 0.07:
        return Story("failed", [*failures, *after], True, activity="symptoms", flags="true", steroid="low")
    if share < 0.12:
        return Story("failed", [*failures, *after], True, activity="controlled", flags="true", steroid="high")
    if share < 0.15:
        return Story("failed", [*failures, *after], True, activity="signs", flags="true", steroid="low")
    activity = "high" if random.random() < 0.3 else "moderate"
    return Story("failed", [*failures, *after], True, activity=activity, flags="true")


def _story_unclear(reason: str, random: np.random.Generator) -> Story:
    """One thing is missing that would settle the label; everything else speaks for `met`."""
    failures = _failures(random, 2)
    told = {"activity": "moderate", "flags": "true", "apart": True}
    match reason:
        case "unknown_second":
            return Story(reason, [failures[0], "blank"], **told)  # type: ignore[arg-type]
        case "too_short_second":
            return Story(reason, [failures[0], "short", "ongoing"], **told)  # type: ignore[arg-type]
        case "no_csdmard_recorded":
            return Story(reason, [*failures, "ongoing"], csdmard=False, **told)  # type: ignore[arg-type]
        case "flags_unrecorded":
            return Story(reason, [*failures, "ongoing"], **(told | {"flags": "none"}))  # type: ignore[arg-type]
        case "remote_last_year":
            return Story(reason, [*failures, "ongoing"], True, activity="remote", flags="true", steroid="low")
    raise ValueError(reason)


def _failures(random: np.random.Generator, n: int) -> list[str]:
    return [pick(random, RECORDED_FAILURES) for _ in range(n)]


def _last_visit(person: Person, random: np.random.Generator) -> tuple[dt.date, dt.date | None, bool]:
    """Returns the last visit, the last contact where the patient died or left, and whether the patient died."""
    lost = person.sequence > N_AUDIT and random.random() < 0.07
    first, last = (
        (dt.date(2020, 9, 1), dt.date(2023, 3, 31)) if lost else (dt.date(2023, 4, 3), dt.date(2023, 12, 12))
    )
    index = weekday(first + dt.timedelta(days=int(random.integers((last - first).days))))
    if not lost:
        return index, None, False
    return index, index + dt.timedelta(days=int(random.integers(25, 200))), bool(random.random() < 0.5)


def weekday(day: dt.date) -> dt.date:
    """Returns the day, or the Friday before a weekend."""
    return day - dt.timedelta(days=max(day.weekday() - 4, 0))


def _draw_lines(story: Story, earliest: dt.date, index: dt.date, random: np.random.Generator) -> list[Line]:
    """Returns the lines, dated backwards from the last visit; empty where the draw does not fit the calendar."""
    spans = [_days_on_drug(ending, len(story.endings), random) for ending in story.endings]
    gaps = [int(days) for days in random.integers(14, 57, size=len(spans))]
    since = 0 if story.endings[-1] == "ongoing" else int(random.integers(25, 100))
    start = index - dt.timedelta(days=sum(spans) + sum(gaps[:-1]) + since)
    if start < earliest:
        return []
    lines: list[Line] = []
    for ending, days, gap in zip(story.endings, spans, gaps, strict=True):
        molecule = _next_molecule(story, lines, ending, days, start, random)
        if molecule is None:
            return []
        stop = None if ending == "ongoing" else start + dt.timedelta(days=days)
        lines.append(Line(molecule, start, stop, ending))
        start += dt.timedelta(days=days + gap)
    failed = {BIOLOGICS[line.molecule].mechanism for line in lines if line.ending != "ongoing"}
    return [] if story.apart and len(failed) < 2 else lines


def _days_on_drug(ending: str, n_lines: int, random: np.random.Generator) -> int:
    low, high = {
        "ongoing": (400, 4000) if n_lines == 1 else (130, 1900),
        "short": (35, 80),
        "adverse_event": (30, 420),
        "intolerance": (25, 200),
        "primary_inefficacy": (110, 200),
        "secondary_inefficacy": (260, 1600),
    }.get(ending, (120, 900))
    return int(low + (high - low) * random.beta(1.4, 1.8))


def _next_molecule(
    story: Story, before: list[Line], ending: str, days: int, start: dt.date, random: np.random.Generator
) -> str | None:
    taken = {line.molecule for line in before}
    weights = {}
    for molecule, drug in BIOLOGICS.items():
        weight = drug.later if before else drug.first
        if molecule in taken or start < drug.available:
            continue
        if story.same and ending != "ongoing":
            weight = drug.first if drug.mechanism == "tnf" else 0
        if molecule == "rituximab" and (days < 240 or days > 1000 or not _may_be_rituximab(story, ending)):
            continue
        if weight:
            weights[molecule] = weight
    if not weights:
        return None
    chances = np.array(list(weights.values()))
    return list(weights)[int(random.choice(len(chances), p=chances / chances.sum()))]


def _may_be_rituximab(story: Story, ending: str) -> bool:
    """Rituximab has no minimum exposure and, without a recorded reason, never an unknown outcome."""
    return ending in ("ongoing", *RECORDED_FAILURES) or (ending == "blank" and story.kind != "unknown_second")


def infusions(line: Line, index: dt.date, random: np.random.Generator) -> list[dt.date]:
    """Returns the days on which rituximab cycles began, six to eight months apart; the last one counts at the end."""
    end = line.stop or index
    days = [line.start]
    while True:
        following = days[-1] + dt.timedelta(days=int(random.integers(172, 240)))
        if following > end - dt.timedelta(days=130 if line.stop else 15):
            return days
        days.append(following)
