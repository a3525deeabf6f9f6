"""The models here and in R, side by side on the same patients: is the answer the same, and who is faster?

`uv run python benchmarks/beside_r.py [task …]` runs each task in a process of its own here and in R (benchmarks/r/),
and prints a table each of agreement, time and memory. Without R the project stands alone. Ends with 1 where a cell
differs. The reference data are synthetic or public (tests/data/reference/README.json).
"""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
REFERENCE = HERE.parent / "tests" / "data" / "reference"
SEED = 20240424
REPEATS = 5
QUOTED = {"firth": "R logistf 1.26.1 with profile limits, quoted from the specification: 42 ms"}
Cells = dict[
    str, tuple[float, float | None]
]  # name → value and its Monte-Carlo standard error, if it has one


def run_firth() -> Cells:
    """Firth's estimates, profile limits and penalised likelihood ratio tests, 722 patients × 10 factors."""
    import polars as pl

    from d2tra.models.firth import fit_firth

    data = pl.read_csv(REFERENCE / "cohort722.csv")
    factors = data.drop("d2t")
    matrix = factors.insert_column(0, pl.lit(1.0).alias("(Intercept)")).cast(pl.Float64).to_numpy()
    for _ in range(10):  # as in R, whose clock has milliseconds
        found = fit_firth(matrix, data["d2t"].to_numpy() == 1)
    return {
        name: (float(b), None) for name, b in zip(["(Intercept)", *data.columns[1:]], found[0], strict=True)
    }


def run_imputation() -> Cells:
    """20 imputations of 5 iterations, a logistic model of each, pooled by Rubin's rules."""
    import polars as pl

    from d2tra.models import fit_logistic, pool_estimates
    from d2tra.models.imputation import impute

    data = pl.read_csv(REFERENCE / "e_cohort722_missing.csv", null_values="NA")
    terms = ["age", "seropositive", "obesity", "fibromyalgia", "smoker", "das28_baseline"]
    frames = impute(data, data.columns, m=20, iterations=5, seed=SEED).frames
    fits = [
        fit_logistic(frame, "d2t", terms, "logit").with_columns(imputation=pl.lit(number))
        for number, frame in enumerate(frames)
    ]
    pooled = pool_estimates(pl.concat(fits), data.height).with_columns(
        between=pl.col("std_error") * (pl.col("riv") / (1 + pl.col("riv")) / (1 + 1 / 20) / 20).sqrt()
    )
    return {
        term: (value, error) for term, value, error in pooled.select("term", "estimate", "between").rows()
    }


def run_bootstrap() -> Cells:
    """The model in 1,000 resamples: what of its apparent performance is optimism."""
    import polars as pl

    from d2tra.models.bootstrap import bootstrap_optimism, complete_cases
    from d2tra.models.design import design_matrix

    data = pl.read_csv(REFERENCE / "cohort722.csv")
    source = complete_cases(
        design_matrix(data, data.columns[1:], None, None), data["d2t"].cast(pl.Boolean).to_numpy()
    )
    found = bootstrap_optimism(source, "logit", 1000, SEED)
    cells: Cells = {
        "apparent c-statistic": (found.apparent["c_statistic"] or math.nan, None),
        "apparent Brier": (found.apparent["brier"] or math.nan, None),
    }
    for name in ("c_statistic", "calibration_slope", "brier"):
        cells[name] = (found.corrected[name] or math.nan, found.monte_carlo_error[name])
    return cells


def run_meta_analysis() -> Cells:
    """Random effects of 5 centres by REML, Hartung–Knapp limits."""
    import polars as pl

    from d2tra.pooling import meta_analyse

    studies = pl.read_csv(REFERENCE / "j_meta5.csv")
    for _ in range(10):
        found = meta_analyse(studies["yi"].to_list(), studies["sei"].to_list(), "reml", "hksj")
    names = {"estimate": "estimate", "low": "ci_low", "high": "ci_high", "tau2": "tau2", "I2": "i2"}
    return {name: (getattr(found, ours), None) for name, ours in names.items()}


def run_survival() -> Cells:
    """Cumulative incidence of 24 people with a competing event."""
    import polars as pl

    from d2tra.survival import cumulative_incidence

    people = pl.read_csv(REFERENCE / "k_survival24.csv")
    for _ in range(10):
        curve = cumulative_incidence(people["time"], people["status"])
    curve = curve.filter(pl.col("event") == 1)
    told = {
        day: (share, error) for day, share, error in curve.select("time", "incidence", "std_error").rows()
    }
    return {
        f"{name} {day}": (told[day][place], None)
        for place, name in enumerate(("incidence", "error"))
        for day in (6, 12, 18, 24)
    }


