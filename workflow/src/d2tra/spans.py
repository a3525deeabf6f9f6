"""Tables in parts, so many patients or rows at a time: what is held in memory does not grow with a registry."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import polars.selectors as cs

from d2tra.io import appear_whole, flush, said_plainly, workspace
from d2tra.logs import count_rows

ARROW_WRITES = {
    "compression": "lz4",
    "write_statistics": False,
    "dictionary_pagesize_limit": 2**17,  # scores of many values are sooner written out than listed once
}
ROWS_OF_GROUP = 2**18
Part = TypeVar("Part")
SPANS_AT_ONCE = 2  # made while a third is read: more keep no core busier, and take memory
PATIENTS_AT_ONCE = 50_000  # with so many spans at once 1.6 GB where all definitions are judged
IDS_AT_ONCE = 2**24  # looked through for the beginnings of spans


def read_spans(
    files: Mapping[str, str | Path],
    patients_at_once: int = PATIENTS_AT_ONCE,
    columns: Mapping[str, Collection[str]] | None = None,
) -> Iterator[dict[str, pl.DataFrame]]:
    """Yields every frame by its name, of so many patients at a time: what is held in memory does not grow with a registry.

    `files`: parquet by name, `patients` (one row each) among them; each sorted by patient_id. The spans follow one another
    in that order; a site of fewer patients is one span. `columns`: those that are needed of a frame, where it has them
    (all of a frame that is not named).
    """

    def rows(name: str, start: int = 0, end: int | None = None) -> pl.DataFrame:
        frame, needed = pl.scan_parquet(files[name]), (columns or {}).get(name)
        if needed is not None:
            frame = frame.select(cs.by_name(*needed, require_all=False))
        read = frame.slice(start, None if end is None else end - start).collect()
        count_rows("read", read.height)
        return read

    everybody = pl.read_parquet(files["patients"], columns=["patient_id"])["patient_id"]
    firsts = everybody.gather_every(patients_at_once)
    if len(firsts) <= 1:
        yield {name: rows(name) for name in files}
        return
    starts = {name: _starts(path, firsts) for name, path in files.items()}
    for n in range(len(firsts)):
        yield {name: rows(name, *places[n : n + 2]) for name, places in starts.items()}


def _starts(path: str | Path, firsts: pl.Series) -> list[int]:
    """The row of a sorted file at which each span begins, and the number of its rows."""
    ids = pl.scan_parquet(path).select("patient_id")
    n_rows: int = ids.select(pl.len()).collect().item()
    pieces = (ids.slice(n, IDS_AT_ONCE).collect().to_series() for n in range(0, n_rows, IDS_AT_ONCE))
    before = (piece.search_sorted(firsts) for piece in pieces)  # rows of a piece before each span
    return [*sum(before, pl.zeros(len(firsts), pl.Int64, eager=True)), n_rows]


def side_by_side(
    make: Callable[[dict[str, pl.DataFrame]], Part], spans: Iterable[dict[str, pl.DataFrame]]
) -> Iterator[Part]:
    """Yields what is made of each span, in their order; the next ones are made and read meanwhile, since one alone leaves a
    core idle."""
    with ThreadPoolExecutor(SPANS_AT_ONCE) as pool:
        at_work: deque[Future[Part]] = deque()
        for span in spans:
            at_work.append(pool.submit(make, span))
            if len(at_work) > SPANS_AT_ONCE:
                yield at_work.popleft().result()
        while at_work:
            yield at_work.popleft().result()


def write_spans(parts: Iterable[Mapping[str, pl.DataFrame]], paths: Sequence[str | Path]) -> None:
    """Writes to each .parquet path the frames that are called by its stem, one part under the other, whole or not at all.

    One part is written while the next one is made; no other is held. An Enum is written as text.
    """
    targets = {Path(path).stem: Path(path) for path in paths}
    with workspace(next(iter(targets.values()))) as folder:
        _grow(folder, ({name: part[name] for name in targets} for part in parts), targets)
        for target in targets.values():
            appear_whole(target, (folder / target.name).replace)


def write_parts(parts: Iterable[Mapping[str, pl.DataFrame]], folder: Path) -> None:
    """Writes into a new folder (`io.new_folder`) a .parquet of each name in the parts, as `write_spans` writes; a name may
    be in one part or in many."""
    _grow(folder, parts, {})
    for file in folder.iterdir():
        flush(file)


def _grow(folder: Path, parts: Iterable[Mapping[str, pl.DataFrame]], called: Mapping[str, Path]) -> None:
    """Adds every frame to `<name>.parquet` of the folder, one part while the next is made; `called`: how errors name it."""
    files: dict[str, _Growing] = {}
    with contextlib.ExitStack() as opened, ThreadPoolExecutor(1) as beside:

        def add(part: Mapping[str, pl.DataFrame]) -> None:
            for name, rows in part.items():
                if name not in files:
                    path = folder / f"{name}.parquet"
                    files[name] = opened.enter_context(_Growing(path, called.get(name, path)))
                files[name].add(rows)

        written: Future[None] | None = None
        for part in parts:
            if written:
                written.result()
            written = beside.submit(add, part)
        if written:
            written.result()


class _Growing:
    """A parquet file, not yet under its name, to which frames of one schema are added.

    By Arrow, which polars' writer cannot be told: words that are numbered already go to the file as they are. It writes
    scores in one thread as quickly as polars in two.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self.path, self.target = path, target  # errors name the latter
        self._writer: Any = None

    def __enter__(self) -> _Growing:
        return self

    def __exit__(self, *_: object) -> None:
        with said_plainly(self.target):
            if self._writer:
                self._writer.close()

    def add(self, frame: pl.DataFrame) -> None:
        import pyarrow.parquet as pq  # put off: most steps never write part by part

        rows = frame.to_arrow()
        with said_plainly(self.target):
            if not self._writer:
                # without Arrow's own schema in the file, words come back as text
                self._writer = pq.ParquetWriter(self.path, rows.schema, store_schema=False, **ARROW_WRITES)
            self._writer.write_table(rows, row_group_size=ROWS_OF_GROUP)
        count_rows("written", frame.height)
