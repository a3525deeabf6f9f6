"""The command `d2tra`: questions to ask of results that are there. The computing itself is Snakemake's."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from d2tra import io
from d2tra.config import Study, config_file, load_study, load_yaml
from d2tra.definitions import why
from d2tra.errors import StudyError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, or 1 after a message in plain words."""
    parser = argparse.ArgumentParser(prog="d2tra", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="<verb>")
    asked = verbs.add_parser(
        "why", help="why a patient is labelled so: the label, each criterion, the records"
    )
    asked.add_argument("patient_id")
    asked.add_argument("--study", help="name or path of the study (default: that of config/config.yaml)")
    asked.add_argument("--definition", help="name of a definition of the study (default: its first)")
    wanted = parser.parse_args(arguments)
    try:
        print(explain_patient(wanted.patient_id, wanted.study, wanted.definition))
    except StudyError as mistake:
        print(mistake, file=sys.stderr)
        return 1
    return 0


def explain_patient(patient_id: str, study_name: str | None = None, definition: str | None = None) -> str:
    """Returns the label of a patient, each criterion with its verdict, and the deciding records.

    StudyError where the study has no results yet, no such definition, or no such patient.
    """
    study = load_study(study_name or _default_study())
    name = definition or study.definitions[0]
    if name not in study.definitions:
        raise StudyError(
            f"study {study.name} has no definition {name!r}; it has: {', '.join(study.definitions)}."
        )
    answers = []
    for labels, evidence in _labelled_sites(study):
        if patient_id in labels["patient_id"]:
            answers.append(why(patient_id, labels, evidence, name))
    if not answers:
        raise StudyError(
            f"study {study.name}: no valid patient has this id. If the register holds the patient, "
            f"look for the row in results/{study.name}/private/sites/<site>/quarantine.csv."
        )
    return "\n\n".join(answers)


def _labelled_sites(study: Study) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    folders = [Path("results") / study.name / "private" / "sites" / Path(site).stem for site in study.sites]
    missing = [folder for folder in folders if not (folder / "evidence.parquet").is_file()]
    if missing:
        raise StudyError(
            f"study {study.name} has no labels yet ({missing[0].as_posix()}/evidence.parquet is not there). "
            "Make them first: uv run snakemake --cores all"
        )
    return [(io.read(folder / "labels.parquet"), io.read(folder / "evidence.parquet")) for folder in folders]


def _default_study() -> str:
    return str(load_yaml(config_file("config.yaml"))["study"])


if __name__ == "__main__":
    sys.exit(main())
