"""How long does a whole run take? The shipped study in a copy of the project, beside the times to be reached.

`uv run python benchmarks/whole_runs.py [--cores N]` (default 2) runs the target `audit` and, anew, everything; says what a run of nothing
takes; changes one colour of config/style.yaml and tells which rules run again; and at last adds the target `validation`. Ends with 1
where a time is not reached, or where the changed colour runs a rule that makes nothing with a figure in it. (Where the time goes, rule by
rule: rule_resources.py.)
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from small_study import copy_project  # noqa: E402  beside the tests, not a package

AUDIT_SECONDS, ALL_SECONDS, NOTHING_SECONDS, VALIDATION_SECONDS = 60, 150, 3, 300
WITH_FIGURES = {  # figures, what contains them, and what seals that
    "catalogue_quality", "diagnose_imputation", "draw", "draw_timelines", "release", "release_documents", "seal_release",
    "write_documents", "write_reports",
}  # fmt: skip
COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
JOB = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):", re.MULTILINE)
TARGETS = {"all", "audit", "validation"}  # rules without a job's work


def main(cores: int) -> int:
    """Prints a line per run; returns 1 where one is not as it should be."""
    missed = []
    print(f"{'run':<34}{'seconds':>9}{'to reach':>10}  jobs", flush=True)

    def tell(what: str, folder: Path, most: float | None, *asked: str) -> Counter[str]:
        began = time.perf_counter()
        jobs = snakemake(folder, cores, *asked)
        seconds = time.perf_counter() - began
        if most is not None and seconds >= most:
            missed.append(what)
        print(f"{what:<34}{seconds:>9.1f}{most or '':>10}  {jobs.total()}", flush=True)
        return jobs

    with tempfile.TemporaryDirectory(prefix="d2tra_whole_runs_") as name:
        audit, whole = (copy_of_project(Path(name) / each) for each in ("audit", "whole"))
        tell("audit", audit, AUDIT_SECONDS, "audit")
        tell("everything", whole, ALL_SECONDS)
        tell("nothing to do", whole, NOTHING_SECONDS)
        tell("nothing to do, dry run", whole, NOTHING_SECONDS, "--dry-run")
        style = whole / "config" / "style.yaml"
        style.write_text(COLOUR.sub("#123456", style.read_text(encoding="utf-8"), count=1), encoding="utf-8")
        redrawn = tell("a colour changed", whole, None)
        print(f"  of {', '.join(sorted(redrawn))}")
        if others := sorted(set(redrawn) - WITH_FIGURES):
            missed.append(f"a colour changed: {', '.join(others)} ran")
        tell("validation, after that", whole, VALIDATION_SECONDS, "validation")
    print(f"\nnot reached: {'; '.join(missed)}" if missed else "\nall reached")
    return int(bool(missed))


def copy_of_project(folder: Path) -> Path:
    copy_project(folder)
    shutil.copytree(HERE.parent / "data" / "demo", folder / "data" / "demo")
    return folder


def snakemake(folder: Path, cores: int, *asked: str) -> Counter[str]:
    """Runs Snakemake in a copy; returns how often each rule ran, or would."""
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *asked]
    environment = {**os.environ, "PYTHONPATH": str(folder / "workflow" / "src")}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(ended.stderr[-3000:])
    ran = JOB.findall(ended.stdout + ended.stderr)
    return Counter(rule for rule in ran if rule not in TARGETS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How long does a whole run take?")
    parser.add_argument("--cores", type=int, default=2)
    sys.exit(main(parser.parse_args().cores))
