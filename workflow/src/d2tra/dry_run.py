"""What a run would compute, and why, in plain words: Snakemake's own dry run, read by chapter. Asked by `d2tra plan`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from d2tra.config import PROJECT
from d2tra.errors import StudyError

SHOWN = 5  # files named of each kind
JOB = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):\n((?:    .*\n)+)", re.MULTILINE)
RULE = re.compile(r'^(?:rule|checkpoint) (\w+):\n    """(.+?)"""', re.MULTILINE | re.DOTALL)
INCLUDED = re.compile(r'^include: "(.+)"', re.MULTILINE)
SENTENCE = re.compile(r"(.+?[.?])(?:\s|$)", re.DOTALL)
MISSING, HALF_DONE = "Missing output files: ", "Incomplete output files: "
UPDATED, FOLLOWS = "Updated input files: ", "Input files updated by another job: "
CODE, SET = "Code has changed since last execution", "Set of input files has changed since last execution"
PARAMS = "Params have changed since last execution"
REASON = re.compile("|".join(map(re.escape, (MISSING, HALF_DONE, UPDATED, FOLLOWS, CODE, SET, PARAMS))))
WORDS = {
    CODE: "a script changed",
    PARAMS: "a choice of the study changed",
    SET: "the list of input files changed",
    HALF_DONE: "an earlier run was broken off",
}
NOTHING = "Nothing is to be done: all that was asked for is there, and newer than what it is made from."


class Job(NamedTuple):
    """One job of a dry run: its rule, of which site or cohort ("" of all), the files it makes, and Snakemake's reasons, each
    with the files that it names."""

    rule: str
    of: str
    outputs: frozenset[str]
    reasons: dict[str, frozenset[str]]


class Rule(NamedTuple):
    """A rule as the chapters tell of it: the chapter's question, the rule's name and first sentence."""

    chapter: str
    name: str
    does: str


def say_plan(targets: Sequence[str] = (), study: str | None = None) -> str:
    """Returns what a run of these targets (none: everything) would compute, and why. StudyError where it could not start.

    Nothing is written. It asks Snakemake, with the Snakefile of the folder of the command or else the project's.
    """
    snakefile = Path("Snakefile") if Path("Snakefile").is_file() else PROJECT / "Snakefile"
    command = [
        sys.executable,
        "-m",
        "snakemake",
        *targets,
        "--snakefile",
        str(snakefile),
        "--cores",
        "all",
        "--dry-run",
    ]
    command += ["--config", f"study={study}"] if study else []
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False
    )
    if done.returncode:
        raise StudyError(f"no run could start:\n\n{_complaint(done.stdout)}")
    return in_words(read_jobs(done.stdout), read_rules(snakefile))


def read_jobs(screen: str) -> list[Job]:
    """Returns the jobs that a dry run lists, in its order."""
    jobs = []
    for rule, block in JOB.findall(screen):
        said = dict(re.findall(r"^    (\w+): (.*)$", block, re.MULTILINE))
        of = re.search(r"\b(?:site|cohort)=([^,]+)", said.get("wildcards", ""))
        outputs, reasons = _files(said.get("output", "")), _reasons(said.get("reason", ""))
        jobs.append(Job(rule, of[1] if of else "", outputs, reasons))
    return jobs


def read_rules(snakefile: Path) -> list[Rule]:
    """Returns the rules of every chapter that the Snakefile includes, in their order; its own, the targets, are left out."""
    rules = []
    for chapter in INCLUDED.findall(snakefile.read_text(encoding="utf-8")):
        text = (snakefile.parent / chapter).read_text(encoding="utf-8")
        question = _first_sentence(text.removeprefix('"""\n'))
        rules += [Rule(question, name, _first_sentence(words)) for name, words in RULE.findall(text)]
    return rules


