"""The same work in DuckDB SQL, pandas and R data.table: is every cell the same, who is faster, who needs what memory?

`uv run python benchmarks/peers.py [patients] [--peers duckdb,pandas,data.table]` draws the synthetic patients
of registry.py (default 1,000,000; 20 visits and 6 prescriptions each), roughened so that hard cases occur, and has each
tool trace courses, score visits (four scores) and label by eular_2021, each stage in a process of its own on 2 cores (the
scripts: peers/). Every cell of every result is then compared with the project's. Ends with 1 where one differs. A tool that
is not installed is skipped; one that takes more than 10 minutes or 24 GB for a stage is stopped, and that is its result.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import polars as pl

from d2tra.jobs import KEEP_MEMORY
from d2tra.spans import PATIENTS_AT_ONCE, write_spans
from d2tra.treatment.courses import COURSE_COLUMNS

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import registry  # noqa: E402  scripts beside this one, not a package
from rough_site import MEASURED, draw_rough_site  # noqa: E402

CORES, MOST_SECONDS, MOST_GB = 2, 600, 24
NEAR = 1e-9  # the largest difference of two scores that are the same
SCORES = ["das28_esr", "das28_crp", "cdai", "sdai"]
KEYS = {
    "courses": ["patient_id", "molecule", "start_date"],
    "scores": ["patient_id", "visit_date"],
    "labels": ["patient_id"],
}
CELLS = {
    "courses": COURSE_COLUMNS,
    "scores": [*KEYS["scores"], *SCORES, *(f"{score}_band" for score in SCORES)],
    "labels": ["patient_id", "index_date", "status", "first_met_date", "n_failed_mechanisms", "n_failed_drugs"],
}  # fmt: skip
RUN_SQL = "import duckdb, sys; duckdb.execute('SET enable_progress_bar = false; ' + open(sys.argv[1]).read())"
READ = {  # the columns that the csv files for R have; it reads no parquet here
    "patients": ["patient_id", "disease", "csdmard_contraindicated"],
    "visits": ["patient_id", "visit_date", *MEASURED],
    "treatments": [
        "patient_id", "molecule", "kind", "mechanism", "suppresses_crp", "start_date", "stop_date", "stop_reason",
        "daily_dose_mg", "prednisolone_factor", "source_row",
    ],
}  # fmt: skip
COMMANDS = {
    "duckdb": ([sys.executable, "-c", RUN_SQL], "sql"),
    "pandas": ([sys.executable], "py"),
    "data.table": (["Rscript"], "R"),
}


class Run(NamedTuple):
    """One process: how it ended ('' = well), seconds, processor seconds, peak memory, what it printed."""

    problem: str
    seconds: float
    processor: float
    megabytes: float
    printed: str


def write_site(n_patients: int, folder: Path) -> None:
    """Writes the tables to valid/, and the columns that R reads as csv beside them."""
    names = list(READ)
    write_spans(draw_rough_site(n_patients), [folder / "valid" / f"{name}.parquet" for name in names])
    (folder / "csv").mkdir(exist_ok=True)
    for name, columns in READ.items():
        pl.scan_parquet(folder / "valid" / f"{name}.parquet").select(columns).sink_csv(
            folder / "csv" / f"{name}.csv"
        )


def run_ours(stage: str, folder: Path, everything: bool = False) -> None:
    """Does one stage as its door does it: by what the peers do, or by all definitions and scores."""
    chosen = {} if everything else {"definitions": ["eular_2021"], "scores": SCORES}
    registry.run_stage(stage, folder, **chosen)


def measure(command: list[str], folder: Path) -> Run:
    """Runs one process in a folder, and stops it where it takes too long or too much memory."""
    most_kb = min(MOST_GB * 2**20, int(0.9 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024))
    started, problem = time.perf_counter(), ""
    limits = {
        "POLARS_MAX_THREADS": str(CORES),
        "OMP_NUM_THREADS": str(CORES),
        "R_DATATABLE_NUM_THREADS": str(CORES),
    }
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            command, cwd=folder, stdout=printed, env={**os.environ, **KEEP_MEMORY, **limits}
        )
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.perf_counter() - started > MOST_SECONDS:
                problem = f"stopped after {MOST_SECONDS} s"
            elif _resident_kb(process.pid) > most_kb:
                problem = f"stopped at {most_kb / 2**20:.0f} GB"
            if problem:
                process.kill()
            time.sleep(0.02)
        process.returncode = status
        printed.seek(0)
        return Run(
            problem or ("failed" if status else ""),
            time.perf_counter() - started,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss / 1024,
            printed.read().strip(),
        )


def _resident_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has just ended, or the system has no /proc
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def compare(ours: Path, theirs: Path, key: list[str], columns: list[str]) -> dict[str, int]:
    """Returns how many cells differ by column, `rows` being those that one of the two does not have; none: they agree.

    Floats agree to 1e-9, everything else exactly. A column that theirs (parquet or csv) does not have is null.
    """
    words = pl.selectors.categorical() | pl.selectors.enum()
    mine = pl.scan_parquet(ours).select(columns).with_columns(words.cast(pl.String))
    other = _as_ours(theirs, mine.collect_schema())
    firsts = (
        mine.select(pl.col("patient_id").unique().sort().gather_every(PATIENTS_AT_ONCE)).collect().to_series()
    )
    differing = dict.fromkeys(["rows", *columns], 0)
    for number, first in enumerate(firsts):
        inside = pl.col("patient_id") >= first if number else pl.lit(True)
        if number + 1 < len(firsts):
            inside &= pl.col("patient_id") < firsts[number + 1]
        left, right = (frame.filter(inside).collect().sort(key) for frame in (mine, other))
        if not left.select(key).equals(right.select(key)):
            both = left.select(key).join(right.select(key), on=key)
            differing["rows"] += left.height + right.height - 2 * both.height
            left, right = (both.join(frame, on=key, maintain_order="left") for frame in (left, right))
        for name in columns:
            differing[name] += _n_different(left[name], right[name])
    return {name: n for name, n in differing.items() if n}


def _n_different(ours: pl.Series, theirs: pl.Series) -> int:
    if ours.dtype == pl.Float64:
        same = ((ours - theirs).abs() <= NEAR).fill_null(False) | (ours.is_null() & theirs.is_null())
        return int((~same).sum())
    return int(ours.ne_missing(theirs).sum())


def _as_ours(path: Path, schema: pl.Schema) -> pl.LazyFrame:
    if path.suffix == ".csv":
        plain = {name: pl.Int8 if kind == pl.Boolean else kind for name, kind in schema.items()}
        frame = pl.scan_csv(path, schema_overrides=plain)
    else:
        frame = pl.scan_parquet(path)
    known = frame.collect_schema().names()
    return frame.select(
        (pl.col(name) if name in known else pl.lit(None).alias(name)).cast(kind)
        for name, kind in schema.items()
    )


def missing(peer: str) -> str | None:
    """Returns why a peer cannot run here; None: it can."""
    if peer == "data.table":
        if shutil.which("Rscript") is None:
            return "R is not installed"
        asked = subprocess.run(["Rscript", "-e", "library(data.table)"], capture_output=True, check=False)
        return "R has no data.table" if asked.returncode else None
    wanted = ["duckdb"] if peer == "duckdb" else ["pandas", "pyarrow"]
    absent = [name for name in wanted if importlib.util.find_spec(name) is None]
    return f"Python has no {' and no '.join(absent)}" if absent else None


def main(n_patients: int, peers: list[str], folder: Path) -> int:
    """Prints one line per tool and stage; returns 1 where a cell differs or the project itself fails."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    here = [sys.executable, str(HERE / "peers.py")]
    # in a process of its own: a child's peak memory never reads lower than its parent's
    subprocess.run([*here, "--draw", str(n_patients)], cwd=folder, check=True)
    print(f"{n_patients:,} synthetic patients, {CORES} cores; each stage a process of its own")
    print(
        "d2tra: what the peers do; d2tra, everything: all definitions of RA, all scores (no peer does that)\n"
    )
    print(f"{'tool':<22}{'stage':<9}{'seconds':>9}{'processor':>11}{'peak MB':>9}  result")
    ours = {"d2tra": "--ours", "d2tra, everything": "--everything"}
    ways = {name: {stage: [*here, way, stage] for stage in KEYS} for name, way in ours.items()}
    ways["d2tra"] = {"floor": [*here, "--ours", "floor"], **ways["d2tra"]}
    for peer in peers:
        why = missing(peer)
        if why is not None:
            print(f"{peer:<22}skipped: {why}")
            continue
        command, ending = COMMANDS[peer]
        ways[peer] = {stage: [*command, str(HERE / "peers" / f"{stage}.{ending}")] for stage in KEYS}
    return max([_run_tool(name, stages, folder, here) for name, stages in ways.items()])


