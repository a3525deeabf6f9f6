"""One huge extract cut into several sites by patient, so that each is a job of its own: `d2tra split`.

Who goes where depends on the patient's id alone, on every machine and in every quarter. Nothing is judged or mended:
every row goes on as it was read, and each part is read, screened and validated like any site.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from d2tra.config import load_yaml
from d2tra.errors import StudyError, nearest
from d2tra.extract.site import SiteMapping, TableSource
from d2tra.extract.sources import ABOVE, WORKBOOKS, cell_batches
from d2tra.extract.their_columns import columns_of
from d2tra.io import make_private, write_text
from d2tra.spans import write_spans

MOST_PARTS = 1_000
PART = "part "  # a name that no trimmed header has
READING = ("encoding", "delimiter", "header_row")  # keys of a text file, which a parquet file does not need


def part_of(patient_ids: pl.Series, n_parts: int) -> pl.Series:
    """Returns the part of each row (Int64, 1 to `n_parts`): from SHA-256 of the id's text, the same on every machine.

    White space around an id, and the `.0` of a number that a spreadsheet made of it, do not count. Rows without an id
    go together: one part sets them aside.
    """
    text = patient_ids.cast(pl.String).str.strip_chars().str.strip_suffix(".0").fill_null("")
    ids = text.unique()
    digests = (hashlib.sha256(one.encode()).digest()[:8] for one in ids)
    parts = pl.Series([int.from_bytes(digest, "big") % n_parts + 1 for digest in digests], dtype=pl.Int64)
    return text.replace_strict(ids, parts, return_dtype=pl.Int64)


def split_site(site: SiteMapping, n_parts: int, out: Path) -> str:
    """Cuts a site's files into `n_parts` folders `<out>/<site>_<k>` of parquet files; returns what was done, in lines.

    Beside them, a mapping for each: `config/sites/<site>_<k>.yaml`, like the site's own but for its `source:`. Streamed:
    memory does not grow with the extract. Every row of every file is in exactly one part; counted before anything
    appears under its name. StudyError: a database, OMOP CDM or workbook; no `data_cut_date` (each part would end on its
    own last day); a file without one column of patient ids; parts without patients; something is there already.
    """
    _refuse(site, n_parts)
    names = [f"{site.name}_{number:0{len(str(n_parts))}}" for number in range(1, n_parts + 1)]
    mappings = [Path("config") / "sites" / f"{name}.yaml" for name in names]
    for path in [out, *mappings]:
        if path.exists():
            raise StudyError(f"{path.as_posix()}: is there already. Nothing is written over.")
    new = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    make_private(new)
    try:
        files = _files(site)
        rows = {name: _split_file(site, sources, new, name, names) for name, sources in files.items()}
        _refuse_empty(site, rows, new, names)
        os.replace(new, out)
    except OSError as problem:
        raise StudyError(f"cannot write {out}: {problem.strerror or problem}. Is the disk full?") from problem
    finally:
        shutil.rmtree(new, ignore_errors=True)
    for name, path in zip(names, mappings, strict=True):
        write_text(_mapping_of(site, out / name, files), path)
    return _told(site, names, rows, out)


def _refuse(site: SiteMapping, n_parts: int) -> None:
    if not 2 <= n_parts <= MOST_PARTS:
        raise StudyError(f"--into {n_parts}: into 2 to {MOST_PARTS:,} parts, please.")
    if site.is_fetched:
        raise StudyError(
            f"{site.path}: only files are split. Run the target `check` first: what it fetches "
            f"(results/<study>/private/sites/{site.name}/fetched) is a folder of parquet files that a mapping can name."
        )
    for path in site.files():
        if path.suffix.casefold() in WORKBOOKS:
            raise StudyError(f"{path}: a workbook is not split; it is small enough for one site.")
    if site.data_cut_date is None:
        raise StudyError(
            f"{site.path}: say `data_cut_date:` first. Without it each part would end on the last day of its own rows."
        )


def _files(site: SiteMapping) -> dict[str, list[tuple[str, TableSource]]]:
    """New name of every file → the tables and sources that it feeds."""
    files: dict[str, list[tuple[str, TableSource]]] = {}
    came_from: dict[str, str] = {}
    for table, sources in site.sources().items():
        for source in sources:
            name = Path(source.file).with_suffix(".parquet").as_posix()
            if came_from.setdefault(name, source.file) != source.file:
                raise StudyError(f"{site.path}: {came_from[name]} and {source.file}: rename one of them.")
            files.setdefault(name, []).append((table, source))
    return files


def _split_file(
    site: SiteMapping, fed: list[tuple[str, TableSource]], new: Path, name: str, names: list[str]
) -> list[int]:
    """Writes a file's rows to every part's folder; returns how many each has."""
    path = site.file_path(fed[0][1])
    scratch = new / ".read" / "rows.parquet"
    if path.suffix.casefold() == ".parquet":
        rows = pl.scan_parquet(path, glob=False)
    else:
        write_spans(_text_of(path, site), [scratch])
        rows = pl.scan_parquet(scratch)
    rows = rows.rename({header: header.strip() for header in rows.collect_schema().names()})
    ids = _id_column(site, fed, rows.collect_schema().names())
    targets = [new / part / name for part in names]
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
    part = pl.col(ids).map_batches(
        partial(part_of, n_parts=len(names)), return_dtype=pl.Int64, is_elementwise=True
    )
    into = pl.PartitionBy(
        new,
        key=PART,
        include_key=False,
        approximate_bytes_per_file=None,
        file_path_provider=lambda asked: f"{names[asked.partition_keys.item() - 1]}/{name}",
    )
    rows.with_columns(part.alias(PART)).sink_parquet(into, compression="zstd", maintain_order=True)
    for target in targets:
        if not target.exists():
            rows.head(0).collect().write_parquet(target)
        with target.open("rb+") as handle:
            os.fsync(handle.fileno())
    counts = [_n_rows(target) for target in targets]
    n_read = rows.select(pl.len()).collect().item()
    if sum(counts) != n_read:
        raise StudyError(f"{path.name}: {n_read:,} rows were read, {sum(counts):,} written. Nothing is kept.")
    shutil.rmtree(scratch.parent, ignore_errors=True)
    return counts


def _text_of(path: Path, site: SiteMapping) -> Iterator[dict[str, pl.DataFrame]]:
    """A text file's rows piece by piece, under the only name that the scratch file has."""
    for label, cells in cell_batches(path, site):
        if not label.endswith(ABOVE):
            yield {"rows": cells}


