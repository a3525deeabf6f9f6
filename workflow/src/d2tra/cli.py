"""The command `d2tra`: questions to ask of results that are there. The computing itself is Snakemake's.

Each answer imports what it needs: asking why must not wait for the models.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    _add_study(asked)
    asked.add_argument("--definition", help="name of a definition of the study (default: its first)")
    asked.set_defaults(answer=lambda given: explain_patient(given.patient_id, given.study, given.definition))
    _add_map(verbs)
    _add_review(verbs)
    _add_pool(verbs)
    _add_check_numbers(verbs)
    _add_verify(verbs)
    _add_shift(verbs)
    _add_split(verbs)
    _add_crate(verbs)
    _add_diff(verbs)
    _add_plan(verbs)
    wanted = parser.parse_args(arguments)
    try:
        print(wanted.answer(wanted), flush=True)
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except StudyError as mistake:
        print(mistake, file=sys.stderr)
        return 1
    return 0


def _add_map(verbs: Any) -> None:
    mapped = verbs.add_parser(
        "map", help="propose a mapping for an extract, or say what is new in the next one"
    )
    mapped.add_argument("place", type=Path, metavar="file or folder")
    mapped.add_argument("--site", help="name of the site (default: that of the folder or file)")
    mapped.add_argument(
        "--id-column", action="append", default=[], help="a column that holds study pseudonyms"
    )
    mapped.add_argument(
        "--allow-text", action="append", default=[], help="a text column that somebody has read"
    )
    mapped.set_defaults(answer=_map)


def _add_review(verbs: Any) -> None:
    drawn = verbs.add_parser("review-sample", help="draw a blinded sample of charts for a reviewer to judge")
    scored = verbs.add_parser("review-score", help="score the filled workbooks of a chart review")
    for verb in (drawn, scored):
        _add_study(verb)
        verb.add_argument("--cohort", required=True, help="name of a cohort of the study")
    for name, number, who in (
        ("random", 40, "of all assessable patients"),
        ("near", 20, "more with DAS28 near a cut-off"),
        ("discordant", 20, "more whom the definitions judge differently"),
        ("not-assessable", 10, "of the patients who are not assessable"),
    ):
        drawn.add_argument(
            f"--{name}", type=_count, default=number, metavar="N", help=f"charts {who} ({number})"
        )
    drawn.add_argument("--reviewers", type=int, choices=(1, 2), default=1, help="workbooks to write (1)")
    drawn.set_defaults(answer=_draw_review)
    scored.add_argument("workbooks", nargs="+", type=Path, metavar="xlsx", help="one filled workbook, or two")
    scored.set_defaults(answer=_score_review)


def _add_pool(verbs: Any) -> None:
    pooled = verbs.add_parser("pool", help="pool the share/<site>.json of several centres")
    pooled.add_argument("files", nargs="+", type=Path, metavar="json")
    pooled.add_argument("--out", type=Path, default=Path("pooled"), help="folder for the results (pooled)")
    pooled.set_defaults(answer=_pool)
    rounds = verbs.add_parser(
        "pool-exact", help="fit one model to all centres' patients by rounds of sums, under agreement"
    )
    steps = rounds.add_subparsers(dest="step", required=True, metavar="<step>")
    start = steps.add_parser("start", help="coordinator: the first round, from the centres' share files")
    start.add_argument("files", nargs="+", type=Path, metavar="json")
    start.add_argument("--model", required=True, help="name of a multivariable model of the study")
    start.add_argument("--cohort", required=True, help="name of a cohort of the study")
    start.add_argument("--definition", help="name of a definition of the study (default: its first)")
    start.add_argument("--out", type=Path, required=True, help="folder for the rounds")
    answer = steps.add_parser("answer", help="centre: this centre's sums, beside the round's file")
    answer.add_argument("round", type=Path, metavar="json")
    for verb in (start, answer):
        _add_study(verb)
    start.set_defaults(answer=_start_exact)
    answer.set_defaults(answer=_answer_exact)
    step = steps.add_parser("step", help="coordinator: the next round, or the fit, from all answers")
    step.add_argument("folder", type=Path)
    step.set_defaults(answer=_step_exact)


def _add_verify(verbs: Any) -> None:
    checked = verbs.add_parser(
        "verify", help="are the results what was sealed, and has the release been approved?"
    )
    _add_study(checked)
    checked.add_argument("--profile", help="one release profile (default: every one that has results)")
    checked.set_defaults(answer=_verify)


def _add_diff(verbs: Any) -> None:
    compared = verbs.add_parser(
        "diff", help="what changed between two results folders, last quarter's and now"
    )
    for name in ("old", "new"):
        compared.add_argument(name, type=Path, metavar=f"{name} results", help="a folder results/<study>")
    compared.add_argument(
        "--out", type=Path, help="write whose label and which estimate changed, to a folder within private/"
    )
    compared.set_defaults(answer=_diff)


def _add_plan(verbs: Any) -> None:
    planned = verbs.add_parser(
        "plan", help="what a run would compute, and why, in plain words; nothing is run"
    )
    planned.add_argument(
        "targets", nargs="*", metavar="target", help="audit, figures, … (default: everything)"
    )
    _add_study(planned)
    planned.set_defaults(answer=_plan)


def _add_check_numbers(verbs: Any) -> None:
    checked = verbs.add_parser(
        "check-numbers", help="is each number of a text (an abstract, say) one of the released numbers?"
    )
    checked.add_argument("file", type=Path, help="a text or Markdown file, .docx, .pptx or .html")
    _add_study(checked)
    checked.add_argument(
        "--cohort", required=True, nargs="+", help="the cohorts of the study that the text tells of"
    )
    checked.add_argument("--profile", default="local_audit", help="release profile (local_audit)")
    checked.add_argument(
        "--conference", help="check length and headings too: a profile of config/conferences.yaml"
    )
    checked.set_defaults(answer=_check_numbers)


def _map(given: argparse.Namespace) -> str:
    from d2tra.proposal.commands import map_extract

    return map_extract(given.place, given.site, given.id_column, given.allow_text)


def _add_shift(verbs: Any) -> None:
    shifted = verbs.add_parser("shift-dates", help="move an extract's dates by a constant per patient")
    shifted.add_argument("source", help="the extract's folder or workbook, as `source:` of the mapping")
    shifted.add_argument("--site", required=True, help="name or path of the site's mapping")
    shifted.add_argument("--key-file", type=Path, required=True, help="the key, kept outside the project")
    shifted.add_argument("--new-key", action="store_true", help="make the key first (once)")
    shifted.add_argument("--out", type=Path, required=True, help="a new folder for the moved extract")
    shifted.set_defaults(answer=_shift_dates)


def _add_split(verbs: Any) -> None:
    cut = verbs.add_parser("split", help="cut one huge extract into several sites by patient, for a cluster")
    cut.add_argument("site", help="name or path of the site's mapping")
    cut.add_argument("--into", type=int, required=True, metavar="N", help="number of sites to make")
    cut.add_argument("--out", type=Path, required=True, help="a new folder for the parts")
    cut.set_defaults(answer=_split)


def _add_crate(verbs: Any) -> None:
    packed = verbs.add_parser(
        "crate", help="pack a release as a Workflow Run RO-Crate, for a repository of research"
    )
    _add_study(packed)
    packed.add_argument("--profile", help="release profile, where there are several")
    packed.add_argument("--out", type=Path, required=True, help="a .zip, or a new folder")
    packed.set_defaults(answer=_crate)


def _draw_review(given: argparse.Namespace) -> str:
    from d2tra.review.rounds import write_review
    from d2tra.review.sampling import Sizes

    sizes = Sizes(given.random, given.near, given.discordant, given.not_assessable)
    return write_review(_study(given.study), given.cohort, sizes, given.reviewers)


def _score_review(given: argparse.Namespace) -> str:
    from d2tra.review.rounds import score_workbooks

    return score_workbooks(_study(given.study), given.cohort, given.workbooks)


def _pool(given: argparse.Namespace) -> str:
    from d2tra.centres.commands import pool_files

    return pool_files(given.files, given.out)


def _start_exact(given: argparse.Namespace) -> str:
    from d2tra.centres.commands import start_exact

    study = _study(given.study)
    return start_exact(given.files, study, given.model, given.cohort, given.definition, given.out)


def _answer_exact(given: argparse.Namespace) -> str:
    from d2tra.centres.commands import answer_exact

    return answer_exact(given.round, _study(given.study))


def _step_exact(given: argparse.Namespace) -> str:
    from d2tra.centres.commands import step_exact

    return step_exact(given.folder)


def _shift_dates(given: argparse.Namespace) -> str:
    from d2tra.extract.date_shift import make_key, read_key, shift_dates
    from d2tra.extract.site import load_site
    from d2tra.treatment import recognise_drugs

    if given.new_key:
        make_key(given.key_file)
    site = load_site(given.site).model_copy(update={"source": given.source})
    return shift_dates(site, read_key(given.key_file), given.out, recognise_drugs)


def _split(given: argparse.Namespace) -> str:
    from d2tra.extract.site import load_site
    from d2tra.extract.split import split_site

    return split_site(load_site(given.site), given.into, given.out)


def _crate(given: argparse.Namespace) -> str:
    from d2tra.disclosure.crate import write_crate

    return write_crate(_study(given.study), given.out, given.profile)


def _verify(given: argparse.Namespace) -> str:
    from d2tra.disclosure.verify import verify

    return verify(_study(given.study), given.profile)


def _diff(given: argparse.Namespace) -> str:
    from d2tra.changes.command import say_changes

    return say_changes(given.old, given.new, given.out)


def _plan(given: argparse.Namespace) -> str:
    from d2tra.dry_run import say_plan

    return say_plan(given.targets, given.study)


def _check_numbers(given: argparse.Namespace) -> str:
    from d2tra.documents.commands import check_numbers

    study = _study(given.study)
    return check_numbers(given.file, study, given.cohort, given.profile, given.conference)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number of charts, 0 or more, is expected, found {text!r}")
    return int(text)


def explain_patient(patient_id: str, study_name: str | None = None, definition: str | None = None) -> str:
    """Returns the label of a patient, each criterion with its verdict, and the deciding records.

    StudyError where the study has no results yet, no such definition, or no such patient.
    """
    study = _study(study_name)
    name = definition or study.definition_names[0]
    if name not in study.definition_names:
        raise StudyError(
            f"study {study.name} has no definition {name!r}; it has: {', '.join(study.definition_names)}."
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


def _add_study(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--study", help="name or path of the study (default: that of config/config.yaml)")


def _study(name: str | None) -> Study:
    return load_study(name or str(load_yaml(config_file("config.yaml"))["study"]))


if __name__ == "__main__":
    sys.exit(main())