def in_words(jobs: Iterable[Job], rules: Iterable[Rule]) -> str:
    """Returns the jobs by chapter and rule: how many, what they do, and why they would run; above all what sets them off."""
    told = {rule.name: rule for rule in rules}
    listed = [job for job in jobs if job.rule in told]
    if not listed:
        return NOTHING
    makers = {file: job.rule for job in listed for file in job.outputs}
    by_rule: dict[str, list[Job]] = {}
    for job in listed:
        by_rule.setdefault(job.rule, []).append(job)
    whys = {rule: "; ".join(_why(mine, makers)) for rule, mine in by_rule.items()}
    is_one = len(set(whys.values())) == 1  # said once, above
    lines = [f"{_jobs(len(listed))} would run. What sets them off: {'; '.join(_causes(listed))}."]
    asked = [rule for rule in told.values() if rule.name in by_rule]
    for chapter, of_chapter in groupby(asked, key=lambda rule: rule.chapter):
        lines += ["", chapter]
        for rule in of_chapter:
            mine = by_rule[rule.name]
            of = _listed(sorted({job.of for job in mine if job.of}))
            lines.append(f"  {_jobs(len(mine))} {rule.name}{of and f' ({of})'}: {rule.does}")
            lines += [] if is_one else [f"      why: {whys[rule.name]}"]
    return "\n".join(lines)


def _causes(jobs: list[Job]) -> list[str]:
    """What no other job brings about, of all jobs together."""
    missing = sum(MISSING in job.reasons for job in jobs)
    return [*([f"the results of {_jobs(missing)} are not there"] if missing else []), *_changes(jobs)]


def _why(jobs: list[Job], makers: dict[str, str]) -> list[str]:
    """Why the jobs of one rule would run; of those whose result is not there, nothing more."""
    missing = sum(MISSING in job.reasons for job in jobs)
    if missing == len(jobs):
        return ["the result is not there"]
    found = [f"the result of {missing} is not there"] if missing else []
    follows = sorted({makers.get(file, file) for file in _named(jobs, FOLLOWS)})
    anew = [f"what it is made from is made anew by {_listed(follows)}"] if follows else []
    return [*found, *_changes(jobs), *anew]


def _changes(jobs: list[Job]) -> list[str]:
    updated = _named(jobs, UPDATED)
    program = sorted(file for file in updated if _is_program(file))
    files = sorted(updated - set(program))
    found = [f"changed: {_listed(files)}"] if files else []
    if program:
        found.append(f"the program changed: {_listed([Path(file).name for file in program])}")
    said = {name for job in jobs for name in job.reasons}
    found += [words for reason, words in WORDS.items() if reason in said]
    return [*found, *sorted(name for name in said if not REASON.fullmatch(name))]


def _is_program(file: str) -> bool:
    return {"workflow", "src", "d2tra"} <= set(Path(file).parts)


def _named(jobs: list[Job], reason: str) -> set[str]:
    return {file for job in jobs for file in job.reasons.get(reason, ())}


def _reasons(text: str) -> dict[str, frozenset[str]]:
    """Reason → the files that it names; what is not known of Snakemake stands as it was said."""
    found = list(REASON.finditer(text))
    if not found:
        return {text: frozenset()} if text else {}
    ends = [match.start() for match in found[1:]] + [len(text)]
    return {match[0]: _files(text[match.end() : end]) for match, end in zip(found, ends, strict=True)}


def _files(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.rstrip("; ").split(", ")))


def _complaint(screen: str) -> str:
    """What Snakemake said after its header."""
    paragraphs = [part.strip() for part in screen.split("\n\n")]
    kept = [
        part for part in paragraphs if part and not part.startswith(("SNAKEMAKE\n", "Assuming unrestricted"))
    ]
    return "\n".join(kept).removeprefix("Building DAG of jobs...").strip()


def _first_sentence(text: str) -> str:
    found = SENTENCE.match(text.strip())
    return " ".join((found[1] if found else text).split())


def _jobs(n: int) -> str:
    return f"{n} job{'' if n == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*names[:SHOWN], *([f"… and {len(names) - SHOWN} more"] if len(names) > SHOWN else [])])
