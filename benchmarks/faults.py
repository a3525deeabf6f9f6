"""Killed, full, read-only, changed under its hands: does a run end in the right result or in a clear sentence?

`uv run python benchmarks/faults.py [--kills N] [--seed N]` builds the small synthetic study of the tests as far as the target `check`
and the labels (every writer of the package but those of figures and documents) once undisturbed, and watches that nothing is written
under its final name: a kill would meet so short a write once in hundreds. Then it kills the whole process group with SIGKILL N times
(default 200), each at a moment drawn uniformly over the time that the undisturbed jobs took, from Snakemake's lock on; lays down beside
what is left what a kill in the midst of a write leaves, files under temporary names; and resumes with the one documented line,
`snakemake --unlock; snakemake --rerun-incomplete …`, which is killed in turn until one comes through; then every file is compared byte by
byte and all begins anew. After every kill no file under a final name may be truncated. Then the other faults, one by one. Left out of
the comparison: logs, which tell when, and Snakemake's own time stamps. Ends with 1 where anything is not as expected.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from slurm import hashes_of

from small_study import OTHER_WORLD, copy_project, read_table, snakemake_call, write_small_study, write_table
from watched_writes import can_watch, watched

SITE = "results/small/private/sites/small_site"
TARGETS = ["check", f"{SITE}/labels.parquet"]
RESUME = "--rerun-incomplete"
ASIDE = ".{name}." + 32 * "0"  # the temporary name that d2tra.io gives
SHOWN = "{:<52}{:>8}  {}"


class Ended(NamedTuple):
    """How a call of Snakemake ended (None: it was killed), what stood on screen, seconds since Snakemake's lock."""

    code: int | None
    screen: str
    seconds: float

    def refused(self, words: str) -> bool:
        """Whether it ended with an error that holds these words, and without a traceback."""
        return bool(self.code) and words in self.screen and "Traceback" not in self.screen


class Case(NamedTuple):
    """What every fault starts from: the project's copy, an undisturbed build, its hashes, and a folder for its own."""

    project: Path
    built: Path
    expected: dict[str, str]
    folder: Path

    def same(self) -> bool:
        return hashes_of(self.folder / "results") == self.expected


Fault = Callable[[Case], tuple[bool | None, str]]  # as expected (None: skipped), and what was seen


