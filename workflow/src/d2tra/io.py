"""Reading and writing. Every writer writes to a temporary name, flushes it to disk, and renames."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import polars.selectors as cs

from d2tra.errors import StudyError
from d2tra.logs import count_rows

POLARS_SAYS = "parquet: File out of specification: underlying IO error: "
ARROW_WRITES = {"compression": "zstd", "compression_level": 1, "write_statistics": False}
ROWS_OF_GROUP = 2**18
Part = TypeVar("Part")
SPANS_AT_ONCE = 3  # made while a fourth is read; two leave the second core idle now and then
PATIENTS_AT_ONCE = 50_000  # with so many spans at once 2.5 GB where all definitions are judged
IDS_AT_ONCE = 2**24  # looked through for the beginnings of spans
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}")  # what `_aside` makes; a killed run leaves such a one behind
FORMULA = "^[=+\\-@\t\r]"  # as OWASP lists them: CSV injection


def read(path: str | Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Returns a frame that this program wrote earlier (.parquet, or .csv with dates and numbers recognised), or these
    columns of it."""
    path = Path(path)
    wanted = None if columns is None else list(columns)
    if path.suffix == ".parquet":
        return _counted(pl.read_parquet(path, columns=wanted))
    return _counted(pl.read_csv(path, columns=wanted, try_parse_dates=True, infer_schema_length=None))


def read_json(path: str | Path) -> Any:
    """Returns what a .json file holds."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def read_sites(
    sites: Sequence[str],
    paths: Sequence[str | Path],
    table: str | None = None,
    columns: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Returns the rows of every site under one another, with `site` first; `table` is read from each valid/ folder;
    `columns`: these alone."""
    files = [Path(path) / f"{table}.parquet" if table else path for path in paths]
    frames = [
        read(file, columns).select(pl.lit(site).alias("site"), pl.all())
        for site, file in zip(sites, files, strict=True)
    ]
    return pl.concat(frames)


def read_each_of_sites(sites: Sequence[str], paths: Sequence[str | Path]) -> dict[str, pl.DataFrame]:
    """Returns, by the stem of the files, the rows of every site under one another; `paths`: one file per name and site."""
    named: dict[str, list[str | Path]] = {}
    for path in paths:
        named.setdefault(Path(path).stem, []).append(path)
    return {name: read_sites(sites, files) for name, files in named.items()}


def read_each(paths: Sequence[str | Path]) -> dict[str, pl.DataFrame]:
    """Returns the frame of each file by its stem."""
    return {Path(path).stem: read(path) for path in paths}


def read_folder(folder: str | Path) -> dict[str, pl.DataFrame]:
    """Returns every .parquet of a folder by its stem, sorted; a table that the site does not have is no key."""
    return {path.stem: read(path) for path in sorted(Path(folder).glob("*.parquet"))}


def scan_folder(folder: str | Path) -> dict[str, pl.LazyFrame]:
    """Returns every .parquet of a folder by its stem, sorted, not read yet."""
    return {name: pl.scan_parquet(path) for name, path in files_of(folder).items()}


def files_of(folder: str | Path, *names: str) -> dict[str, Path]:
    """Returns the path of every .parquet of a folder by its stem, sorted; `names`: of these only, where they are there."""
    files = sorted(Path(folder).glob("*.parquet"))
    return {path.stem: path for path in files if not names or path.stem in names}


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

    def rows(name: str) -> pl.LazyFrame:
        frame = pl.scan_parquet(files[name])
        needed = (columns or {}).get(name)
        return frame if needed is None else frame.select(cs.by_name(*needed, require_all=False))

    everybody = pl.read_parquet(files["patients"], columns=["patient_id"])["patient_id"]
    firsts = everybody.gather_every(patients_at_once)
    if len(firsts) <= 1:
        yield {name: _counted(rows(name).collect()) for name in files}
        return
    starts = {name: _starts(path, firsts) for name, path in files.items()}
    for n in range(len(firsts)):
        spans = {name: places[n : n + 2] for name, places in starts.items()}
        yield {
            name: _counted(rows(name).slice(start, end - start).collect())
            for name, (start, end) in spans.items()
        }


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


