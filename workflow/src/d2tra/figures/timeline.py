"""One patient's history: drugs as bars with why each stopped, above the disease activity. For the department only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from d2tra.codelists import BTS_KINDS
from d2tra.figures.style import Style
from d2tra.figures.svg import Canvas
from d2tra.scores.settings import ScoreSettings

PRIVATE = "PRIVATE: DO NOT RELEASE"
STATUSES = {"met": "met", "not_met": "not met", "not_assessable": "not assessable"}
ROW_MM, SCORE_MM, GAP_MM = 5.2, 34, 4
LEFT_MM, RIGHT_MM, TOP_MM, BOTTOM_MM, EDGE_MM = 46, 22, 24, 22, 3
DAY_ROOM = 0.015  # of the time shown, left free on either side
PANELS = {
    "DAS28": {"das28_esr": ("DAS28-ESR", ""), "das28_crp": ("DAS28-CRP", "1.2 0.8")},
    "CDAI": {"cdai": ("CDAI", "")},
}
SCALES = {"DAS28": (7.0, 2), "CDAI": (40.0, 10)}  # shown up to this at least, and a number every so many
MECHANISM_COLOURS = {
    "tnf": "main", "il6r": "second", "cd20": "third", "ctla4_ig": "fourth", "jak": "pale", "il1": "ink",
    "il17": "third", "il12_23": "fourth", "il23": "second", "pde4": "ink", "tyk2": "pale",
}  # fmt: skip
FAILED = ("failed_inefficacy", "failed_intolerance")
KEY = (
    "× failed · (×) failure presumed from the next drug · arrow: still taken at the data cut · pale: stop imputed, drug still acting",
    "Grey line under DAS28: a drug that lowers CRP and ESR by itself; a low DAS28 is then no proof of control.",
    "Drugs and scores as recorded; descriptive, never a recommendation.",
)
Row = dict[str, Any]


@dataclass(frozen=True)
class History:
    """What is drawn of a patient: a row of labels, courses as of `trace_courses`, scores as of `score_visits`; `cut` is the
    last day that the records tell of; `definition` a title."""

    label: Row
    definition: str
    courses: list[Row]
    scores: list[Row]
    cut: dt.date

    def first_day(self) -> dt.date:
        days = [course["start_date"] for course in self.courses] + [
            visit["visit_date"] for visit in self.scores
        ]
        return min(days, default=self.cut - dt.timedelta(days=365))


@dataclass(frozen=True)
class Page:
    """The surface, the look, and where a day stands on it."""

    canvas: Canvas
    style: Style
    first: int
    last: int

    def x(self, day: dt.date) -> float:
        room = (self.last - self.first) * DAY_ROOM
        share = (day.toordinal() - self.first + room) / (self.last - self.first + 2 * room)
        return LEFT_MM + share * (self.right - LEFT_MM)

    @property
    def right(self) -> float:
        return self.canvas.width - RIGHT_MM


def draw_timelines(
    labels: pl.DataFrame,
    courses: pl.DataFrame,
    scores: pl.DataFrame,
    definition: str,
    data_cut_date: dt.date,
    style: Style,
    settings: ScoreSettings,
    synthetic: bool,
) -> dict[str, str]:
    """Returns patient_id → svg for every patient of `labels` (rows of one definition), in their order.

    `definition`: its title. Never to be released: the id, the dates and every drug of one person stand on it.
    """
    ids = labels["patient_id"].implode()
    courses_of, scores_of = (
        frame.filter(pl.col("patient_id").is_in(ids)).partition_by("patient_id", as_dict=True)
        for frame in (courses, scores.filter(pl.col("visit_date") <= data_cut_date))
    )
    drawn = {}
    for label in labels.iter_rows(named=True):
        key = (label["patient_id"],)
        taken, seen = (rows[key].to_dicts() if key in rows else [] for rows in (courses_of, scores_of))
        history = History(label, definition, taken, seen, data_cut_date)
        drawn[label["patient_id"]] = draw_timeline(history, style, settings, synthetic)
    return drawn


def draw_timeline(history: History, style: Style, settings: ScoreSettings, synthetic: bool) -> str:
    """Returns the svg: drug courses, one row per molecule (csDMARDs; b/tsDMARDs by mechanism in the order in which each was
    first tried; glucocorticoids), DAS28 and CDAI over their bands, and the two dates of the label."""
    rows = _drug_rows(history.courses)
    drugs_mm = ROW_MM * max(len(rows), 1)
    height = TOP_MM + drugs_mm + len(PANELS) * (GAP_MM + SCORE_MM) + BOTTOM_MM
    canvas = Canvas(
        style.width_mm["page"], height, style.font_family, style.font_size_pt, style.colours["ink"]
    )
    first, last = history.first_day().toordinal(), history.cut.toordinal()
    page = Page(canvas, style, first, max(last, first + 1))
    _draw_bands_of_all(page, history, settings, TOP_MM + drugs_mm + GAP_MM)
    _draw_years(page, TOP_MM, height - BOTTOM_MM)
    _draw_dates(page, history, TOP_MM, height - BOTTOM_MM)
    _draw_drugs(page, rows, history)
    top = TOP_MM + drugs_mm + GAP_MM
    for name in PANELS:
        _draw_activity(page, name, history, top)
        top += SCORE_MM + GAP_MM
    _write_around(page, history, synthetic)
    if synthetic:
        look = style.watermark
        canvas.watermark("SYNTHETIC DATA", look.colour, look.opacity, look.size_pt, look.angle)
    return canvas.render(f"Timeline of patient {history.label['patient_id']}: drugs, DAS28 and CDAI by date")


def _drug_rows(courses: Iterable[Row]) -> list[list[Row]]:
    """The courses of each molecule, from the top row down."""
    first_of_mechanism: dict[str, dt.date] = {}
    by_molecule: dict[str, list[Row]] = {}
    for course in sorted(courses, key=lambda course: (course["start_date"], course["molecule"])):
        by_molecule.setdefault(course["molecule"], []).append(course)
        first_of_mechanism.setdefault(course["mechanism"] or "", course["start_date"])

    def place(of_molecule: list[Row]) -> tuple[Any, ...]:
        course = of_molecule[0]
        mechanism = course["mechanism"] or ""
        tried = first_of_mechanism[mechanism] if mechanism else dt.date.min
        return _group(course), tried, mechanism, course["start_date"], course["molecule"]

    return sorted(by_molecule.values(), key=place)


def _group(course: Row) -> int:
    return {"csdmard": 0, "bdmard": 1, "tsdmard": 1}.get(course["kind"], 2)


def _draw_drugs(page: Page, rows: Sequence[list[Row]], history: History) -> None:
    canvas, grey = page.canvas, page.style.colours["grey"]
    if not rows:
        canvas.text((LEFT_MM + page.right) / 2, TOP_MM + ROW_MM / 2, "no drug course recorded", "middle")
    for number, courses in enumerate(rows):
        middle = TOP_MM + ROW_MM * (number + 0.5)
        mechanism = f" · {mechanism_in_words(courses[0]['mechanism'])}" if courses[0]["mechanism"] else ""
        canvas.text(LEFT_MM - 2, middle, courses[0]["molecule"] + mechanism, "end")
        if number and _group(courses[0]) != _group(rows[number - 1][0]):
            edge = middle - ROW_MM / 2
            canvas.line([(EDGE_MM, edge), (page.right, edge)], grey, 0.15)
        for course, following in zip(courses, [*courses[1:], None], strict=True):
            _draw_course(page, middle, course, following, history)


def mechanism_in_words(mechanism: str) -> str:
    """Returns the key of a mechanism as it is shown: `ctla4_ig` as CTLA4-IG."""
    return mechanism.upper().replace("_", "-")


def _draw_course(page: Page, middle: float, course: Row, following: Row | None, history: History) -> None:
    canvas, colours = page.canvas, page.style.colours
    colour = (
        colours[MECHANISM_COLOURS.get(course["mechanism"], "ink")] if course["mechanism"] else colours["grey"]
    )
    stop = course["stop_date"] or history.cut
    known = stop
    if course["has_imputed_stop"]:
        known = min(max(course["last_recorded_date"], course["start_date"]), stop)
    height = ROW_MM * (0.62 if course["kind"] in BTS_KINDS else 0.4)
    words = why_stopped(course)
    ended = f"to {stop.isoformat()}" if course["stop_date"] else "ongoing"
    says = f"{course['molecule']}, {course['start_date'].isoformat()} {ended}{': ' if words else ''}{words}"
    start_x, known_x, stop_x = page.x(course["start_date"]), page.x(known), page.x(stop)
    canvas.rectangle(start_x, middle - height / 2, known_x - start_x, height, colour, says=says)
    if known < stop:
        canvas.rectangle(known_x, middle - height / 2, stop_x - known_x, height, colour, 0.35, says)
    if course["stop_date"] is None:
        tip = height * 0.75
        canvas.area([(stop_x, middle - tip), (stop_x + 2, middle), (stop_x, middle + tip)], colour)
    elif words:
        right_end = page.x(following["start_date"]) if following else canvas.width - 1
        _write_at_end(canvas, middle, (start_x, stop_x), words, right_end)


def why_stopped(course: Row) -> str:
    """Returns why a course ended, in words: × before a failure, (×) before a presumed one; "" while it is ongoing, and where
    a csDMARD or glucocorticoid has no reason recorded."""
    outcome, reason = course["outcome"], course["stop_reason"]
    words = "" if reason in (None, "unknown") else reason.replace("_", " ")
    if outcome in FAILED:
        kind = f" ({course['failure_type']})" if reason == "inefficacy" and course["failure_type"] else ""
        return f"× {words}{kind}"
    if outcome == "too_short":
        return f"{words}, too short to judge"
    if outcome == "ongoing" or course["kind"] not in BTS_KINDS:
        return words
    if outcome == "presumed_failed":
        return "(×) reason not recorded"
    return words or ("stop not recorded" if course["has_imputed_stop"] else "reason not recorded")


def _write_at_end(canvas: Canvas, y: float, bar: tuple[float, float], words: str, right_end: float) -> None:
    """Right of the bar where there is room, else left of it, else on it."""
    start, stop = bar
    needed = canvas.text_width(words) + 1
    if stop + needed <= right_end:
        canvas.text(stop + 1, y, words, halo=True)
    elif start - needed >= LEFT_MM:
        canvas.text(start - 1, y, words, "end", halo=True)
    else:
        canvas.text(stop - 1, y, words, "end", halo=True)


def _draw_bands_of_all(page: Page, history: History, settings: ScoreSettings, top: float) -> None:
    """The bands of every score, first of all, so that lines and words stand on them."""
    style = page.style
    colours = {
        "remission": (style.colours["third"], 0.22),
        "low": (style.colours["third"], 0.09),
        "moderate": (style.severity["moderate"], 0.16),
        "high": (style.severity["high"], 0.20),
    }
    for name, lines in PANELS.items():
        highest, below = _top_of_scale(name, history), 0.0
        for edge in settings.bands_of(next(iter(lines))):
            ends = [end for end in (edge.below, edge.up_to) if end is not None]
            above = min(ends[0], highest) if ends else highest
            colour, opacity = colours.get(edge.band, (style.colours["grey"], 0.1))
            y, height = top + SCORE_MM * (1 - above / highest), SCORE_MM * (above - below) / highest
            page.canvas.rectangle(LEFT_MM, y, page.right - LEFT_MM, height, colour, opacity)
            page.canvas.text(page.right + 1.5, y + height / 2, edge.band)
            below = above
        top += SCORE_MM + GAP_MM


def _top_of_scale(name: str, history: History) -> float:
    values = (visit[score] for visit in history.scores for score in PANELS[name])
    return max([SCALES[name][0], *(1.08 * value for value in values if value is not None)])


def _draw_activity(page: Page, name: str, history: History, top: float) -> None:
    canvas, ink = page.canvas, page.style.colours["ink"]
    highest, bottom = _top_of_scale(name, history), top + SCORE_MM

    def y(value: float) -> float:
        return bottom - SCORE_MM * value / highest

    canvas.line([(LEFT_MM, top), (LEFT_MM, bottom), (page.right, bottom)], ink, 0.25)
    canvas.text(EDGE_MM, top + SCORE_MM / 2, name, bold=True)
    for number in range(0, int(highest) + 1, SCALES[name][1]):
        canvas.line([(LEFT_MM - 1, y(number)), (LEFT_MM, y(number))], ink, 0.25)
        canvas.text(LEFT_MM - 2, y(number), str(number), "end")
    if name == "DAS28":
        _draw_suppression(page, history, bottom - 0.9)
    seen_any = 0
    for score, (title, dashes) in PANELS[name].items():
        seen = [visit for visit in history.scores if visit[score] is not None]
        points = [(page.x(visit["visit_date"]), y(visit[score])) for visit in seen]
        if len(points) > 1:
            canvas.line(points, ink, 0.35, dashes)
        for (x, height), visit in zip(points, seen, strict=True):
            says = f"{title} {visit[score]:.1f} ({visit[f'{score}_band']}), {visit['visit_date'].isoformat()}"
            canvas.dot(x, height, 0.75, "white" if dashes else ink, ink, says)
        if points and len(PANELS[name]) > 1:
            line = top + SCORE_MM / 2 + 5 * (seen_any + 1)
            canvas.line([(EDGE_MM, line), (EDGE_MM + 7, line)], ink, 0.35, dashes)
            canvas.dot(EDGE_MM + 3.5, line, 0.75, "white" if dashes else ink, ink)
            canvas.text(EDGE_MM + 8.5, line, title)
        seen_any += bool(points)
    if not seen_any:
        canvas.text((LEFT_MM + page.right) / 2, top + SCORE_MM / 2, f"{name} at no visit", "middle")


def _draw_suppression(page: Page, history: History, y: float) -> None:
    """A line while a b/tsDMARD lowers the acute phase by itself."""
    for course in history.courses:
        if course["suppresses_crp"] and course["kind"] in BTS_KINDS:
            days = (course["start_date"], course["stop_date"] or history.cut)
            page.canvas.line([(page.x(day), y) for day in days], page.style.colours["grey"], 1.1)


def _draw_years(page: Page, top: float, bottom: float) -> None:
    """A faint line where a year begins, and its name below: at most about a dozen."""
    first, last = dt.date.fromordinal(page.first), dt.date.fromordinal(page.last)
    years = range(first.year, last.year + 1)
    step = next(step for step in (1, 2, 5, 10, 20) if len(years) / step <= 13)
    for year in years:
        if year % step == 0 and dt.date(year, 1, 1) >= first:
            x = page.x(dt.date(year, 1, 1))
            page.canvas.line([(x, top), (x, bottom + 1)], page.style.colours["faint"], 0.2)
            page.canvas.text(x, bottom + 3, str(year), "middle")


def _draw_dates(page: Page, history: History, top: float, bottom: float) -> None:
    first_met, index = history.label["first_met_date"], history.label["index_date"]
    colour, ink = page.style.severity["high"], page.style.colours["ink"]
    if first_met is not None and first_met == index:
        dates = [("first met, and index date", index, "", colour, 2.5)]
    else:
        dates = [("first met", first_met, "", colour, 6), ("index date", index, "1.5 1", ink, 2.5)]
    for words, day, dashes, shade, above in dates:
        if day is None:
            continue
        x = page.x(day)
        page.canvas.line([(x, top - above - 1.2), (x, bottom)], shade, 0.4, dashes)
        left_half = x < (LEFT_MM + page.right) / 2
        page.canvas.text(x + (1 if left_half else -1), top - above, f"{words} {day.isoformat()}",
                         "start" if left_half else "end", shade, bold=True, halo=True)  # fmt: skip


def _write_around(page: Page, history: History, synthetic: bool) -> None:
    canvas, style, label = page.canvas, page.style, history.label
    when = f" on {label['index_date'].isoformat()}" if label["index_date"] else ""
    canvas.text(EDGE_MM, 5, f"Patient {label['patient_id']}", size_pt=style.title_size_pt + 2, bold=True)
    canvas.text(EDGE_MM, 10, f"{history.definition}: {STATUSES[label['status']]}{when}")
    said = PRIVATE + (" · SYNTHETIC DATA" if synthetic else "")
    canvas.text(canvas.width - EDGE_MM, 5, said, "end", style.severity["high"], bold=True)
    for number, words in enumerate(KEY):
        canvas.text(EDGE_MM, canvas.height - BOTTOM_MM + 9 + 4 * number, words)
