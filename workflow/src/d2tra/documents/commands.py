"""`d2tra check-numbers`: a text that somebody typed or pasted, against the released numbers of a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from d2tra.config import Study
from d2tra.definitions import load_definition
from d2tra.disclosure import load_profile
from d2tra.documents.abstract import load_conference
from d2tra.documents.pasted import check_text
from d2tra.documents.read_back import READERS, read_back
from d2tra.errors import StudyError
from d2tra.reproduction import load_published
from d2tra.tables import Table, read_tables


def check_numbers(
    file: Path, study: Study, cohorts: Sequence[str], profile: str, conference: str | None
) -> str:
    """Returns what was found where every number of the text is supported by one of the cohorts; with a `conference`, its
    length and headings too. Of a .docx, .pptx or .html the paragraphs and native tables are read, not the pictures.

    Raises StudyError that lists each number that is impossible or that no released cell supports, and what the conference
    would send back.
    """
    tables = [table.cells for name in cohorts for table in _released(study, study.cohort(name).name, profile)]
    text = _text_of(file)
    published = load_published(study.published).cohorts if study.published else {}
    statements = [said for name in cohorts if name in published for said in published[name].statements]
    definitions = [load_definition(name) for name in study.definitions]
    words = [line for one in definitions for line in (one.title, str(one.source), *one.in_words())]
    words += [study.title, f"seed {study.seed}"]
    found = check_text(text, tables, statements, words)
    problems = [
        f"  {number}: {verdict}, {why} (… {where} …)"
        for number, where, verdict, why in found.filter(pl.col("verdict") != "supported").iter_rows()
    ]
    problems += [f"  {fault}" for fault in (load_conference(conference).lint(text) if conference else [])]
    if problems:
        raise StudyError(
            "\n".join([f"{file}: {len(problems)} findings among {found.height} numbers:", *problems])
        )
    of = " and ".join(cohorts)
    return f"{file}: {found.height} numbers, each supported by a released number of {of} ({profile})."


def _released(study: Study, cohort: str, profile: str) -> list[Table]:
    folder = (
        Path("results") / study.name / "private" / "drafts" / load_profile(profile).name / cohort / "numbers"
    )
    if not folder.is_dir():
        raise StudyError(
            f"{folder.as_posix()} is not there: study {study.name} has no released numbers of {cohort} yet. "
            "Make them first: uv run snakemake --cores all"
        )
    return read_tables(folder)


def _text_of(file: Path) -> str:
    try:
        if file.suffix in READERS:
            said = read_back(file.name, file.read_bytes())
            return "\n".join([*sorted(said.sentences), *(" | ".join(row) for row in sorted(said.rows))])
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise StudyError(f"{file}: not readable as UTF-8 text ({problem}).") from problem
    except Exception as problem:  # each format's library raises kinds of its own for a damaged file
        raise StudyError(f"{file}: not readable as {file.suffix}; save it anew.") from problem
