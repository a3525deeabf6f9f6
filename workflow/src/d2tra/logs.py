"""One log per job; a clean paragraph on screen when a job fails, the traceback in the private log only."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType

from d2tra.errors import StudyError

log = logging.getLogger("d2tra")


def start(path: str | Path) -> logging.Logger:
    """Opens the job's log and makes an uncaught error one short paragraph on screen; returns the logger.

    The log lies under private/: it may hold patient values. The screen shows the message of a `StudyError`,
    and for any other error its kind and where the traceback is.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
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
    return log
