"""Reading and writing. Every writer writes to a temporary name, flushes it to disk, and renames."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from d2tra.errors import StudyError
from d2tra.logs import count_rows

POLARS_SAYS = "parquet: File out of specification: underlying IO error: "
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


def read_contents(folder: str | Path, ending: str) -> dict[str, bytes]:
    """Returns the bytes of every file of a folder with that ending, by its stem, sorted."""
    return {path.stem: path.read_bytes() for path in sorted(Path(folder).glob(f"*{ending}"))}


def write(frame: pl.DataFrame | pl.LazyFrame, path: str | Path) -> None:
    """Writes a frame as .parquet or .csv (by the name's end), whole or not at all; a lazy one (.parquet) as it comes."""
    path = Path(path)
    if isinstance(frame, pl.LazyFrame):
        appear_whole(path, partial(_stream, frame))
        return
    if path.suffix == ".parquet":
        appear_whole(path, lambda new: frame.write_parquet(new, compression="zstd", statistics=False))
    elif path.suffix == ".csv":
        appear_whole(path, lambda new: frame.write_csv(new))
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


def write_text(text: str, path: str | Path) -> None:
    """Writes UTF-8 text with \\n line ends on every system, whole or not at all."""
    appear_whole(Path(path), lambda new: new.write_bytes(text.encode("utf-8")))


def write_bytes(content: bytes, path: str | Path) -> None:
    """Writes bytes, whole or not at all."""
    appear_whole(Path(path), lambda new: new.write_bytes(content))


def write_json(value: Any, path: str | Path) -> None:
    """Writes JSON with sorted keys and two spaces, whole or not at all."""
    write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n", path)


def write_folder(contents: Mapping[str, Any], folder: str | Path) -> None:
    """Writes a new folder that appears under its name only when every file is in it.

    `contents`: file name → a frame (.parquet, .csv), a lazy one (.parquet), bytes, text, or what a .json holds.
    """
    with new_folder(folder) as new:
        for name, content in contents.items():
            _write_any(content, new / name)


@contextlib.contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Gives a folder to fill, under a temporary name; it takes the place of `folder` when all is done without an error."""
    folder = Path(folder)
    new = _aside(folder)
    with said_plainly(folder):
        new.mkdir(parents=True)
    try:
        yield new
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
        with said_plainly(target):
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
    with said_plainly(folder):
        folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_private(folder: str | Path) -> Path:
    """Makes a folder that only its owner may open (mode 0700 where the system knows modes); returns it."""
    folder = Path(folder)
    with said_plainly(folder):
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
    with said_plainly(folder):
        if folder.exists():
            os.replace(folder, old)
        os.replace(new, folder)
        flush(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def appear_whole(path: Path, write_to: Callable[[Path], Any]) -> None:
    """Calls `write_to` with a temporary name; what it writes there is flushed and takes the name of `path`."""
    new = _aside(path)
    with said_plainly(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_to(new)
            flush(new)
            os.replace(new, path)
            flush(path.parent)
        finally:
            new.unlink(missing_ok=True)


def _copy_flushed(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    flush(Path(target))
    shutil.copystat(source, target)


def flush(path: Path) -> None:
    """Waits until a file's bytes, or the names in a folder, are on the disk; Windows and some shares flush no folder."""
    is_folder = path.is_dir()
    with contextlib.suppress(OSError) if is_folder else contextlib.nullcontext():
        handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def said_plainly(path: Path) -> Iterator[None]:
    """StudyError where the system will not write; polars says so of a parquet file by a kind of error of its own."""
    try:
        yield
    except (OSError, pl.exceptions.ComputeError) as problem:
        if not (isinstance(problem, OSError) or "os error" in str(problem)):
            raise
        said = getattr(problem, "strerror", None) or str(problem).removeprefix(POLARS_SAYS)
        raise StudyError(f"cannot write {path}: {said}. Is the disk full or read-only?") from problem