def read_contents(folder: str | Path, ending: str) -> dict[str, bytes]:
    """Returns the bytes of every file of a folder with that ending, by its stem, sorted."""
    return {path.stem: path.read_bytes() for path in sorted(Path(folder).glob(f"*{ending}"))}


def write(frame: pl.DataFrame | pl.LazyFrame, path: str | Path) -> None:
    """Writes a frame as .parquet or .csv (by the name's end), whole or not at all; a lazy one (.parquet) as it comes."""
    path = Path(path)
    if isinstance(frame, pl.LazyFrame):
        _whole(path, partial(_stream, frame))
        return
    if path.suffix == ".parquet":
        _whole(path, lambda new: frame.write_parquet(new, compression="zstd", statistics=False))
    elif path.suffix == ".csv":
        _whole(path, lambda new: frame.write_csv(new))
    else:
        raise ValueError(f"no writer for {path.name}: .parquet or .csv")
    count_rows("written", frame.height)


def neutralised(frame: pl.DataFrame) -> pl.DataFrame:
    """Returns the frame for a csv that people open in a spreadsheet: a text that it would take for a formula begins with '."""
    text = pl.col(pl.String)
    return frame.with_columns(
        pl.when(text.str.contains(FORMULA)).then("'" + text).otherwise(text).name.keep()
    )


def write_each(contents: Mapping[str, Any], paths: Sequence[str | Path]) -> None:
    """Writes to each path the frame, or what a .json holds, that is called by its stem."""
    for path in paths:
        _write_any(contents[Path(path).stem], Path(path))


def write_spans(parts: Iterable[Mapping[str, pl.DataFrame]], paths: Sequence[str | Path]) -> None:
    """Writes to each .parquet path the frames that are called by its stem, one part under the other, whole or not at all.

    One part is written while the next one is made; no other is held. An Enum is written as text.
    """
    targets = [Path(path) for path in paths]
    with workspace(targets[0]) as folder:
        with contextlib.ExitStack() as files, ThreadPoolExecutor(1) as beside:
            growing = {target: files.enter_context(_Growing(target, folder)) for target in targets}

            def add(part: Mapping[str, pl.DataFrame]) -> None:
                for target, file in growing.items():
                    file.add(part[target.stem])

            written: Future[None] | None = None
            for part in parts:
                if written:
                    written.result()
                written = beside.submit(add, part)
            if written:
                written.result()
        for target, file in growing.items():
            _whole(target, file.path.replace)


def write_text(text: str, path: str | Path) -> None:
    """Writes UTF-8 text with \\n line ends on every system, whole or not at all."""
    _whole(Path(path), lambda new: new.write_bytes(text.encode("utf-8")))


def write_bytes(content: bytes, path: str | Path) -> None:
    """Writes bytes, whole or not at all."""
    _whole(Path(path), lambda new: new.write_bytes(content))


def write_json(value: Any, path: str | Path) -> None:
    """Writes JSON with sorted keys and two spaces, whole or not at all."""
    write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n", path)