def _n_rows(path: Path) -> int:
    found: int = pl.scan_parquet(path).select(pl.len()).collect().item()
    return found


def _id_column(site: SiteMapping, fed: list[tuple[str, TableSource]], header: list[str]) -> str:
    """Their column of patient ids, the same for all that the file feeds."""
    named = {columns["patient_id"] for table, source in fed for columns in columns_of(source, table)}
    file = fed[0][1].file
    if len(named) != 1 or None in named:
        raise StudyError(
            f"{site.path}: {file} needs one column of patient ids, by which it is split; the mapping names {len(named)}."
        )
    (name,) = named
    if name not in header:
        raise StudyError(f"{site.path}: {file} has no column {name!r}{nearest(str(name), header)}")
    return str(name)


def _refuse_empty(site: SiteMapping, rows: dict[str, list[int]], new: Path, names: list[str]) -> None:
    """StudyError where a part has no patients, or none of them has a place in the register while others have one."""
    for file, fed in _files(site).items():
        for table, source in fed:
            if table != "patients":
                continue
            least = min(rows[file])
            if not least:
                raise StudyError(f"{site.path}: of {len(names)} parts one has no patients. Split into fewer.")
            theirs = columns_of(source, table)[0]["sequence"]
            placed = [_n_filled(new / name / file, theirs) for name in names]
            if any(placed) and not all(placed):
                raise StudyError(
                    f"{site.path}: of {len(names)} parts one has no patient with a `sequence`, and would number its "
                    "own. Split into fewer, or give every patient a place in the register."
                )


def _n_filled(path: Path, column: str | None) -> int:
    rows = pl.scan_parquet(path)
    if column not in rows.collect_schema().names():
        return 0
    found: int = rows.select(pl.col(str(column)).is_not_null().sum()).collect().item()
    return found


def _mapping_of(site: SiteMapping, folder: Path, files: dict[str, list[tuple[str, TableSource]]]) -> str:
    """The site's own mapping, of that folder: its files in parquet, everything else as stated."""
    stated: dict[str, Any] = {**load_yaml(site.path), "source": folder.as_posix()}
    if site.format == "mapped":
        renamed = {source.file: name for name, fed in files.items() for _, source in fed}
        stated["tables"] = {table: _renamed(value, renamed) for table, value in stated["tables"].items()}
    head = f"# A part of {site.name}, by `d2tra split`; what is said there is said here. Split anew rather than edit it.\n"
    return head + yaml.safe_dump(stated, sort_keys=False, allow_unicode=True, width=110)


def _renamed(stated: Any, renamed: dict[str, str]) -> Any:
    if isinstance(stated, list):
        return [_renamed(each, renamed) for each in stated]
    if not isinstance(stated, dict):
        return stated
    kept = {key: value for key, value in stated.items() if key not in READING}
    return {**kept, "file": renamed[stated["file"]]}


def _told(site: SiteMapping, names: list[str], rows: dict[str, list[int]], out: Path) -> str:
    lines = [
        f"{name}: {sum(counts):,} rows, {min(counts):,} to {max(counts):,} a part"
        for name, counts in rows.items()
    ]
    return "\n".join(
        [
            f"{site.name} is split by patient into {len(names)} sites, in {out.as_posix()}/; no row is lost.",
            *lines,
            f"Mappings: config/sites/{names[0]}.yaml to {names[-1]}.yaml. In the study, in place of {site.name}:",
            f"sites: [{', '.join(names)}]",
            f"Cohorts that name `sites: [{site.name}]` name all of them. Cohorts by `sequence:` need the register's own "
            "numbers, or each part counts from 1.",
        ]
    )
