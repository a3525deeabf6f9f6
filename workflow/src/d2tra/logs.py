"""One log per job, how much it did at its end; a clean paragraph on screen when a job fails, the traceback in the log only."""

from __future__ import annotations

import atexit
import logging
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from types import TracebackType

from d2tra.errors import StudyError

log = logging.getLogger("d2tra")
_rows: Counter[str] = Counter()


def count_rows(done: str, n_rows: int) -> None:
    """Adds to what the job's log says at its end; `done`: read or written."""
    _rows[done] += n_rows


def start(path: str | Path) -> logging.Logger:
    """Opens the job's log and makes an uncaught error one short paragraph on screen; returns the logger.

    When the job ends, however it ends, the last line says how many rows it read and wrote, and how fast.
    The log lies under private/: it may hold patient values. The screen shows the message of a `StudyError`,
    and for any other error its kind and where the traceback is.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    except OSError as problem:
        raise SystemExit(
            f"\ncannot write {path.as_posix()}: {problem.strerror}. Is the disk full or read-only?\n"
        ) from None
    logging.raiseExceptions = (
        False  # a full disk: Python would print what was to be logged, patient values too
    )
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False

    def say_plainly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        expected = issubclass(kind, StudyError)
        if expected:
            log.error("%s", error)
        else:
            log.error("%s", "".join(traceback.format_exception(kind, error, trace)))
        message = (
            str(error) if expected else f"{kind.__name__}: this is a fault of the program, not of your data."
        )
        print(f"\n{message}\n(log: {path.as_posix()})\n", file=sys.stderr)

    sys.excepthook = say_plainly
    atexit.register(_say_work, time.perf_counter())
    return log


def _say_work(started: float) -> None:
    """A stage that reads no frame (it screens a file's bytes, say) is told by what it wrote."""
    seconds = time.perf_counter() - started
    done = "read" if _rows["read"] else "written"
    rate = f"{_rows[done] / max(seconds, 0.001):,.0f} {done} a second"
    log.info(
        "%s rows read, %s written in %.1f s (%s)",
        *(f"{_rows[w]:,}" for w in ("read", "written")),
        seconds,
        rate,
    )
