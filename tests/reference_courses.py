"""Drug courses once more, in plain Python, one patient at a time, written from the specification alone (2.2).

Slow on purpose and free of polars: two ways that agree are better than one way that is tested by itself.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

Row = dict[str, Any]  # molecule, kind, start, stop, reason, source_row
BTS = ("bdmard", "tsdmard")
INEFFICACY = ("primary_inefficacy", "secondary_inefficacy", "inefficacy")
INTOLERANCE = ("adverse_event", "intolerance")
NOT_TOLD = (None, "unknown")


def days(earlier: dt.date, later: dt.date) -> int:
    return (later - earlier).days


def courses_of_patient(rows: list[Row], cut: dt.date) -> list[Row]:
    """The courses of one patient with their outcome at the cut, sorted by start and molecule."""
    rows = [impute(row) for row in rows if row["start"] <= cut]
    courses = []
    for molecule in {row["molecule"] for row in rows}:
        for merged in merge([row for row in rows if row["molecule"] == molecule]):
            courses.append(describe(merged, rows))
    for course in courses:
        course["outcome"], course["failure_type"] = outcome(course, courses, cut)
    return sorted(courses, key=lambda course: (course["start"], course["molecule"]))


def impute(row: Row) -> Row:
    """2.2.0"""
    row = {**row, "imputed": False}
    if row["molecule"] == "rituximab":
        short = row["stop"] is None or days(row["start"], row["stop"]) < 274
        if (row["reason"] in (None, "unknown", "other") and short) or row["stop"] is None:
            row["stop"], row["imputed"] = row["start"] + dt.timedelta(days=274), True
    return row


def merge(rows: list[Row]) -> list[list[Row]]:
    """2.2.1"""
    rows = sorted(rows, key=lambda row: (row["start"], row["stop"] or dt.date.max, row["source_row"]))
    courses = [[rows[0]]]
    for row in rows[1:]:
        stops = [earlier["stop"] for earlier in courses[-1]]
        gap = 274 if row["molecule"] == "rituximab" else 90
        if None in stops or days(max(stops), row["start"]) <= gap:
            courses[-1].append(row)
        else:
            courses.append([row])
    return courses


def describe(merged: list[Row], rows: list[Row]) -> Row:
    """2.2.1 (end of a rituximab course) and 2.2.2"""
    stops = [row["stop"] for row in merged]
    stop = None if None in stops else max(stops)
    last = sorted((row for row in merged if row["stop"] == stop), key=lambda row: row["source_row"])
    told = [row["reason"] for row in last if row["reason"] not in NOT_TOLD]
    imputed = all(row["imputed"] for row in last)
    if imputed:
        last_start = max(row["start"] for row in merged)
        others = [
            row["start"]
            for row in rows
            if row["kind"] in BTS and row["molecule"] != merged[0]["molecule"] and row["start"] > last_start
        ]
        if others and min(others) - dt.timedelta(days=1) < stop:
            stop = min(others) - dt.timedelta(days=1)
    return {
        "molecule": merged[0]["molecule"],
        "kind": merged[0]["kind"],
        "start": min(row["start"] for row in merged),
        "stop": stop,
        "reason": told[0] if told else last[0]["reason"],
        "imputed": imputed,
        "n_records": len(merged),
    }


def outcome(course: Row, courses: list[Row], date: dt.date) -> tuple[str, str | None]:
    """2.2.3, for a course that has started by the date"""
    stop, reason = course["stop"], course["reason"]
    if stop is None or stop > date:
        return "ongoing", None
    length = days(course["start"], stop)
    if reason in INEFFICACY:
        if course["kind"] in BTS and course["molecule"] != "rituximab" and length < 84:
            return "too_short", None
        primary = reason == "primary_inefficacy" or (reason == "inefficacy" and length <= 183)
        return "failed_inefficacy", "primary" if primary else "secondary"
    if reason in INTOLERANCE:
        return "failed_intolerance", None
    if reason not in NOT_TOLD:
        return "stopped_other", None
    next_drugs = [other for other in courses if other["kind"] in BTS and other["start"] <= date]
    if course["kind"] in BTS:
        switched = any(
            other["molecule"] != course["molecule"] and -30 <= days(stop, other["start"]) <= 180
            for other in next_drugs
        )
        if switched:
            return "presumed_failed", None
        return ("stopped_other" if course["imputed"] else "unknown"), None
    if course["kind"] == "csdmard" and any(other["start"] > course["start"] for other in next_drugs):
        return "presumed_failed", None
    return "unknown", None


def possibly_failed(
    course: Row, courses: list[Row], date: dt.date, intolerance: bool, presumed: bool
) -> tuple[bool, bool]:
    """2.2.5: failed, possibly failed"""
    ended, _ = outcome(course, courses, date)
    failed = (
        ended == "failed_inefficacy"
        or (intolerance and ended == "failed_intolerance")
        or (presumed and ended == "presumed_failed")
    )
    reasons = INEFFICACY + (INTOLERANCE if intolerance else ())
    undated = course["stop"] is None and course["reason"] in reasons
    return failed, failed or ended in ("unknown", "too_short", "presumed_failed") or undated
