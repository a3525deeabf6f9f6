"""What does each rule of the workflow need? Seconds and peak memory of every job, as a cluster has to grant them.

`uv run python benchmarks/rule_resources.py` runs the shipped study in a copy of the project and prints, for each rule, the
jobs, the longest time and the greatest memory of one. `--patients N` runs the patient-level rules and the cohorts' of one
synthetic site of N patients (20 visits and 6 prescriptions each) instead: what grows with a registry, and how fast.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from registry import CUT, draw_site

from d2tra.extract.schemas import COLUMNS
from small_study import copy_project

TELLS = """\
import atexit, json, os, pathlib, sys, time
_begun = time.monotonic()
def _tell():
    name = pathlib.Path(sys.argv[0]).name if sys.argv else ""
    if name.startswith("tmp") and name.endswith(".py"):
        # not ru_maxrss: that of Snakemake, which started the job, would count too
        peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
        told = {"rule": name.split(".", 1)[1][:-3], "seconds": time.monotonic() - _begun,
                "processor": time.process_time(), "megabytes": int(peak.split()[1]) / 1024}
        (pathlib.Path(os.environ["D2TRA_TOLD"]) / f"{os.getpid()}.json").write_text(json.dumps(told))
atexit.register(_tell)
"""
STUDY = f"""\
title: A synthetic registry
sites: [registry.yaml]
data_cut_date: {CUT}
cohorts: [{{name: full, disease: RA}}]
definitions: [eular_2021]
evidence: met_only
seed: 7
"""
DRAWN = ("patients", "visits", "treatments")


def main() -> None:
    """Runs the workflow and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, help="of a synthetic registry (default: the shipped study)")
    parser.add_argument("--cores", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="d2tra_resources_") as name:
        folder = copy_project(Path(name) / "project")
        (folder / "data").symlink_to(Path(__file__).parents[1] / "data")
        targets = [] if asked.patients is None else write_registry(folder, asked.patients)
        told = run(folder, Path(name), targets, asked.cores)
    with pl.Config(tbl_rows=-1, float_precision=1, tbl_hide_dataframe_shape=True):
        print(per_rule(told))


def write_registry(folder: Path, n_patients: int) -> list[str]:
    """Writes a study of one synthetic site; returns the targets: all of its labels, quality pages and analysis sets."""
    (folder / "extract").mkdir()
    writers: dict[str, pq.ParquetWriter] = {}
    for tables in draw_site(n_patients):
        for table in DRAWN:
            own = [name for name in COLUMNS[table] if name in tables[table].columns]
            rows = tables[table].select(own).to_arrow()
            if table not in writers:
                writers[table] = pq.ParquetWriter(folder / "extract" / f"{table}.parquet", rows.schema)
            writers[table].write_table(rows)
    for writer in writers.values():
        writer.close()
    mapping = f"format: canonical\nsource: extract\nsynthetic: true\ndata_cut_date: {CUT}\n"
    (folder / "registry.yaml").write_text(mapping, encoding="utf-8")
    (folder / "registry_study.yaml").write_text(STUDY, encoding="utf-8")
    private = "results/registry_study/private"
    site = [
        f"{private}/sites/registry/{name}" for name in ("labels.parquet", "quality.html", "anonymity.csv")
    ]
    return [*site, f"{private}/cohorts/full/analysis_set.parquet"]


def run(folder: Path, told: Path, targets: list[str], cores: int) -> pl.DataFrame:
    """Runs Snakemake; returns rule, seconds, processor, megabytes of every job that ran a script."""
    (told / "hook").mkdir()
    (told / "told").mkdir()
    (told / "hook" / "sitecustomize.py").write_text(TELLS, encoding="utf-8")
    path = os.pathsep.join([str(told / "hook"), str(folder / "workflow" / "src")])
    environment = {**os.environ, "PYTHONPATH": path, "D2TRA_TOLD": str(told / "told")}
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *targets, "--quiet"]
    command += ["--config", "study=registry_study.yaml"] if targets else []
    subprocess.run(command, cwd=folder, env=environment, check=True)
    return pl.DataFrame([json.loads(path.read_text()) for path in (told / "told").glob("*.json")])


def per_rule(told: pl.DataFrame) -> pl.DataFrame:
    """Returns for each rule: jobs, the longest seconds, processor seconds, and megabytes of one job; the greediest first."""
    most = [pl.col(name).max() for name in ("seconds", "processor", "megabytes")]
    return told.group_by("rule").agg(pl.len().alias("jobs"), *most).sort("megabytes", "rule", descending=True)


if __name__ == "__main__":
    main()
