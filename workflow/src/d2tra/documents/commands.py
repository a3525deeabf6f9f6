"""`d2tra check-numbers`: a text that somebody typed or pasted, against the released numbers of a cohort."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from d2tra.config import Study
from d2tra.definitions import load_definition
from d2tra.disclosure import load_profile
from d2tra.documents.abstract import load_conference
from d2tra.documents.pasted import check_text
from d2tra.errors import StudyError
from d2tra.reproduction import load_published
from d2tra.tables import read_tables


def check_numbers(file: Path, study: Study, cohort: str, profile: str, conference: str | None) -> str:
    """Returns what was found where every number of the text is supported; with a `conference`, its length and headings too.

    Raises StudyError that lists each number that is impossible or that no released cell supports, and what the conference
    would send back.
    """
    study.cohort(cohort)
    folder = (
        Path("results") / study.name / "private" / "drafts" / load_profile(profile).name / cohort / "numbers"
    )
    if not folder.is_dir():
        raise StudyError(
            f"{folder.as_posix()} is not there: study {study.name} has no released numbers of {cohort} yet. "
            "Make them first: uv run snakemake --cores all"
        )
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise StudyError(f"{file}: not readable as UTF-8 text ({problem}).") from problem
    published = load_published(study.published).cohorts if study.published else {}
    statements = published[cohort].statements if cohort in published else []
    definitions = [load_definition(name) for name in study.definitions]
    words = [line for one in definitions for line in (one.title, *one.in_words())]
    found = check_text(text, [table.cells for table in read_tables(folder)], statements, words)
    problems = [
        f"  {number}: {verdict}, {why} (… {where} …)"
        for number, where, verdict, why in found.filter(pl.col("verdict") != "supported").iter_rows()
    ]
    problems += [f"  {fault}" for fault in (load_conference(conference).lint(text) if conference else [])]
    if problems:
        raise StudyError(
            "\n".join([f"{file}: {len(problems)} findings among {found.height} numbers:", *problems])
        )
    return f"{file}: {found.height} numbers, each supported by a released number of {cohort} ({profile})."
