"""One patient's history: drugs as bars with why each stopped, above the disease activity. For the department only."""

from __future__ import annotations

import datetime as dt
import io as memory
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from d2tra.codelists import BTS_KINDS
from d2tra.figures.style import MM_PER_INCH, Style, mark
from d2tra.scores.settings import ScoreSettings

PRIVATE = "private: do not release"
STATUSES = {"met": "met", "not_met": "not met", "not_assessable": "not assessable"}
ROW_MM, SCORE_MM, GAP_MM = 5.2, 34, 3.5
LEFT_MM, RIGHT_MM, TOP_MM, BOTTOM_MM = 46, 20, 23, 20
MM_PER_LETTER = 0.2  # of a letter's height in points: about the mean width of the font
PANELS = {
    "DAS28": {"das28_esr": ("DAS28-ESR", "o", "-"), "das28_crp": ("DAS28-CRP", "s", "--")},
    "CDAI": {"cdai": ("CDAI", "o", "-")},
}
TOP_OF_SCALE = {"DAS28": 7.0, "CDAI": 40.0}  # at least; more where the patient had more
MECHANISM_COLOURS = {
    "tnf": "main", "il6r": "second", "cd20": "third", "ctla4_ig": "fourth", "jak": "pale", "il1": "ink",
    "il17": "third", "il12_23": "fourth", "il23": "second", "pde4": "ink", "tyk2": "pale",
}  # fmt: skip
FAILED, PRESUMED = ("failed_inefficacy", "failed_intolerance"), "presumed_failed"
KEY = (
    "× failed · (×) failure presumed from the next drug · ▸ still taken at the data cut · pale: stop imputed, drug still acting · "
    "grey line under DAS28: drug that lowers CRP and ESR by itself"
)
Row = dict[str, Any]


@dataclass(frozen=True)
class History:
    """What is drawn of a patient: the label, courses as of `trace_courses`, scores as of `score_visits`; `cut` is the
    last day that the records tell of."""

    label: Row
    definition: str
    courses: list[Row]
    scores: list[Row]
    cut: dt.date

    @property
    def first_day(self) -> dt.date:
        days = [course["start_date"] for course in self.courses] + [visit["visit_date"] for visit in self.scores]
        return min(days, default=self.cut)


def draw_timelines(
    labels: pl.DataFrame,
    courses: pl.DataFrame,
    scores: pl.DataFrame,
    definition: str,
    data_cut_date: dt.date,
    style: Style,
    settings: ScoreSettings,
    synthetic: bool,
) -> dict[str, bytes]:
    """Returns patient_id → svg for every patient of `labels` (one definition's rows), in their order.

    `definition`: its title. Never to be released: the id, the dates and every drug of one person stand on it.
    """
    ids = labels["patient_id"].implode()
    courses_of, scores_of = (
        frame.filter(pl.col("patient_id").is_in(ids)).partition_by("patient_id", as_dict=True)
        for frame in (courses, scores.filter(pl.col("visit_date") <= data_cut_date))
    )
    drawn = {}
    with mpl.rc_context({**style.settings(), "axes.spines.top": False}):
        for label in labels.iter_rows(named=True):
            key = (label["patient_id"],)
            rows = [frame[key].to_dicts() if key in frame else [] for frame in (courses_of, scores_of)]
            history = History(label, definition, *rows, cut=data_cut_date)
            drawn[label["patient_id"]] = _svg(draw_timeline(history, style, settings, synthetic))
    return drawn


