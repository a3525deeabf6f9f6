"""Drug courses (specification of the labels 2.2) in plain Python, for the reference labels."""

from __future__ import annotations

import datetime as dt

DAY = dt.timedelta(days=1)
DRUGS = {  # molecule: kind, mechanism, suppresses the acute phase
    "methotrexate": ("csdmard", None, False),
    "sulfasalazine": ("csdmard", None, False),
    "adalimumab": ("bdmard", "tnf", False),
    "etanercept": ("bdmard", "tnf", False),
    "tocilizumab": ("bdmard", "il6r", True),
    "sarilumab": ("bdmard", "il6r", True),
    "abatacept": ("bdmard", "ctla4_ig", False),
    "rituximab": ("bdmard", "cd20", False),
    "anakinra": ("bdmard", "il1", True),
    "baricitinib": ("tsdmard", "jak", True),
    "prednisolone": ("glucocorticoid", None, True),
    "deflazacort": ("glucocorticoid", None, True),
    "methylprednisolone": ("glucocorticoid", None, True),
}
INEFFICACY = {"primary_inefficacy", "secondary_inefficacy", "inefficacy"}
INTOLERANCE = {"adverse_event", "intolerance"}


def is_bts(molecule: str) -> bool:
    return DRUGS[molecule][0] in ("bdmard", "tsdmard")


def trace(rows: list[dict]) -> list[dict]:
    rows = [dict(row, imputed=False) for row in rows]
    for row in rows:
        if row["drug"] != "rituximab":
            continue
        short = row["stop_date"] is None or (row["stop_date"] - row["start_date"]).days < 274
        vague = row["stop_reason"] in (None, "unknown", "other")
        if (vague and short) or row["stop_date"] is None:
            row["stop_date"], row["imputed"] = row["start_date"] + 274 * DAY, True
    courses = []
    for molecule in DRUGS:
        mine = [row for row in rows if row["drug"] == molecule]
        mine.sort(key=lambda r: (r["start_date"], r["stop_date"] or dt.date.max, r["source_row"]))
        gap = 274 if molecule == "rituximab" else 90
        group: list[dict] = []
        for row in mine:
            latest = max((r["stop_date"] or dt.date.max for r in group), default=None)
            if group and (latest == dt.date.max or row["start_date"] <= latest + gap * DAY):
                group.append(row)
            else:
                if group:
                    courses.append(one_course(molecule, group, rows))
                group = [row]
        if group:
            courses.append(one_course(molecule, group, rows))
    return courses


def one_course(molecule: str, group: list[dict], rows: list[dict]) -> dict:
    stop = max(r["stop_date"] or dt.date.max for r in group)
    last = sorted(
        (r for r in group if (r["stop_date"] or dt.date.max) == stop), key=lambda r: r["source_row"]
    )
    telling = [r for r in last if r["stop_reason"] not in (None, "unknown")]
    imputed = all(r["imputed"] for r in last)
    if molecule == "rituximab" and imputed:
        last_start = max(r["start_date"] for r in group)
        others = [
            r["start_date"]
            for r in rows
            if r["drug"] != molecule and is_bts(r["drug"]) and r["start_date"] > last_start
        ]
        if others and min(others) - DAY < stop:
            stop = min(others) - DAY
    return {
        "molecule": molecule,
        "start": min(r["start_date"] for r in group),
        "stop": None if stop == dt.date.max else stop,
        "reason": (telling or last)[0]["stop_reason"],
        "imputed": imputed and molecule == "rituximab",
    }


def outcome(course: dict, courses: list[dict], t: dt.date) -> str | None:
    kind = DRUGS[course["molecule"]][0]
    if course["start"] > t:
        return None
    if course["stop"] is None or course["stop"] > t:
        return "ongoing"
    reason = course["reason"]
    if reason in INEFFICACY:
        short = (course["stop"] - course["start"]).days < 84
        return (
            "too_short"
            if short and is_bts(course["molecule"]) and course["molecule"] != "rituximab"
            else "failed_inefficacy"
        )
    if reason in INTOLERANCE:
        return "failed_intolerance"
    if reason not in (None, "unknown"):
        return "stopped_other"
    bts = [c for c in courses if is_bts(c["molecule"]) and c["start"] <= t]
    if is_bts(course["molecule"]):
        others = [other["start"] for other in bts if other["molecule"] != course["molecule"]]
        if any(course["stop"] - 30 * DAY <= start <= course["stop"] + 180 * DAY for start in others):
            return "presumed_failed"
        return "stopped_other" if course["imputed"] else "unknown"
    if kind == "csdmard" and any(c["start"] > course["start"] for c in bts):
        return "presumed_failed"
    return "unknown"
