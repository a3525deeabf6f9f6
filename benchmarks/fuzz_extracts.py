"""Does an extract gone wrong ever show a traceback, hang, lose a row or say a patient's value?

`uv run python benchmarks/fuzz_extracts.py [--cases N] [--first SEED] [--processes N]` makes extracts gone wrong (default 10,000,
numbered from 0; tests/fuzzed_extracts.py says in which ways), runs the chapter *extract* on each, and prints what came of them and
every defect with its number. Ends with 1 where there is a defect. Synthetic.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
os.environ.setdefault("POLARS_MAX_THREADS", "1")  # the processes are the parallel part

SECONDS = 120  # for one case, the first of a process loads the libraries


def worker(pipe: Any) -> None:
    """Tries the cases that come through the pipe, one at a time, and sends back what came of each."""
    from fuzzed_extracts import try_case

    with tempfile.TemporaryDirectory() as folder:
        while True:
            pipe.send(try_case(pipe.recv(), Path(folder) / "case"))


@dataclass
class Worker:
    """A process, the pipe to it, and the case it is at since when."""

    seed: int = -1
    since: float = 0.0
    process: Any = None
    pipe: Any = None

    def start(self) -> None:
        """Starts a process, in the place of one that died or hangs."""
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=worker, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def take(self, seed: int) -> None:
        """Gives it a case."""
        self.seed, self.since = seed, time.monotonic()
        self.pipe.send(seed)

    def outcome(self) -> Any:
        """Returns what came of its case, None while that is open."""
        try:
            if self.pipe.poll():
                return self.pipe.recv()
            how = "hang" if time.monotonic() - self.since > SECONDS else ""
        except EOFError:
            how = f"died ({self.process.exitcode})"
        if not how:
            return None
        self.process.kill()
        self.start()
        return lost_case(self.seed, how)


def lost_case(seed: int, result: str) -> Any:
    """Returns the outcome of a case whose worker hangs or died."""
    from fuzzed_extracts import Outcome, make_case

    case = make_case(seed)
    return Outcome(seed, case.kind, tuple(case.done), result, "")


def in_words(defect: Any) -> str:
    """Returns a defect in one line."""
    mutations = ", ".join(defect.mutations)
    return f"case {defect.seed} ({defect.kind}: {mutations}): {defect.result}: {defect.says[:300]}"


def outcomes(seeds: range, n_processes: int) -> list[Any]:
    """Returns the outcome of every case; a worker that hangs or dies is replaced, its case is a defect."""
    waiting, workers, found = iter(seeds), [Worker() for _ in range(n_processes)], []
    for each in workers:
        each.start()
    at_work = [each for each in workers if give(each, waiting)]
    while at_work:
        wait([each.pipe for each in at_work], timeout=1)
        for each in list(at_work):
            if (outcome := each.outcome()) is None:
                continue
            found.append(outcome)
            if not outcome.is_right:
                print(in_words(outcome), file=sys.stderr, flush=True)
            if len(found) % 200 == 0:
                print(f"{len(found)} cases", file=sys.stderr, flush=True)
            if not give(each, waiting):
                at_work.remove(each)
    for each in workers:
        each.process.kill()
    return found


def give(each: Worker, waiting: Iterator[int]) -> bool:
    """Gives a worker the next case; False where there is none."""
    seed = next(waiting, None)
    if seed is not None:
        each.take(seed)
    return seed is not None


def main() -> int:
    """Returns 1 where a case came to anything but plain words or a complete accounting."""
    asked = argparse.ArgumentParser(description="extracts gone wrong")
    asked.add_argument("--cases", type=int, default=10_000)
    asked.add_argument("--first", type=int, default=0)
    asked.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = asked.parse_args()
    start = time.monotonic()
    found = outcomes(range(options.first, options.first + options.cases), options.processes)
    by_kind = Counter((outcome.kind, outcome.result) for outcome in found)
    print(f"{'extract':10} {'came to':40} cases")
    for (kind, result), n in sorted(by_kind.items()):
        print(f"{kind:10} {result:40} {n:6,}")
    mutations = Counter(name.partition(" ")[0] for outcome in found for name in outcome.mutations)
    print("mutations: " + ", ".join(f"{name} {n:,}" for name, n in sorted(mutations.items())))
    defects = sorted((o for o in found if not o.is_right), key=lambda outcome: outcome.seed)
    for defect in defects:
        print(in_words(defect))
    print(f"{len(found):,} cases, {len(defects)} defects, {time.monotonic() - start:.0f} s")
    return int(bool(defects))


if __name__ == "__main__":
    sys.exit(main())