def main() -> int:
    """Runs kills and faults, prints a table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20240424)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="d2tra_faults_") as name:
        base = Path(name)
        project, built = copy_project(base / "project"), write_small_study(base / "undisturbed")
        ended, in_place = undisturbed(project, built)
        expected = hashes_of(built / "results")
        print(f"undisturbed: {ended.seconds:.1f} s from the lock on, {len(expected)} files,", end=" ")
        print(
            "not watched: no inotify here" if in_place is None else f"written in place: {in_place}",
            flush=True,
        )
        wrong = len(in_place or [])
        wrong += kills(
            Case(project, built, expected, base / "killed"), asked.kills, asked.seed, ended.seconds
        )
        for fault in FAULTS:
            case = Case(project, built, expected, base / fault.__name__)
            as_expected, seen = fault(case)
            verdict = {True: "right", False: "WRONG", None: "skipped"}[as_expected]
            print(SHOWN.format((fault.__doc__ or "").rstrip("."), verdict, seen), flush=True)
            wrong += as_expected is False
    return int(wrong > 0)


def undisturbed(project: Path, folder: Path) -> tuple[Ended, list[str] | None]:
    """Builds once; returns how it ended and what was written in place, None where that cannot be watched."""
    if not can_watch():
        ended, in_place = snakemake(project, folder), None
    else:
        with watched(folder / "results") as in_place:
            ended = snakemake(project, folder)
    if ended.code:
        raise SystemExit(ended.screen[-3000:])
    return ended, in_place


def kills(case: Case, n_kills: int, seed: int, seconds: float) -> int:
    """Kills and resumes until so many were killed and the last has come through; returns how many faults were found."""
    draw = random.Random(seed)
    n_killed = n_through = n_truncated = n_different = n_not_resumed = 0
    while n_killed < n_kills:
        write_small_study(case.folder)
        ended, more = snakemake(case.project, case.folder, kill_after=draw.uniform(0, seconds)), []
        while ended.code is None:
            n_killed += 1
            broken = truncated(case.folder / "results")
            n_truncated += len(broken)
            more += broken
            if not case.same():
                leave_half_written(case.folder / SITE)
            if snakemake(case.project, case.folder, "--unlock", targets=[]).code:
                n_not_resumed += 1
                break
            after = draw.uniform(0, seconds) if n_killed < n_kills else None
            ended = snakemake(case.project, case.folder, RESUME, kill_after=after)
        n_through += 1
        n_not_resumed += bool(ended.code)
        if not case.same():
            n_different += 1
            now = hashes_of(case.folder / "results")
            more += sorted(name for name, _ in now.items() ^ case.expected.items())
        if more or ended.code:
            print("\n".join(more) or ended.screen[-2000:])
        shutil.rmtree(case.folder)
    print(
        f"{n_killed} kills in {n_through} builds (seed {seed}): {n_truncated} files truncated under a final name,"
    )
    print(f"{n_not_resumed} not resumed, {n_different} different from the undisturbed build", flush=True)
    return n_truncated + n_different + n_not_resumed


def disk_full(case: Case) -> tuple[bool | None, str]:
    """the disk is full, then is not."""
    write_small_study(case.folder)
    with own_disk(case.folder / "results", "200k") as disk:
        if disk is None:
            return None, "no tmpfs can be mounted here (it takes root)"
        ended = snakemake(case.project, case.folder)
        broken = truncated(case.folder / "results")
        remount(disk, "size=100m")
        snakemake(case.project, case.folder, "--unlock", targets=[])
        resumed = snakemake(case.project, case.folder, RESUME)
        right = ended.refused("disk full") and not broken and not resumed.code and case.same()
        return right, last_words(ended, "disk full") + (
            "; resumed: same bytes" if case.same() else "; NOT the same"
        )


def read_only(case: Case) -> tuple[bool | None, str]:
    """the results folder is read-only, then is not."""
    write_small_study(case.folder)
    with own_disk(case.folder / "results", "100m") as disk:
        if disk is None:
            return None, "no tmpfs can be mounted here (it takes root)"
        snakemake(case.project, case.folder, targets=[f"{SITE}/screen.json"])
        remount(disk, "ro")
        ended = snakemake(case.project, case.folder)
        remount(disk, "rw")
        resumed = snakemake(case.project, case.folder, RESUME)
        right = ended.refused("read-only") and not resumed.code and case.same()
        return right, last_words(ended, "read-only") + (
            "; resumed: same bytes" if case.same() else "; NOT the same"
        )


def source_changes(case: Case) -> tuple[bool | None, str]:
    """a source file changes after the screen, its time kept."""
    write_small_study(case.folder)
    snakemake(case.project, case.folder, targets=[f"{SITE}/screen.json"])
    visits = case.folder / "extract" / "visits.csv"
    before = visits.stat()
    write_table(visits, [{**row, "a_name": "Smith"} for row in read_table(visits)])
    os.utime(visits, ns=(before.st_atime_ns, before.st_mtime_ns))
    ended = snakemake(case.project, case.folder)
    kept = (case.folder / SITE / "harmonised").exists()
    was_said = "a_name" in ended.screen
    os.utime(visits)  # Snakemake goes by a file's time
    anew = snakemake(case.project, case.folder, targets=[f"{SITE}/screen.json"])
    is_screened_anew = anew.refused("what may identify patients")  # a name in every row of a_name
    words = "since they were screened"
    right = ended.refused(words) and not (kept or was_said) and is_screened_anew
    return right, last_words(ended, words)


def column_gone(case: Case) -> tuple[bool | None, str]:
    """a required column is gone from a new delivery."""
    shutil.copytree(case.built, case.folder)
    visits = case.folder / "extract" / "visits.csv"
    rows = read_table(visits)
    write_table(visits, [{name: row[name] for name in row if name != "visit_date"} for row in rows])
    ended, words = (
        snakemake(case.project, case.folder),
        "required column of table visits is missing: 'visit_date'",
    )
    return ended.refused(words), last_words(ended, words)


def two_at_once(case: Case) -> tuple[bool | None, str]:
    """a second run starts while the first is at work."""
    write_small_study(case.folder)
    first = start(case.project, case.folder)
    wait_for_lock(first, case.folder)
    second = snakemake(case.project, case.folder)
    first.communicate()
    # Snakemake sees the files of a job that is at work before it sees the lock.
    words = "seem to be incomplete" if "seem to be incomplete" in second.screen else "cannot be locked"
    right = second.refused(words) and first.returncode == 0 and case.same()
    return right, last_words(second, words)


def other_world(case: Case) -> tuple[bool | None, str]:
    """another time zone, locale and hash seed, one core."""
    write_small_study(case.folder)
    ended = snakemake(case.project, case.folder, cores=1, **OTHER_WORLD)
    return not ended.code and case.same(), "same bytes" if case.same() else "NOT the same"


def keep_incomplete(case: Case) -> tuple[bool | None, str]:
    """--keep-incomplete is asked for."""
    write_small_study(case.folder)
    ended = snakemake(case.project, case.folder, "--keep-incomplete")
    return ended.refused("is refused") and not case.same(), last_words(ended, "is refused")


FAULTS: list[Fault] = [
    disk_full, read_only, source_changes, column_gone, two_at_once, other_world, keep_incomplete,
]  # fmt: skip


def start(
    project: Path, folder: Path, *more: str, targets: list[str] = TARGETS, cores: int = 2, **environment: str
) -> subprocess.Popen[str]:
    """Starts Snakemake in a process group of its own."""
    command, package = snakemake_call(project, folder, *targets, *more, cores=cores)
    return subprocess.Popen(
        command,
        env={**package, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )


def snakemake(
    project: Path, folder: Path, *more: str, kill_after: float | None = None, **how: object
) -> Ended:
    """Runs Snakemake to its end, or kills its whole group so many seconds after its lock and waits until nothing of it is left."""
    process = start(project, folder, *more, **how)  # type: ignore[arg-type]
    wait_for_lock(process, folder)
    locked = time.perf_counter()
    try:
        screen, code = process.communicate(timeout=kill_after)[0], process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        screen, code = process.communicate()[0], None  # read to the end: the last writer is gone
    return Ended(code, screen, time.perf_counter() - locked)


def wait_for_lock(process: subprocess.Popen[str], folder: Path) -> None:
    """Waits until Snakemake, which locks the folder once it knows what is to be done, has done so or has ended."""
    locks = folder / ".snakemake" / "locks"
    while process.poll() is None and not (locks.is_dir() and any(locks.iterdir())):
        time.sleep(0.02)


def leave_half_written(site: Path) -> None:
    """Lays down what a kill in the midst of a write leaves: half a file and half a folder, under temporary names."""
    folder = site / ASIDE.format(name="valid")
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder / "visits.parquet", site / ASIDE.format(name="labels.parquet")):
        path.write_bytes(b"PAR1")


def truncated(results: Path) -> list[str]:
    """Returns the files under a final name that do not read to their end; temporary names begin with a dot."""
    broken = []
    for path in sorted(results.rglob("*")):
        if path.is_dir() or any(part.startswith(".") for part in path.relative_to(results).parts):
            continue
        try:
            whole = READERS.get(path.suffix, Path.exists)(path)
        except Exception:  # however a reader says that the file is broken
            whole = False
        if whole is False:
            broken.append(f"truncated: {path.relative_to(results).as_posix()}")
    return broken


READERS: dict[str, Callable[[Path], object]] = {
    ".parquet": pl.read_parquet,
    ".json": lambda path: path.read_bytes().endswith(b"\n") and json.loads(path.read_bytes()) is not None,
    ".csv": lambda path: path.read_bytes().endswith(b"\n"),
    ".xlsx": lambda path: zipfile.ZipFile(path).testzip() is None,
    ".html": lambda path: path.read_text(encoding="utf-8").rstrip().endswith("</html>"),
}


@contextlib.contextmanager
def own_disk(folder: Path, size: str) -> Iterator[Path | None]:
    """Mounts a disk of that size at the folder for as long as it is needed; yields None where that is not allowed."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True
    )
    try:
        yield None if done.returncode else folder
    finally:
        if not done.returncode:
            subprocess.run(["umount", str(folder)], check=True)


def remount(disk: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)


def last_words(ended: Ended, words: str) -> str:
    """Returns the line of the screen that holds the words, or the end of what stood there."""
    lines = [line.strip() for line in ended.screen.splitlines() if words in line]
    return lines[0] if lines else f"exit {ended.code}: {ended.screen[-1500:]}"


if __name__ == "__main__":
    sys.exit(main())
