"""A round of chart review on disk: the sample is drawn into workbooks and a key, the filled workbooks are scored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from d2tra import io
from d2tra.config import Study
from d2tra.definitions import Definition, load_definition
from d2tra.errors import StudyError
from d2tra.extract.site import load_site
from d2tra.review import posterior, sampling, scoring, workbook
from d2tra.tables.cells import formatted

KEY, SCORE = "key.csv", "review.csv"
FORMULA_STARTS = r"^('*[=+\-@\t\r])"


def write_review(study: Study, cohort: str, sizes: sampling.Sizes, reviewers: int) -> str:
    """Draws the sample of a cohort into results/<study>/private/cohorts/<cohort>/review/: one workbook per reviewer, and
    key.csv; returns what was drawn, in words.

    key.csv: the sample with label, stratum, inclusion probability, the criteria's verdicts, definition and
    labels_sha256. StudyError where the results are not there, or a workbook there has answers in it.
    """
    study.cohort(cohort)
    folder = _folder(study, cohort)
    old = sorted(folder.glob("review*.xlsx"))
    if filled := [path for path in old if workbook.has_answers(path)]:
        raise StudyError(
            f"{filled[0].as_posix()} has answers in it: score it, or move it away first. Nothing was written."
        )
    definition = load_definition(study.definitions[0])
    placed = _place(study, cohort)
    sample = sampling.draw_sample(placed, sizes, study.seed)
    criteria = list(workbook.asked_criteria(definition))
    evidence = io.read_sites(study.site_names, _site_files(study, "evidence"))
    key = sampling.add_criteria(sample, evidence, definition.name, criteria).with_columns(
        definition=pl.lit(definition.name), labels_sha256=pl.lit(sampling.labels_sha256(placed))
    )
    synthetic = any(load_site(site).synthetic for site in study.sites)
    sheet = workbook.write_workbook(sample, definition, synthetic)
    names = ["review.xlsx"] if reviewers == 1 else [f"review_{n}.xlsx" for n in range(1, reviewers + 1)]
    io.make_private(folder)
    for path in old:
        path.unlink()
    io.write(_disarmed(key), folder / KEY)
    for name in names:
        io.write_bytes(sheet, folder / name)
    drawn = sample.group_by("stratum").agg(pl.len(), pl.col("n_in_stratum").first()).sort("stratum")
    lines = [f"  {stratum.replace('_', ' ')}: {n} of {n_all}" for stratum, n, n_all in drawn.rows()]
    return "\n".join(
        [
            f"{sample.height} charts of cohort {cohort}, by {definition.name}:",
            *lines,
            f"To fill in: {', '.join((folder / name).as_posix() for name in names)}",
            f"Not for the reviewers: {(folder / KEY).as_posix()}",
        ]
    )


def score_workbooks(study: Study, cohort: str, paths: Sequence[Path]) -> str:
    """Scores one filled workbook, or two of the same sample; writes review.csv (cells) beside the key and returns it as
    text. StudyError where there is no key, the study has another primary definition now, or a workbook is faulty."""
    study.cohort(cohort)
    folder = _folder(study, cohort)
    if not (folder / KEY).is_file():
        raise StudyError(
            f"{(folder / KEY).as_posix()}: no such file. Draw a sample first: uv run d2tra review-sample"
        )
    if len(paths) > 2 or len({path.resolve() for path in paths}) < len(paths):
        raise StudyError(
            "one workbook, or two of the same sample, can be scored; these are more, or one is given twice."
        )
    key = _armed(pl.read_csv(folder / KEY, infer_schema=False)).with_columns(
        pl.col("review_number", "n_in_stratum", "n_drawn").cast(pl.Int64)
    )
    definition = load_definition(study.definitions[0])
    if key["definition"][0] != definition.name:
        raise StudyError(
            f"the sample was drawn by {key['definition'][0]}, but the study's primary definition is {definition.name} now. Draw a new one."
        )
    readings = [workbook.read_answers(path, key, definition) for path in paths]
    if not any(reading["overall"].count() for reading in readings):
        raise StudyError(
            f"{', '.join(path.name for path in paths)}: column {workbook.OVERALL!r} holds no answer yet."
        )
    blocks = scoring.score_review(key, readings, workbook.asked_criteria(definition), study.seed)
    notes = _notes(study, cohort, key, definition)
    io.write(pl.concat(blocks), folder / SCORE)
    return "\n\n".join([*map(_as_text, blocks), "\n".join(notes), f"Written: {(folder / SCORE).as_posix()}"])


def _notes(study: Study, cohort: str, key: pl.DataFrame, definition: Definition) -> list[str]:
    notes = [
        f"Label: {definition.title} ({definition.name}). {posterior.METHOD}",
        "Cannot tell, and charts on which two reviewers differ, are undecided: never no.",
    ]
    if any(load_site(site).synthetic for site in study.sites):
        notes.append("Synthetic data: no patient behind any number.")
    if sampling.labels_sha256(_place(study, cohort)) != key["labels_sha256"][0]:
        notes.append(
            "STALE: the labels, or who belongs to the cohort, have changed since the sample was drawn. These figures are of "
            "the labels as drawn."
        )
    return notes


def _place(study: Study, cohort: str) -> pl.DataFrame:
    path = _folder(study, cohort).parent / "analysis_set.parquet"
    files = [path, *_site_files(study, "scores"), *_site_files(study, "evidence")]
    if missing := [file for file in files if not file.is_file()]:
        raise StudyError(
            f"study {study.name} has no results yet ({missing[0].as_posix()} is not there). "
            "Make them first: uv run snakemake --cores all"
        )
    scores = io.read_sites(study.site_names, _site_files(study, "scores"))
    return sampling.place_in_strata(io.read(path), scores, study.definition_names)


def _folder(study: Study, cohort: str) -> Path:
    return Path("results") / study.name / "private" / "cohorts" / cohort / "review"


def _site_files(study: Study, name: str) -> list[Path]:
    return [
        Path("results") / study.name / "private" / "sites" / site / f"{name}.parquet"
        for site in study.site_names
    ]


def _disarmed(key: pl.DataFrame) -> pl.DataFrame:
    """A quote before what a spreadsheet would take for a formula."""
    return key.with_columns(pl.col("site", "patient_id").str.replace(FORMULA_STARTS, "'$1"))


def _armed(key: pl.DataFrame) -> pl.DataFrame:
    return key.with_columns(pl.col("site", "patient_id").str.replace(rf"^'{FORMULA_STARTS[1:]}", "$1"))


def _as_text(cells: pl.DataFrame) -> str:
    table = (
        formatted(cells)
        .with_columns(row=pl.concat_str("row", "level", separator=", ", ignore_nulls=True))
        .drop("level")
    )
    lines = [["", *table.columns[1:]], *([cell or "" for cell in row] for row in table.rows())]
    widths = [max(len(line[i]) for line in lines) for i in range(table.width)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