def _run_tool(name: str, stages: dict[str, list[str]], folder: Path, here: list[str]) -> int:
    own = folder / name.replace(", ", "_")
    own.mkdir()
    (own / "valid").symlink_to(folder / ("csv" if name == "data.table" else "valid"))
    total, failed = Run("", 0, 0, 0, ""), False
    for stage, command in stages.items():
        run = measure(command, own)
        result = run.problem or (run.printed if name == "data.table" else "")
        if not run.problem and name in COMMANDS:
            checked = subprocess.run(
                [*here, "--compare", name, stage], cwd=folder, capture_output=True, text=True, check=False
            )
            failed |= checked.returncode != 0
            result = f"{checked.stdout.strip() or checked.stderr.strip()} {result}"
        failed |= run.problem == "failed" or (bool(run.problem) and name not in COMMANDS)
        print(
            f"{name:<22}{stage:<9}{run.seconds:>9.1f}{run.processor:>11.1f}{run.megabytes:>9.0f}  {result}",
            flush=True,
        )
        if run.problem:
            break
        if stage != "floor":
            total = Run(
                "",
                total.seconds + run.seconds,
                total.processor + run.processor,
                max(total.megabytes, run.megabytes),
                "",
            )
    else:
        print(
            f"{name:<22}{'all':<9}{total.seconds:>9.1f}{total.processor:>11.1f}{total.megabytes:>9.0f}",
            flush=True,
        )
    return int(failed)


