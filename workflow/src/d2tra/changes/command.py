"""`d2tra diff`: reads two results folders, says what changed, and writes who and which where that may stand."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from d2tra import io
from d2tra.changes import words
from d2tra.changes.estimates import ESTIMATES, estimates_of, pair_estimates
from d2tra.changes.folder import ResultsFolder, open_folder
from d2tra.changes.labels import (
    EVIDENCE,
    LABEL,
    count_patients,
    count_transitions,
    explain_changes,
    pair_labels,
)
from d2tra.errors import StudyError

PLACE = "private"
INTERNAL = "These are the department's own counts, before disclosure control: not for release."


def say_changes(old_folder: str | Path, new_folder: str | Path, out: Path | None = None) -> str:
    """Returns what changed between two results folders, in paragraphs of counts.

    With `out`, a folder within one called private, it writes labels_changed.csv (a row per site, patient and definition, see
    `explain_changes`) and estimates_changed.csv (a row per estimate, see `pair_estimates`), for their owner to read only.
    StudyError where a folder is no results folder, or `out` is not private.
    """
    if (
        out is not None and PLACE not in out.resolve().parts[2:]
    ):  # below the root: on a Mac /tmp is /private/tmp
        raise StudyError(
            f"{out.as_posix()} is not within a folder called {PLACE}: what would be written there holds patients' ids. "
            f"Give --out {(Path(new_folder) / PLACE / 'changes').as_posix()}, say."
        )
    old, new = open_folder(old_folder), open_folder(new_folder)
    pairs = _pair_cohorts(old, new)
    said = [words.say_origin(old, new), *_say_sites(old, new), words.say_estimates(pairs)]
    said += _one_sided("cohort", old.cohorts, new.cohorts)
    if out is not None:
        said.append(_write(old, new, pairs, out))
    return "\n\n".join([*said, INTERNAL])


def _say_sites(old: ResultsFolder, new: ResultsFolder) -> list[str]:
    said, transitions, definitions = [], [], (set[str](), set[str]())
    for site in _of_both(old.sites, new.sites):
        lines = [
            words.say_rows(site, *(io.read(side.of_site(site, "accounting.csv")) for side in (old, new)))
        ]
        unlabelled = [
            side.folder.as_posix()
            for side in (old, new)
            if not side.of_site(site, "labels.parquet").is_file()
        ]
        if unlabelled:
            lines.append(f"Patients of {site}: not compared, {' and '.join(unlabelled)} has no labels of it.")
        else:
            labels = [side.scan(site, "labels.parquet", LABEL) for side in (old, new)]
            for names, frame in zip(definitions, labels, strict=True):
                names.update(frame.select(pl.col("definition").unique()).collect()["definition"])
            paired = pair_labels(*labels)
            lines.append(words.say_patients(site, count_patients(paired).row(0, named=True)))
            transitions.append(count_transitions(paired).select(pl.lit(site).alias("site"), pl.all()))
        said.append("\n".join(lines))
    if transitions:
        said.append(words.say_labels(pl.concat(transitions).sort("definition", "site", maintain_order=True)))
    return [*said, *_one_sided("site", old.sites, new.sites), *words.say_definitions(*definitions)]


def _pair_cohorts(old: ResultsFolder, new: ResultsFolder) -> pl.DataFrame:
    empty = pl.DataFrame(schema=ESTIMATES)
    pairs = [
        pair_estimates(estimates_of(old, cohort), estimates_of(new, cohort))
        for cohort in _of_both(old.cohorts, new.cohorts)
    ]
    return pl.concat([pair_estimates(empty, empty), *pairs])


def _write(old: ResultsFolder, new: ResultsFolder, pairs: pl.DataFrame, out: Path) -> str:
    """Writes both files; returns where they stand and how long they are."""
    of_sites = []
    for site in _of_both(old.sites, new.sites):
        paired = pair_labels(*(side.scan(site, "labels.parquet", LABEL) for side in (old, new)))
        explained = explain_changes(
            paired, *(side.scan(site, "evidence.parquet", EVIDENCE) for side in (old, new))
        )
        of_sites.append(explained.select(pl.lit(site).alias("site"), pl.all()))
    frames = {"estimates_changed.csv": pairs.filter(pl.col("old").ne_missing(pl.col("new")))}
    if of_sites:
        frames["labels_changed.csv"] = pl.concat(of_sites)
    io.make_private(out)
    for name, frame in frames.items():
        io.write(io.neutralised(frame), out / name)
        (out / name).chmod(0o600)
    counts = ", ".join(f"{name} (rows: {frame.height:,})" for name, frame in sorted(frames.items()))
    return (
        f"Written to {out.as_posix()}: {counts}. One names patients: the folder never leaves the department."
    )


def _of_both(old: list[str], new: list[str]) -> list[str]:
    return [name for name in new if name in old]


def _one_sided(what: str, old: list[str], new: list[str]) -> list[str]:
    sides = (("old", old, new), ("new", new, old))
    return [
        f"Only the {side} results have the {what} {name}: not compared."
        for side, mine, theirs in sides
        for name in mine
        if name not in theirs
    ]