def draw_timeline(history: History, style: Style, settings: ScoreSettings, synthetic: bool) -> Figure:
    """Returns the figure: drug courses, one row per molecule (conventional drugs, then b/tsDMARDs by mechanism in the
    order in which each was first tried, then glucocorticoids), DAS28 and CDAI over their bands, the two dates of the label."""
    rows = _drug_rows(history.courses)
    drugs_mm = ROW_MM * max(len(rows), 1)
    heights = [drugs_mm, SCORE_MM, SCORE_MM]
    figure, panels = _panels(heights, style)
    drugs, *activity = panels
    first, last = history.first_day.toordinal(), history.cut.toordinal()
    margin = max((last - first) * 0.015, 10)
    for panel in panels:
        panel.set_xlim(first - margin, last + margin)
        panel.set_xticks(*_years(first, last))
        panel.tick_params(axis="x", length=2, labelbottom=panel is panels[-1])
        panel.grid(axis="x", color=style.colours["faint"], linewidth=0.5)
        panel.set_axisbelow(True)
    _draw_drugs(drugs, rows, history, style)
    for panel, (name, lines) in zip(activity, PANELS.items(), strict=True):
        _draw_activity(panel, name, lines, history, style, settings)
    _draw_suppression(activity[0], history, style)
    _draw_dates(panels, history, style)
    _write_heading(figure, history, style)
    mark(figure, style, _footer(synthetic), "SYNTHETIC DATA" if synthetic else None)
    return figure


def _svg(figure: Figure) -> bytes:
    buffer = memory.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _panels(heights: Sequence[float], style: Style) -> tuple[Figure, list[Axes]]:
    """Panels of these heights in mm under one another; fixed places, which is far quicker than a computed layout."""
    width = style.width_mm["page"]
    total = TOP_MM + sum(heights) + GAP_MM * (len(heights) - 1) + BOTTOM_MM
    figure = Figure(figsize=(width / MM_PER_INCH, total / MM_PER_INCH))
    panels, above = [], TOP_MM
    for height in heights:
        box = (LEFT_MM / width, 1 - (above + height) / total, 1 - (LEFT_MM + RIGHT_MM) / width, height / total)
        panels.append(figure.add_axes(box))
        above += height + GAP_MM
    return figure, panels


def _drug_rows(courses: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    """Molecule → its courses, from the top row down."""
    first_of_mechanism: dict[str, dt.date] = {}
    by_molecule: dict[str, list[Row]] = {}
    for course in sorted(courses, key=lambda course: (course["start_date"], course["molecule"])):
        by_molecule.setdefault(course["molecule"], []).append(course)
        if course["mechanism"]:
            first_of_mechanism.setdefault(course["mechanism"], course["start_date"])

    def place(item: tuple[str, list[Row]]) -> tuple[Any, ...]:
        course = item[1][0]
        group = {"csdmard": 0, "bdmard": 1, "tsdmard": 1}.get(course["kind"], 2)
        tried = first_of_mechanism.get(course["mechanism"] or "", dt.date.min)
        return group, tried, course["mechanism"] or "", course["start_date"], item[0]

    return sorted(by_molecule.items(), key=place)


def _draw_drugs(axes: Axes, rows: Sequence[tuple[str, list[Row]]], history: History, style: Style) -> None:
    axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [_drug_label(courses[0]) for _, courses in rows])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if not rows:
        axes.text(0.5, 0.5, "no drug course recorded", transform=axes.transAxes, ha="center", va="center")
    groups = [courses[0]["kind"] in BTS_KINDS for _, courses in rows]
    for row, (_, courses) in enumerate(rows):
        if row and groups[row] != groups[row - 1]:
            axes.axhline(row - 0.5, color=style.colours["grey"], linewidth=0.5)
        for number, course in enumerate(courses):
            following = courses[number + 1]["start_date"] if number + 1 < len(courses) else None
            _draw_course(axes, row, course, following, history, style)


def _drug_label(course: Row) -> str:
    return f"{course['molecule']} · {_mechanism(course)}" if course["mechanism"] else course["molecule"]


def _mechanism(course: Row) -> str:
    return str(course["mechanism"]).upper().replace("_", "-")