TASKS: dict[str, Callable[[], Cells]] = {
    "firth": run_firth,
    "imputation": run_imputation,
    "bootstrap": run_bootstrap,
    "meta_analysis": run_meta_analysis,
    "survival": run_survival,
}
AT_A_TIME = {"firth": 10, "meta_analysis": 10, "survival": 10}  # runs per measurement, here and in R


class Run(NamedTuple):
    """One process: what it found, seconds of each repeat once warm and of the whole process, its peak memory. Seconds
    are the processor's (all run on one thread), so that other work on the machine does not count."""

    tool: str
    cells: Cells
    warm: list[float]
    whole: float
    megabytes: float


def run_here(task: str) -> None:
    """Prints the repeats of a task as JSON, as the R scripts do; what is imported first counts in the first only."""
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        cells = TASKS[task]()
        seconds.append(time.process_time() - started)
    print(json.dumps({"tool": "d2tra", "seconds": seconds, "cells": cells}))


def measure(command: list[str], task: str) -> Run | None:
    """Returns what the command printed, with the time and peak memory of its process; None where it failed."""
    one_thread = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL", "POLARS_MAX")}
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(command, stdout=printed, cwd=HERE / "r", env={**os.environ, **one_thread})
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            return None
        printed.seek(0)
        told = json.loads(printed.read())
    cells = {
        name: (value, error if error != "NA" else None) for name, (value, error) in told["cells"].items()
    }
    warm = [seconds / AT_A_TIME.get(task, 1) for seconds in told["seconds"][1:]]
    whole = usage.ru_utime + usage.ru_stime
    return Run(told["tool"], cells, warm, whole, usage.ru_maxrss / 1024)


def compare(here: Cells, there: Cells) -> tuple[str, bool]:
    """Returns how far the cells are apart, in words, and whether that is near enough.

    Relative difference 1e-6; with a Monte-Carlo error, three of the difference's (R tells none for its bootstrap:
    ours stands for both).
    """
    if here.keys() != there.keys():
        return f"other cells: {sorted(here.keys() ^ there.keys())}", False
    exact, drawn = [0.0], [0.0]
    for name, (value, error) in here.items():
        other, other_error = there[name]
        if error is None:
            exact.append(abs(value - other) / abs(other))
        else:
            drawn.append(
                abs(value - other) / math.hypot(error, error if other_error is None else other_error)
            )
    words = [f"{len(here)} cells"]
    words += [f"largest relative difference {max(exact):.0e}"] if len(exact) > 1 else []
    words += [f"largest difference {max(drawn):.1f} Monte-Carlo errors"] if len(drawn) > 1 else []
    agree = all(gap <= 1e-6 for gap in exact) and all(
        gap <= 3 for gap in drawn
    )  # false where one is no number
    return ", ".join(words), agree


def time_of(run: Run) -> str:
    low, middle = (f"{1000 * value:,.1f}" for value in (min(run.warm), statistics.median(run.warm)))
    return f"{low:>10} {middle:>10} {run.whole:9.1f} {run.megabytes:8.0f}"


def main(tasks: list[str]) -> int:
    unknown = sorted(set(tasks) - set(TASKS))
    if unknown:
        sys.exit(f"no task {', '.join(unknown)}; known: {', '.join(TASKS)}")
    rscript, differ = shutil.which("Rscript"), []
    if rscript is None:
        print("R is not installed here: the project alone, nothing compared.\n")
    print(f"{'task':14} {'tool':18} {'min, ms':>10} {'median, ms':>10} {'whole, s':>9} {'MB':>8}")
    for task in tasks:
        here = measure([sys.executable, str(HERE / "beside_r.py"), "--here", task], task)
        if here is None:
            return 1
        print(f"{task:14} {here.tool:18} {time_of(here)}", flush=True)
        if task in QUOTED:
            print(f"{'':14} {QUOTED[task]}")
        if rscript is not None:
            there = measure([rscript, f"{task}.R", str(REFERENCE), str(REPEATS)], task)
            if there is None:
                print(f"{'':14} R has no answer (a package that is not installed?): nothing compared")
                continue
            words, agree = compare(here.cells, there.cells)
            differ += [] if agree else [task]
            print(f"{'':14} {there.tool:18} {time_of(there)}")
            print(f"{'':14} {'agree' if agree else 'DIFFER'}: {words}")
    print(
        f"\nprocessor time on one thread; min and median: of {REPEATS - 1} runs once warm; whole: the process with its"
    )
    print(f"start and {REPEATS} runs (of 10 each where one takes milliseconds); MB: its peak memory.")
    return 1 if differ else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        run_here(sys.argv[2])
    else:
        sys.exit(main(sys.argv[1:] or list(TASKS)))
