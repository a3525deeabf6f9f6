"""Does the identifier screen find what is planted, let clean extracts pass, and keep up with a million rows?

`uv run python benchmarks/screen.py [--planted N] [--clean N] [--rows N] [--runs N]` plants identifiers of every kind in every form
(default 2,100), screens clean extracts full of look-alikes (500), screens a csv of a million rows in a process of its own, and sends
planted extracts through the rule of the workflow (20), searching results, logs and screen for the planted values. Ends with 1
where anything is missed, stopped without reason or said. Synthetic.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
import polars as pl

from extracts import CLEAN, write_extract
from planted_identifiers import FORMS, KINDS, can_stop, clean_problem, missed, plant, values_said
from small_study import ROOT, run_workflow, write_small_study


def planted(n: int, folder: Path) -> int:
    """Returns how many of `n` planted identifiers are missed or said, and prints both by kind and form."""
    found: Counter[tuple[str, str]] = Counter()
    bad = 0
    pairs = [(kind, form) for kind in KINDS for form in FORMS if can_stop(kind, form)]
    for number in range(n):
        kind, form = pairs[number % len(pairs)]
        problem = missed(random.Random(number), kind, form, folder / "planted")
        found[kind, form] += problem is None
        if problem:
            bad += 1
            print(f"planted {number}: {kind} as {form}: {problem}")
    for kind in KINDS:
        print(f"{kind:16}" + "  ".join(f"{form} {found[kind, form]}" for form in FORMS if found[kind, form]))
    print(f"{n:,} planted, {bad} missed or said")
    return bad


def clean(n: int, folder: Path) -> int:
    """Returns how many of `n` clean extracts are stopped."""
    bad = 0
    for seed in range(n):
        if problem := clean_problem(seed, folder / "clean"):
            bad += 1
            print(f"clean {seed}: {problem}")
    print(f"{n:,} clean extracts, {bad} stopped")
    return bad


def million(n_rows: int, folder: Path) -> int:
    """Returns 1 where a csv of 12 columns takes 20 seconds or 1 GB (of a million rows), screened in this process."""
    at = np.random.default_rng(1)
    extract = write_extract(folder / "big", **CLEAN)
    joints = {name: at.integers(0, 29, n_rows) for name in ("tjc28", "sjc28")}
    marks = {f"{name}_mm": at.random(n_rows) * 100 for name in ("patient_global", "physician_global", "pain")}
    tests = {"haq_di": at.integers(0, 25, n_rows) / 8, "esr_mm_h": at.integers(1, 99, n_rows)}
    ignored = {
        "lab_number": at.integers(10**9, 10**10, n_rows),
        "remark": [f"see letter {number % 5000}" for number in range(n_rows)],
        "order": at.permutation(n_rows),
    }
    people = {"patient_id": [f"P{number:06d}" for number in at.integers(0, 100_000, n_rows)]}
    days = pl.Series(at.integers(15_000, 19_000, n_rows)).cast(pl.Int32).cast(pl.Date)
    frame = pl.DataFrame({**people, "visit_date": days, **joints, **marks, **tests, **ignored})
    frame.write_csv(extract / "visits.csv")
    size, width = (extract / "visits.csv").stat().st_size / 1e6, frame.width
    del frame, people, days, joints, marks, tests, ignored
    code = (
        "import sys, time, resource; from pathlib import Path; sys.path.insert(0, sys.argv[2]); from extracts import site_of;"
        "from d2tra.extract.screen import screen_extract; start = time.time(), time.process_time();"
        "hits = screen_extract(site_of(Path(sys.argv[1]), ignore={'visits': ['lab_number', 'remark', 'order']})).hits;"
        "print(time.time() - start[0], time.process_time() - start[1],"
        "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(hits))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, extract, ROOT / "tests"], capture_output=True, text=True, check=True
    ).stdout.split()
    seconds, processor, megabytes, hits = map(float, said)
    print(
        f"{n_rows:,} rows × {width} columns ({size:.0f} MB): {seconds:.1f} s ({processor:.1f} s of processor), "
        f"{megabytes:.0f} MB at most, {hits:.0f} stops"
    )
    return int(seconds > 20 or megabytes > 1000 or hits > 0)


def runs(n: int, folder: Path) -> int:
    """Returns how many planted extracts pass the workflow's rule, or leave a planted value anywhere."""
    bad = 0
    pairs = [(kind, form) for kind in KINDS for form in FORMS if can_stop(kind, form)]
    for number in range(n):
        kind, form = pairs[number * 7 % len(pairs)]
        study = write_small_study(folder / f"run{number}")
        values = plant(random.Random(number), kind, form, study / "extract") or []
        mapping = study / "small_site.yaml"
        mapping.write_text(
            mapping.read_text(encoding="utf-8") + "hospital_number: 'K[0-9]{6}'\n", encoding="utf-8"
        )
        done = run_workflow(study, "results/small/private/sites/small_site/screen.json", cores=1)
        written = [
            path
            for place in ("results", ".snakemake")
            for path in (study / place).rglob("*")
            if path.is_file()
        ]
        texts = [done.screen.encode(), *(path.read_bytes() for path in written)]
        said = values_said(values, texts)
        is_right = done.returncode != 0 and not said and "Traceback" not in done.screen
        bad += not is_right
        print(
            f"run {number}: {kind} as {form}: exit {done.returncode}, {len(written)} files searched, {said} values said"
        )
    print(f"{n} runs, {bad} wrong")
    return bad


def main() -> int:
    """Returns 1 where anything is wrong."""
    asked = argparse.ArgumentParser(description="the identifier screen")
    asked.add_argument("--planted", type=int, default=2_100)
    asked.add_argument("--clean", type=int, default=500)
    asked.add_argument("--rows", type=int, default=1_000_000)
    asked.add_argument("--runs", type=int, default=20)
    options = asked.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bad = planted(options.planted, folder) + clean(options.clean, folder)
        bad += million(options.rows, folder) if options.rows else 0
        bad += runs(options.runs, folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{bad} defects, {time.monotonic() - start:.0f} s, {peak:.0f} MB")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