def say_differences(folder: Path, peer: str, stage: str) -> int:
    """Prints whether every cell of a peer's result is the project's; returns 1 where one is not."""
    ours, theirs = folder / "d2tra" / f"{stage}.parquet", folder / peer / f"{stage}.parquet"
    theirs = theirs if theirs.exists() else theirs.with_suffix(".csv")
    differing = compare(ours, theirs, KEYS[stage], CELLS[stage])
    n_rows = pl.scan_parquet(ours).select(pl.len()).collect().item()
    cells = ", ".join(f"{name}: {n:,}" for name, n in differing.items())
    print(f"DIFFER in {cells}" if differing else f"all cells of {n_rows:,} rows agree")
    return int(bool(differing))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The same work in DuckDB SQL, pandas and R data.table.")
    parser.add_argument("patients", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--peers", default=",".join(COMMANDS), help="comma-separated: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    way, rest = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    if way == "--draw":
        write_site(int(rest[0]), Path.cwd())
    elif way in ("--ours", "--everything"):
        run_ours(rest[0], Path.cwd(), everything=way == "--everything")
    elif way == "--compare":
        sys.exit(say_differences(Path.cwd(), *rest))
    else:
        asked = parse_arguments()
        chosen = asked.peers.split(",")
        if unknown := sorted(set(chosen) - set(COMMANDS)):
            sys.exit(f"no peer {', '.join(unknown)}; known: {', '.join(COMMANDS)}")
        with tempfile.TemporaryDirectory() as temporary:
            sys.exit(main(asked.patients, chosen, Path(temporary)))
