"""Does a cluster give what the own machine gives? One study split in four sites, through SLURM and without it.

`uv run --with snakemake-executor-plugin-slurm python benchmarks/slurm.py` starts a real SLURM on this machine alone (root, and
Debian's slurmctld slurmd slurm-client munge), splits the small synthetic study of the tests in four sites with `d2tra split`, builds
everything with `--cores 2` and, in another folder, with `--profile workflow/profiles/slurm`, and compares every file of both, byte by
byte. Ends with 1 where one differs. Without SLURM or the plugin it says what is missing and ends with 2. `--sites-only`: as far as the
labels, all rules of a site in one job of SLURM.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import slurm_cluster
from small_study import STUDY, copy_project, write_small_study

N_PARTS = 4
NAMES = [f"small_site_{number}" for number in range(1, N_PARTS + 1)]
# A cluster without accounting is asked by squeue; and on one machine nobody needs to wait long.
SLURM = ["--slurm-status-command", "squeue", "--slurm-no-account"]
SLURM += ["--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"]
SLURM += ["--latency-wait", "5"]
SITE_RULES = "screen_extract harmonise_extract validate_extract judge_units trace_treatment score_activity label_patients"
GROUPS = ["--cores", "1", "--groups", *(f"{rule}=site" for rule in SITE_RULES.split())]
EXEMPT = {".log": "tells when and how long", ".snakemake_timestamp": "Snakemake's own, an empty file"}


def main() -> int:
    """Runs both, prints times and what differs; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites-only", action="store_true", help="only what is made per site, to the labels")
    asked = parser.parse_args()
    if missing := what_is_lacking():
        print(missing)
        return 2
    targets = (
        [f"results/small/private/sites/{name}/labels.parquet" for name in NAMES] if asked.sites_only else []
    )
    with tempfile.TemporaryDirectory(prefix="d2tra_slurm_") as name:
        base = Path(name)
        base.chmod(0o755)
        project = copy_project(base / "project")
        here, there = (write_split_study(base / where, project) for where in ("here", "cluster"))
        timed("one machine, 2 cores", project, here, ["--cores", "2", *targets], dict(os.environ))
        with slurm_cluster.slurm_cluster(base / "slurm") as environment:
            profile = ["--profile", str(project / "workflow" / "profiles" / "slurm"), *targets]
            timed(
                "SLURM",
                project,
                there,
                [*profile, *SLURM, *(GROUPS if asked.sites_only else [])],
                environment,
            )
            n_jobs = slurm_cluster.n_completed(environment)
        return compare(here / "results", there / "results", n_jobs)


def what_is_lacking() -> str | None:
    """Returns what must be installed first; None where both can run."""
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        return "no snakemake-executor-plugin-slurm: uv run --with snakemake-executor-plugin-slurm python benchmarks/slurm.py"
    return slurm_cluster.lacking()


def write_split_study(folder: Path, project: Path) -> Path:
    """Writes the small study, its site split in four; returns the folder."""
    write_small_study(folder)
    with (folder / "small_site.yaml").open("a", encoding="utf-8") as mapping:
        mapping.write("data_cut_date: 2023-12-31\n")
    (folder / "small.yaml").write_text(STUDY.replace("small_site.yaml", ", ".join(NAMES)), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "d2tra.cli",
        "split",
        "small_site.yaml",
        "--into",
        str(N_PARTS),
        "--out",
        "parts",
    ]
    subprocess.run(
        command,
        cwd=folder,
        env=with_package(project, dict(os.environ)),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder


def with_package(project: Path, environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PYTHONPATH": str(project / "workflow" / "src")}


def timed(title: str, project: Path, folder: Path, arguments: list[str], environment: dict[str, str]) -> None:
    """Runs Snakemake in the folder and prints how long it took; its screen only where it fails."""
    command = [sys.executable, "-m", "snakemake", *arguments, "--snakefile", str(project / "Snakefile")]
    command += ["--directory", str(folder), "--config", "study=small.yaml"]
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=with_package(project, environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    print(f"{title:<24}{time.perf_counter() - start:>8.1f} s", flush=True)
    if done.returncode:
        logs = sorted(folder.glob(".snakemake/slurm_logs/**/*.log"))
        raise SystemExit(
            "\n".join(path.read_text(errors="replace")[-2000:] for path in logs[-3:]) or done.stdout[-3000:]
        )


def compare(here: Path, there: Path, n_jobs: int) -> int:
    """Prints what differs between the two folders; returns 0 where nothing does and each part had its job, 1 else."""
    local, remote = hashes_of(here), hashes_of(there)
    wrong = sorted(name for name in local.keys() | remote.keys() if local.get(name) != remote.get(name))
    print(f"{n_jobs} SLURM jobs; {len(local)} files compared, {len(wrong)} differ")
    print("left out: " + "; ".join(f"{end} ({why})" for end, why in EXEMPT.items()))
    print("\n".join(wrong[:40]))
    return int(bool(wrong) or not local or n_jobs < N_PARTS)


def hashes_of(folder: Path) -> dict[str, str]:
    """Returns path → sha256 of every file below the folder that is compared."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in EXEMPT and path.name not in EXEMPT
    }


if __name__ == "__main__":
    sys.exit(main())
