"""`d2tra plan`: Snakemake's dry run, said in plain words."""

import subprocess
from pathlib import Path

import pytest

from d2tra import cli
from d2tra.dry_run import NOTHING, Rule, in_words, read_jobs, read_rules

ROOT = Path(__file__).parents[2]
RULES = [
    Rule("Can it be trusted?", "screen", "Stop if it cannot."),
    Rule("Can it be trusted?", "validate", "Set aside what cannot be right."),
    Rule("Who belongs?", "label", "Judge every patient."),
]


def job(rule, reason, wildcards="site=north", output="made.csv"):
    return (
        f"[Sat Nov 21 21:13:44 2026]\nrule {rule}:\n    input: a.csv\n    output: {output}\n    jobid: 1\n"
        f"    reason: {reason}\n    wildcards: {wildcards}\n    resources: tmpdir=/tmp\n"
    )


def said(*jobs):
    return in_words(read_jobs("Building DAG of jobs...\n" + "".join(jobs)), RULES).splitlines()


def test_jobs_are_told_by_chapter_with_what_they_do_and_for_which_site():
    missing = "Missing output files: made.csv"
    lines = said(
        job("label", missing), *(job("screen", missing, f"site={site}") for site in ("south", "north"))
    )
    assert lines == [
        "3 jobs would run. What sets them off: the results of 3 jobs are not there.",
        "",
        "Can it be trusted?",
        "  2 jobs screen (north, south): Stop if it cannot.",
        "",
        "Who belongs?",
        "  1 job label (north): Judge every patient.",
    ]


def test_a_job_that_follows_names_the_rule_that_it_follows():
    lines = said(
        job("screen", "Updated input files: config/a.yaml, data/b.csv", output="screen.json"),
        job("validate", "Input files updated by another job: screen.json"),
    )
    assert lines[0] == "2 jobs would run. What sets them off: changed: config/a.yaml, data/b.csv."
    assert "      why: changed: config/a.yaml, data/b.csv" in lines
    assert "      why: what it is made from is made anew by screen" in lines


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Updated input files: /p/workflow/src/d2tra/scores/das28.py", "the program changed: das28.py"),
        (
            "Updated input files: b.csv; Code has changed since last execution",
            "changed: b.csv; a script changed",
        ),
        (
            "Params have changed since last execution: Union of exclusive params before and now across all output: "
            "before: 1 now: 2 ; Set of input files has changed since last execution",
            "a choice of the study changed; the list of input files changed",
        ),
        ("Incomplete output files: made.csv", "an earlier run was broken off"),
        ("Forced execution", "Forced execution"),
        ("Missing output files: made.csv; Updated input files: b.csv", "changed: b.csv"),
    ],
)
def test_each_reason_of_snakemake_is_said_in_words(reason, words):
    missing = "the results of 1 job are not there; " if "Missing" in reason else ""
    assert said(job("label", reason))[0] == f"1 job would run. What sets them off: {missing}{words}."


def test_of_several_jobs_it_is_said_how_many_results_are_not_there():
    lines = said(
        job("label", "Missing output files: made.csv"),
        job("label", "Updated input files: b.csv"),
        job("screen", "Updated input files: b.csv"),
    )
    assert "      why: the result of 1 is not there; changed: b.csv" in lines


def test_many_files_are_counted():
    names = ", ".join(f"{number}.csv" for number in range(7))
    assert said(job("label", f"Updated input files: {names}"))[0].endswith("3.csv, 4.csv, … and 2 more.")


def test_targets_are_no_work_and_without_work_nothing_is_to_be_done():
    assert said() == said(job("all", "Input files updated by another job: made.csv")) == [NOTHING]


def test_every_rule_of_the_project_but_the_targets_is_told_of_by_its_chapter():
    rules = read_rules(ROOT / "Snakefile")
    scripts = {path.stem for path in (ROOT / "workflow" / "scripts").glob("*.py")}
    assert {rule.name for rule in rules} == scripts
    assert all(rule.chapter[-1] in "?." and rule.does[-1] in "?." for rule in rules)
    first = next(rule for rule in rules if rule.name == "screen_extract")
    assert first[::2] == ("Can the extract be trusted?", "Stop if the extract holds identifiers of patients.")


def test_snakemake_itself_is_asked_and_nothing_is_run(tmp_path, monkeypatch, capsys):
    """Its words are those that are looked for; a small Snakefile stands for the project's."""
    monkeypatch.chdir(tmp_path)
    Path("Snakefile").write_text('include: "one.smk"\nrule all:\n    input: "out.txt"\n', encoding="utf-8")
    rule = 'rule make:\n    """Make it. More."""\n    input: "in.txt"\n    output: "out.txt"\n    shell: "cp {input} {output}"\n'
    Path("one.smk").write_text(f'"""\nWhat is made?\n"""\n\n{rule}', encoding="utf-8")
    Path("in.txt").write_text("a", encoding="utf-8")
    assert cli.main(["plan"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 job would run. What sets them off: the results of 1 job are not there.",
        "",
        "What is made?",
        "  1 job make: Make it.",
    ]
    assert not Path("out.txt").exists()


def test_a_run_that_could_not_start_says_why_and_ends_with_1(monkeypatch, capsys):
    asked = []

    def refuse(command, **_):
        asked.extend(command)
        screen = (
            "Assuming unrestricted.\n\nSNAKEMAKE\n=====\n  Date: x\n\nno nope.yaml in config/studies/\n\n"
        )
        return subprocess.CompletedProcess(command, 1, stdout=screen)

    monkeypatch.setattr(subprocess, "run", refuse)
    assert cli.main(["plan", "figures", "--study", "nope"]) == 1
    assert capsys.readouterr().err == "no run could start:\n\nno nope.yaml in config/studies/\n"
    assert "figures" in asked
    assert asked[-2:] == ["--config", "study=nope"]
