"""What changed, in short paragraphs of counts: no patient, no date of one, no reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from d2tra.changes.folder import ResultsFolder
from d2tra.changes.labels import HAS_CHANGED, IS_GONE, IS_NEW

SHOWN = 8  # of each list on screen; the files of --out hold all
STATUS = {"met": "met", "not_met": "not met", "not_assessable": "not assessable"}
POLICY = "unknown"  # what is unrecorded is unknown; the files hold the other policies
COUNTED = {"n_read": "read", "n_valid": "valid"}


def say_origin(old: ResultsFolder, new: ResultsFolder) -> str:
    """Returns the paragraph on study, protocol, inputs and software."""
    lines = []
    if old.study and new.study and old.study != new.study:
        lines.append(f"These are two studies: {old.study} (old) and {new.study} (new).")
    for results, side in ((old, "old"), (new, "new")):
        if not results.is_whole:
            lines.append(
                f"The {side} results may be half made: what was released is of another protocol than stands beside the labels, "
                "or older than they are. Finish the run first (of a copy: did it keep the files' times, as cp -a does?)."
            )
    lines.append(_of_files("Protocol", "protocol.json", old.protocol, new.protocol))
    lines.append(_of_files("Raw files", "manifest.json", old.raw, new.raw))
    if (old.protocol, old.raw) != (new.protocol, new.raw):
        lines.append(
            "Only hashes are kept of these: what changed within a file, your version control or your archive knows."
        )
    lines.append(_of_software(old.software, new.software))
    return "\n".join(lines)


def say_rows(site: str, old: pl.DataFrame, new: pl.DataFrame) -> str:
    """Returns the sentence on the rows of a site; `old`, `new`: its accounting."""
    paired = old.join(new, on="table", how="full", coalesce=True, suffix="_new", maintain_order="right_left")
    parts = []
    for row in paired.iter_rows(named=True):
        counts = [
            f"{_count(row[name])} → {_count(row[f'{name}_new'])} {word}" for name, word in COUNTED.items()
        ]
        if any(row[name] != row[f"{name}_new"] for name in COUNTED):
            parts.append(f"{row['table']} {', '.join(counts)}")
    return f"Rows of {site}: {'; '.join(parts) or 'as many as before, in every table'}."


def say_patients(site: str, counts: Mapping[str, int]) -> str:
    """Returns the sentence on the patients of a site; `counts`: the row of `count_patients`."""
    if not counts["n_both"] and counts["n_new"] and counts["n_gone"]:
        return (
            f"Patients of {site}: none of the {counts['n_gone']:,} old ids is among the {counts['n_new']:,} new ones. "
            "Were the pseudonyms made anew? Then no patient can be followed."
        )
    return (
        f"Patients of {site} with a label: {counts['n_both']:,} in both, {counts['n_new']:,} new, {counts['n_gone']:,} gone; "
        f"{counts['n_moved']:,} have another index date."
    )


def say_labels(transitions: pl.DataFrame) -> str:
    """Returns a line per definition by which a label changed; `transitions`: site and the columns of `count_transitions`."""
    lines, unchanged = [], []
    for (definition,), rows in transitions.group_by("definition", maintain_order=True):
        parts = [*_changed(rows), *_one_sided(rows, IS_NEW, "new"), *_one_sided(rows, IS_GONE, "gone")]
        if not parts:
            unchanged.append(str(definition))
            continue
        by_site = rows.filter(HAS_CHANGED).group_by("site", maintain_order=True).agg(pl.col("n").sum())
        sites = ", ".join(f"{site} {n:,}" for site, n in by_site.iter_rows())
        of_sites = f" (by site: {sites})" if transitions["site"].n_unique() > 1 else ""
        lines.append(f"  {definition}: {'; '.join(parts)}{of_sites}")
    head = ["Labels that changed, by definition:"] if lines else ["Labels: none changed."]
    rest = [f"  none by: {', '.join(unchanged)}"] if lines and unchanged else []
    return "\n".join([*head, *lines, *rest])


def say_definitions(old: Iterable[str], new: Iterable[str]) -> list[str]:
    """Returns a sentence for the definitions that only one side has."""
    before, now = set(old), set(new)
    sides = (("old", before - now), ("new", now - before))
    return [
        f"Only the {side} results have {', '.join(sorted(names))}: not compared."
        for side, names in sides
        if names
    ]


def say_estimates(pairs: pl.DataFrame) -> str:
    """Returns the paragraphs on prevalence, odds ratios and cells; `pairs`: the rows of `pair_estimates`."""
    if pairs.is_empty():
        return "Estimates: none compared, as no cohort stands in both results."
    changed = pairs.filter(pl.col("old").ne_missing(pl.col("new")))
    shares = changed.filter(pl.col("source") == "prevalence", pl.col("level") == POLICY)
    lines = [
        f"  {row['cohort']}, {row['definition']}: {_from_to(row)}" for row in shares.iter_rows(named=True)
    ]
    said = [
        "\n".join(["Prevalence (unrecorded is unknown):", *_first(lines)])
        if lines
        else "Prevalence: as it was."
    ]
    for kind, word in (("models/", "Odds ratios"), ("tables/", "Cells of tables")):
        mine = pairs.filter(pl.col("source").str.starts_with(kind))
        if mine.height:
            said.append(_of_kind(word, mine))
    turned = changed.filter("turned")
    lines = [
        f"  {row['cohort']}, {row['source'].removeprefix('models/')}, {row['definition']}, {row['row']} {row['level'] or ''}: "
        f"{_from_to(row)}"
        for row in turned.iter_rows(named=True)
    ]
    if lines:
        head = f"Of {turned.height:,} odds ratios the 95 % interval holds 1 in the old or in the new results only:"
        said.append("\n".join([head, *_first(lines)]))
    return "\n\n".join(said)


def _of_files(what: str, record: str, old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> str:
    if old is None or new is None:
        sides = " and ".join(side for side, files in (("old", old), ("new", new)) if files is None)
        return f"{what}: not known of the {sides} results (no {record} there)."
    groups = {
        "changed": [name for name in new if name in old and old[name] != new[name]],
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
    }
    parts = [f"{len(names)} {word} ({_listed(names)})" for word, names in groups.items() if names]
    return f"{what}: of {len(new)}, {'; '.join(parts) or 'none changed'}."


def _of_software(old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> str:
    if old is None or new is None:
        return "Software: not known of both (a manifest.json stands only where something was sealed)."
    moved = [
        f"{name} {old.get(name, 'none')} → {new.get(name, 'none')}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    return f"Software: {', '.join(moved) or 'the same versions'}."


def _changed(rows: pl.DataFrame) -> list[str]:
    both = rows.filter(HAS_CHANGED, ~IS_NEW, ~IS_GONE)
    summed = both.group_by("old_status", "new_status").agg(pl.col("n").sum()).sort("old_status", "new_status")
    return [f"{n:,} {STATUS[before]} → {STATUS[now]}" for before, now, n in summed.iter_rows()]


def _one_sided(rows: pl.DataFrame, side: pl.Expr, word: str) -> list[str]:
    mine = rows.filter(side).with_columns(status=pl.coalesce("old_status", "new_status"))
    summed = mine.group_by("status").agg(pl.col("n").sum()).sort("status")
    counts = ", ".join(f"{n:,} {STATUS[status]}" for status, n in summed.iter_rows())
    return [f"{word}: {counts}"] if counts else []


def _of_kind(word: str, mine: pl.DataFrame) -> str:
    """How many of one kind changed, by cohort and source; what only one side has is counted apart."""
    in_both = mine.drop_nulls(["old", "new"])
    others = in_both.filter(pl.col("old") != pl.col("new"))
    one_sided = [
        f", {mine[other].null_count():,} only {side}" for side, other in (("new", "old"), ("old", "new"))
    ]
    key = ["cohort", "source"]
    total = in_both.group_by(key).len("of")
    counted = others.group_by(key, maintain_order=True).len("n").join(total, on=key, maintain_order="left")
    lines = [f"{word}: {others.height:,} of {in_both.height:,} in both changed{''.join(one_sided)}."]
    for (cohort,), rows in counted.group_by("cohort", maintain_order=True):
        named = [
            f"{source.split('/')[1]} {n:,} of {of:,}" for source, n, of in rows.drop("cohort").iter_rows()
        ]
        lines.append(f"  {cohort}: {_listed(named)}")
    return "\n".join(lines)


def _from_to(row: Mapping[str, str | None]) -> str:
    return f"{row['old'] or 'none'} → {row['new'] or 'none'}"


def _first(lines: Sequence[str]) -> list[str]:
    return [*lines[:SHOWN], *([f"  … and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else [])]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(
        [*names[:SHOWN], *([f"… and {len(names) - SHOWN:,} more"] if len(names) > SHOWN else [])]
    )


def _count(n: int | None) -> str:
    return "none" if n is None else f"{n:,}"