def _draw_course(
    axes: Axes, row: int, course: Row, following: dt.date | None, history: History, style: Style
) -> None:
    start, cut = course["start_date"].toordinal(), history.cut.toordinal()
    stop = course["stop_date"].toordinal() if course["stop_date"] else cut
    colour = style.colours["grey"]
    if course["mechanism"]:
        colour = style.colours[MECHANISM_COLOURS.get(course["mechanism"], "ink")]
    known = min(max(course["last_recorded_date"].toordinal(), start), stop) if course["has_imputed_stop"] else stop
    height = 0.62 if course["kind"] in BTS_KINDS else 0.4
    axes.barh(row, known - start, height, start, color=colour)
    if known < stop:
        axes.barh(row, stop - known, height, known, color=colour, alpha=0.35)
    if course["stop_date"] is None:
        axes.plot(stop, row, ">", color=colour, markersize=5.5, clip_on=False)
        return
    _write_at_end(axes, row, (start, stop), _why_stopped(course), following, style)


def _why_stopped(course: Row) -> str:
    """The recorded reason as words, marked where it is a failure; nothing for an unrecorded one of a csDMARD or glucocorticoid."""
    outcome = course["outcome"]
    reason = course["stop_reason"] if course["stop_reason"] not in (None, "unknown") else None
    words = reason.replace("_", " ") if reason else ""
    if outcome in FAILED:
        kind = f" ({course['failure_type']})" if reason == "inefficacy" and course["failure_type"] else ""
        return f"× {words}{kind}"
    if outcome == "too_short":
        return f"{words}, too short to judge"
    if course["kind"] not in BTS_KINDS:
        return words
    if outcome == PRESUMED:
        return "(×) reason not recorded"
    return words or ("stop not recorded" if course["has_imputed_stop"] else "reason not recorded")