def write_folder(contents: Mapping[str, Any], folder: str | Path) -> None:
    """Writes a new folder that appears under its name only when every file is in it.

    `contents`: file name → a frame (.parquet, .csv), a lazy one (.parquet), bytes, text, or what a .json holds.
    """
    folder = Path(folder)
    new = _aside(folder)
    with _said_plainly(folder):
        new.mkdir(parents=True)
    try:
        for name, content in contents.items():
            _write_any(content, new / name)
        _replace_folder(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def copy(source: str | Path, target: str | Path) -> None:
    """Copies a file or a folder under a temporary name, then renames it, so that it appears whole."""
    source, target = Path(source), Path(target)
    if source.is_file():
        write_bytes(source.read_bytes(), target)
        return
    new = _aside(target)
    try:
        with _said_plainly(target):
            shutil.copytree(source, new, copy_function=_copy_flushed)
        _replace_folder(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


@contextlib.contextmanager
def workspace(beside: str | Path) -> Iterator[Path]:
    """Gives a folder for what is not to stay, on the disk of a result and as private; it goes when all is done.

    Its name is a temporary one: `clear_unfinished` finds what a killed run leaves.
    """
    folder = _aside(Path(beside))
    with _said_plainly(folder):
        folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_private(folder: str | Path) -> Path:
    """Makes a folder that only its owner may open (mode 0700 where the system knows modes); returns it."""
    folder = Path(folder)
    with _said_plainly(folder):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    return folder


def clear_unfinished(folder: str | Path) -> None:
    """Removes every file and folder below that a killed run left under a temporary name.

    Only where nobody else writes there: Snakemake's lock says so.
    """
    for above, folders, files in os.walk(folder):
        for name in filter(TEMPORARY.fullmatch, files):
            Path(above, name).unlink()
        for name in list(filter(TEMPORARY.fullmatch, folders)):
            shutil.rmtree(Path(above, name))
            folders.remove(name)


def _counted(frame: pl.DataFrame) -> pl.DataFrame:
    count_rows("read", frame.height)
    return frame


class _Growing:
    """A parquet file, not yet under its name, to which frames of one schema are added.

    By Arrow, which polars' writer cannot be told: words that are numbered already go to the file as they are, and
    repeated numbers are listed once. Half the time and a fifth less space than polars' zstd for scores of visits.
    """

    def __init__(self, target: Path, folder: Path) -> None:
        self.target, self.path = target, folder / target.name
        self._writer: Any = None

    def __enter__(self) -> _Growing:
        return self

    def __exit__(self, *_: object) -> None:
        with _said_plainly(self.target):
            if self._writer:
                self._writer.close()

    def add(self, frame: pl.DataFrame) -> None:
        import pyarrow.parquet as pq  # put off: most steps never write part by part

        rows = frame.to_arrow()
        with _said_plainly(self.target):
            if not self._writer:
                # without Arrow's own schema in the file, words come back as text
                self._writer = pq.ParquetWriter(self.path, rows.schema, store_schema=False, **ARROW_WRITES)
            self._writer.write_table(rows, row_group_size=ROWS_OF_GROUP)
        count_rows("written", frame.height)


def _stream(rows: pl.LazyFrame, new: Path) -> None:
    rows.sink_parquet(new, compression="zstd", statistics=False, maintain_order=True)


def _write_any(content: Any, path: Path) -> None:
    if isinstance(content, pl.DataFrame | pl.LazyFrame):
        write(content, path)
    elif isinstance(content, bytes):
        write_bytes(content, path)
    elif path.suffix == ".json":
        write_json(content, path)
    else:
        write_text(content, path)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}")


def _replace_folder(new: Path, folder: Path) -> None:
    """The old folder goes aside first, so that half of it never stands under the name."""
    old = _aside(folder)
    with _said_plainly(folder):
        if folder.exists():
            os.replace(folder, old)
        os.replace(new, folder)
        _flush(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _whole(path: Path, write_to: Callable[[Path], Any]) -> None:
    new = _aside(path)
    with _said_plainly(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_to(new)
            _flush(new)
            os.replace(new, path)
            _flush(path.parent)
        finally:
            new.unlink(missing_ok=True)


def _copy_flushed(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    _flush(Path(target))
    shutil.copystat(source, target)


def _flush(path: Path) -> None:
    """Waits until a file's bytes, or the names in a folder, are on the disk; Windows and some shares flush no folder."""
    is_folder = path.is_dir()
    with contextlib.suppress(OSError) if is_folder else contextlib.nullcontext():
        handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _said_plainly(path: Path) -> Iterator[None]:
    """StudyError where the system will not write; polars says so of a parquet file by a kind of error of its own."""
    try:
        yield
    except (OSError, pl.exceptions.ComputeError) as problem:
        if not (isinstance(problem, OSError) or "os error" in str(problem)):
            raise
        said = getattr(problem, "strerror", None) or str(problem).removeprefix(POLARS_SAYS)
        raise StudyError(f"cannot write {path}: {said}. Is the disk full or read-only?") from problem
