"""What `d2tra pool` and `d2tra pool-exact` do: files in, a folder of results or the next file of a round out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import polars as pl

from d2tra import io
from d2tra.centres.pool import pool_counts_of, pool_estimates_of, questions
from d2tra.centres.rounds import AGREEMENT, Answer, Round, answer_round, next_round, start_rounds
from d2tra.centres.share import ShareFile, read_sealed, read_shares, shared_protocol
from d2tra.centres.tables import ODDS_RATIO, POOLED_ROWS, PREDICTION, odds_ratio_tables, prevalence_table
from d2tra.config import Study
from d2tra.disclosure import Profile, load_profile
from d2tra.documents.pages import table_files
from d2tra.errors import StudyError, nearest
from d2tra.figures.across_centres import draw
from d2tra.figures.style import load_style, mark, render
from d2tra.models import load_model
from d2tra.refusals import refuse_by_definition
from d2tra.tables.table import Table

POOLED_FILE = "pooled.csv"
DIAMONDS = {POOLED_ROWS["reml"]: "main", POOLED_ROWS["fixed"]: "second"}


def pool_files(paths: Sequence[Path], folder: Path) -> str:
    """Pools centres' files into a folder: pooled.csv, counts.csv, tables of the primary definition, forest plots.

    Returns what was written, in words. StudyError where a file is refused, or the folder holds something else.
    """
    files = read_shares(paths)
    if folder.exists() and not (folder / POOLED_FILE).is_file():
        raise StudyError(
            f"{folder}: is there already and holds no pooled results; name a new folder (--out)."
        )
    asked, pooled, counts = questions(files), pool_estimates_of(files), pool_counts_of(files)
    tables = odds_ratio_tables(files, asked, pooled)
    profile = _strictest_place(files)
    shown = [*tables, prevalence_table(files, counts)]
    contents = {POOLED_FILE: pooled, "counts.csv": counts, **table_files(shown, profile, files[0].synthetic)}
    for table in tables:
        if not table.cells.filter(kind="estimate").is_empty():
            contents |= _drawn(table, files)
    io.write_folder(contents, folder)
    several = pooled.filter(pooling="reml")
    n_pooled = several.filter(pl.col("estimate").is_not_null()).height
    sites = ", ".join(file.site for file in files)
    return (
        f"{len(files)} centres ({sites}): {n_pooled} of {several.height} estimates pooled, the others are in one centre or "
        f"none.\nWritten to {folder}: {POOLED_FILE} (all definitions), counts.csv, tables and forest plots of {files[0].primary}."
    )


def start_exact(paths: Sequence[Path], study: Study, model: str, cohort: str, definition: str | None, folder: Path) -> str:  # fmt: skip
    """Writes round_01.json of an exact fit for the centres of these files; returns what comes next, in words."""
    files = read_shares(paths)
    for what, given, known in (("model", model, study.model_names), ("cohort", cohort, study.cohort_names),
                               ("definition", definition or study.definition_names[0], study.definition_names)):  # fmt: skip
        if given not in known:
            raise StudyError(f"study {study.name} has no {what} {given!r}{nearest(given, known)} It has: {', '.join(known)}.")  # fmt: skip
    plan = load_model(study.models[study.model_names.index(model)])
    outcome = definition or study.definition_names[0]
    refused = refuse_by_definition([factor.name for factor in plan.modelled], study)[outcome]
    path = folder / _round_name(1)
    io.write_json(start_rounds(files, plan, cohort, outcome, refused), path)
    return f"Written: {path}. Send it to {', '.join(file.site for file in files)}; each answers with: d2tra pool-exact answer"


def answer_exact(path: Path, study: Study) -> str:
    """Writes this study's answer beside a round file, one per site of the study that is asked; returns what was written.

    StudyError without `share: exact_under_agreement`, under another protocol, where no site is asked, and before the study
    has results.
    """
    asked = read_sealed(Round, path)
    if study.share != AGREEMENT:
        raise StudyError(
            f"study {study.name}: key 'share' is {study.share!r}: this centre exchanges aggregates only. Exact sums give "
            f"small counts away; where the centres have agreed to that in writing, state `share: {AGREEMENT}`."
        )
    private = Path("results") / study.name / "private"
    analysis_set = private / "cohorts" / asked.cohort / "analysis_set.parquet"
    for needed in (private / "protocol.json", analysis_set):
        if not needed.is_file():
            raise StudyError(f"{needed.as_posix()} is not there. Make it first: uv run snakemake --cores all")
    if shared_protocol(study, io.read_json(private / "protocol.json")) != asked.protocol_sha256:
        raise StudyError(
            f"{path}: key 'protocol_sha256': the round is of another protocol than study {study.name}. Centres use the same "
            "study, definitions, models and code lists."
        )
    own = [site for site in study.site_names if site in asked.centres]
    if not own:
        raise StudyError(
            f"{path}: key 'centres': {', '.join(asked.centres)}; none is a site of study {study.name}."
        )
    members = io.read(analysis_set)
    written = [path.with_name(f"answer_{asked.number:02}_{site}.json") for site in own]
    for site, target in zip(own, written, strict=True):
        io.write_json(answer_round(asked, site, members), target)
    return f"Written: {', '.join(map(str, written))}. Send to the coordinator."


def step_exact(folder: Path) -> str:
    """Writes the next round from the answers to the last one, or the fit (exact.csv); returns which, in words."""
    rounds = sorted(folder.glob("round_*.json"))
    if not rounds:
        raise StudyError(f"{folder}: no round_*.json there. Begin with: d2tra pool-exact start")
    asked = read_sealed(Round, rounds[-1])
    found = sorted(folder.glob(f"answer_{asked.number:02}_*.json"))
    result = next_round(asked, [read_sealed(Answer, path) for path in found])
    if isinstance(result, pl.DataFrame):
        io.write(result, folder / "exact.csv")
        return f"The peak is reached after {asked.number} rounds. Written: {folder / 'exact.csv'}"
    path = folder / _round_name(asked.number + 1)
    io.write_json(result, path)
    return f"Written: {path}. Send it to {', '.join(asked.centres)}."


def _round_name(number: int) -> str:
    return f"round_{number:02}.json"


def _strictest_place(files: Sequence[ShareFile]) -> Profile:
    """The profile whose pages these become: internal, where one of the files is."""
    profiles = [load_profile(file.profile) for file in files]
    return next((profile for profile in profiles if not profile.may_leave), profiles[0])


def _drawn(table: Table, files: Sequence[ShareFile]) -> dict[str, Any]:
    style, synthetic = load_style(), files[0].synthetic
    profiles = ", ".join(dict.fromkeys(file.profile for file in files))
    said = [
        f"Outcome {files[0].primary}",
        f"disclosure control: {profiles}",
        *(["synthetic data"] if synthetic else []),
    ]
    footer = f"{table.title}\n{' · '.join(said)}"
    if table.cells["text"].str.contains("exploratory").any():
        footer += "\nexploratory: more parameters than the data of a centre can bear"
    with mpl.rc_context(style.settings()):
        figure = draw(
            table.cells.filter(~pl.col("level").is_in([POOLED_ROWS["dl"], POOLED_ROWS["joint"]])),
            style,
            ODDS_RATIO,
            PREDICTION,
            DIAMONDS,
        )
        mark(figure, style, footer, "SYNTHETIC DATA" if synthetic else None)
    return {f"{table.name}_forest.{ending}": content for ending, content in render(figure, style).items()}