def _write_at_end(
    axes: Axes, row: int, bar: tuple[float, float], words: str, following: dt.date | None, style: Style
) -> None:
    """Right of the bar where there is room, else left of it, else on it."""
    if not words:
        return
    start, stop = bar
    low, high = axes.get_xlim()
    day_mm = (style.width_mm["page"] - LEFT_MM - RIGHT_MM) / (high - low)
    needed = (len(words) * MM_PER_LETTER * style.font_size_pt + 2) / day_mm
    right_end = following.toordinal() if following else high + (RIGHT_MM - 1) / day_mm
    place: dict[str, Any] = {"va": "center_baseline", "fontsize": style.font_size_pt}
    if stop + needed <= right_end:
        axes.text(stop + 1 / day_mm, row, words, ha="left", **place)
    elif start - needed >= low:
        axes.text(start - 1 / day_mm, row, words, ha="right", **place)
    else:
        paper = {"boxstyle": "square,pad=0.05", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
        axes.text(stop - 1 / day_mm, row, words, ha="right", bbox=paper, **place)


def _draw_activity(
    axes: Axes,
    name: str,
    lines: dict[str, tuple[str, str, str]],
    history: History,
    style: Style,
    settings: ScoreSettings,
) -> None:
    axes.set_ylabel(name)
    highest = [visit[score] for visit in history.scores for score in lines if visit[score] is not None]
    top = max([TOP_OF_SCALE[name], *(1.08 * value for value in highest)])
    axes.set_ylim(0, top)
    _draw_bands(axes, next(iter(lines)), top, style, settings)
    for score, (title, marker, dashes) in lines.items():
        seen = [(visit["visit_date"].toordinal(), visit[score]) for visit in history.scores if visit[score] is not None]
        if not seen:
            continue
        face = style.colours["ink"] if dashes == "-" else "white"
        axes.plot(*zip(*seen, strict=True), marker + dashes, color=style.colours["ink"], markersize=3.2, linewidth=0.9,
                  markerfacecolor=face, markeredgewidth=0.7, label=title)  # fmt: skip
    if not highest:
        axes.text(0.5, 0.5, f"{name} never recorded whole", transform=axes.transAxes, ha="center", va="center")
    elif len(lines) > 1:
        axes.legend(loc="upper left", ncols=2, frameon=False, borderpad=0, handlelength=2.4)


def _draw_bands(axes: Axes, score: str, top: float, style: Style, settings: ScoreSettings) -> None:
    colours = {
        "remission": (style.colours["third"], 0.20),
        "low": (style.colours["third"], 0.08),
        "moderate": (style.severity["moderate"], 0.16),
        "high": (style.severity["high"], 0.20),
    }
    below = 0.0
    for edge in settings.bands_of(score):
        ends = [end for end in (edge.below, edge.up_to) if end is not None]
        above = min(ends[0] if ends else top, top)
        colour, opacity = colours.get(edge.band, (style.colours["grey"], 0.1))
        axes.axhspan(below, above, facecolor=colour, alpha=opacity, linewidth=0)
        if (above - below) / top > 0.06:
            axes.annotate(edge.band, (1, (below + above) / 2), (3, 0), xycoords=axes.get_yaxis_transform(),
                          textcoords="offset points", va="center", annotation_clip=False)  # fmt: skip
        below = above


def _draw_suppression(axes: Axes, history: History, style: Style) -> None:
    """A line along the bottom while a b/tsDMARD lowers the acute phase by itself: a low DAS28 is then no proof of control."""
    for course in history.courses:
        if course["suppresses_crp"] and course["kind"] in BTS_KINDS:
            stop = course["stop_date"] or history.cut
            days = (course["start_date"].toordinal(), stop.toordinal())
            axes.plot(days, (0.15, 0.15), color=style.colours["grey"], linewidth=2.5, solid_capstyle="butt")


def _draw_dates(panels: Sequence[Axes], history: History, style: Style) -> None:
    first_met, index = history.label["first_met_date"], history.label["index_date"]
    dates = {
        "first met": (first_met, "-", style.severity["high"], 9),
        "index date": (index, (0, (3, 2)), style.colours["ink"], 2),
    }
    for words, (day, dashes, colour, height) in dates.items():
        if day is None:
            continue
        for panel in panels:
            panel.axvline(day.toordinal(), color=colour, linewidth=1, linestyle=dashes, zorder=1.5)
        low, high = panels[0].get_xlim()
        side = "left" if day.toordinal() < (low + high) / 2 else "right"
        panels[0].annotate(f"{words} {day.isoformat()}", (day.toordinal(), 1), (2 if side == "left" else -2, height),
                           xycoords=panels[0].get_xaxis_transform(), textcoords="offset points", ha=side, color=colour,
                           weight="bold", annotation_clip=False)  # fmt: skip


def _write_heading(figure: Figure, history: History, style: Style) -> None:
    height_mm = figure.get_figheight() * MM_PER_INCH
    label, left = history.label, 3 / style.width_mm["page"]
    when = f" on {label['index_date'].isoformat()}" if label["index_date"] else ""
    figure.text(left, 1 - 5 / height_mm, f"Patient {label['patient_id']}", fontsize=style.title_size_pt + 2, weight="bold")
    figure.text(left, 1 - 10 / height_mm, f"{history.definition}: {STATUSES[label['status']]}{when}")
    figure.text(1 - left, 1 - 5 / height_mm, PRIVATE.upper(), ha="right", weight="bold", color=style.severity["high"])


def _footer(synthetic: bool) -> str:
    words = KEY.split(" · ")
    half = 3
    said = [" · ".join(words[:half]), " · ".join(words[half:])]
    return "\n".join([*said, " · ".join([PRIVATE, *(["synthetic data"] if synthetic else [])])])


def _years(first: int, last: int) -> tuple[list[int], list[str]]:
    """Where the years begin, and their names: at most about a dozen."""
    years = range(dt.date.fromordinal(first).year, dt.date.fromordinal(last).year + 2)
    step = next(step for step in (1, 2, 5, 10, 20) if len(years) / step <= 12)
    shown = [year for year in years if year % step == 0 and first <= dt.date(year, 1, 1).toordinal() <= last]
    return [dt.date(year, 1, 1).toordinal() for year in shown], [str(year) for year in shown]
