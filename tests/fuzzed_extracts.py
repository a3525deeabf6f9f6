"""Extracts gone wrong in every way a file can: one number makes one case, the same on every call. All of it is synthetic.

A case is a small extract (canonical csv, parquet or workbook, or one in the shape of the demo department) with one to three
mutations. What may come of it: words of a StudyError, or a table of accounts in which every row is found again. Nothing else.
"""

from __future__ import annotations

import csv
import io
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from d2tra.errors import StudyError
from d2tra.extract.mapping import harmonise
from d2tra.extract.screen import raise_if_identifiers, screen_extract
from d2tra.extract.site import load_site
from d2tra.extract.validate import validate_extract
from d2tra.treatment import recognise_drugs
from extract_mutations import MUTATIONS, SIZES
from extracts_to_break import CANONICAL, ID, SECRET, Case, canonical_case, mapped_case

LONGEST_MESSAGE = 6000  # characters
MOST_COUNTED = 9_000_000  # characters of a file
BIG = SIZES[-1]  # bytes of an extract that takes seconds


@dataclass(frozen=True)
class Outcome:
    """What came of a case: `refused` or `accounted` are right, all others are defects; `says` tells more."""

    seed: int
    kind: str
    mutations: tuple[str, ...]
    result: str
    says: str

    @property
    def is_right(self) -> bool:
        return self.result in ("refused", "accounted")


# One case


def make_case(seed: int) -> Case:
    """Returns the case of that number."""
    at = random.Random(seed)
    case = mapped_case(at) if at.random() < 0.3 else canonical_case(at)
    for _ in range(at.choice([1, 1, 1, 2, 2, 3])):
        mutation = at.choice(MUTATIONS)
        case.done.append(mutation.__name__)
        mutation(case)
    return case


def write_case(case: Case, folder: Path) -> Path:
    """Writes the extract and the mapping into a new folder; returns the mapping's path."""
    if folder.exists():
        shutil.rmtree(folder)
    extract = folder / "extract"
    extract.mkdir(parents=True)
    for name, content in case.files.items():
        (extract / name).write_bytes(content)
    for change in case.afterwards:
        try:
            change(extract)
        except OSError:
            continue  # a second change of the same file
    mapping = folder / "site.yaml"
    mapping.write_bytes(
        case.mapping.replace("THE_FOLDER", extract.as_posix()).encode("utf-8", "surrogatepass")
    )
    return mapping


def try_case(seed: int, folder: Path) -> Outcome:
    """Returns what the chapter *extract* makes of a case: screen, harmonise, validate, as its three rules do."""
    return try_made(make_case(seed), seed, folder)


def try_made(case: Case, seed: int, folder: Path) -> Outcome:
    """Returns what comes of a case that is made already."""

    def came_out(result: str, says: object) -> Outcome:
        return Outcome(seed, case.kind, tuple(case.done), result, str(says))

    mapping = write_case(case, folder)
    try:
        site = load_site(mapping.as_posix())
        site.files()
        raise_if_identifiers(screen_extract(site))
        accounting = validate_extract(harmonise(site), site, recognise_drugs).accounting
    except StudyError as refusal:
        said = str(refusal)
        if ID in said or SECRET in said:
            return came_out("a value was said", said[:LONGEST_MESSAGE])
        if len(said) > LONGEST_MESSAGE:
            return came_out("an endless message", said[:300])
        return came_out("refused", said)
    except BaseException as fault:
        return came_out(f"traceback: {type(fault).__name__}", fault)
    unbalanced = accounting.filter(
        pl.col("n_read") != pl.col("n_valid") + pl.col("n_quarantined") + pl.col("n_duplicate")
    )
    if unbalanced.height:
        return came_out("rows lost", unbalanced)
    for table, n_read in accounting.select("table", "n_read").iter_rows():
        try:
            expected = independent_count(folder / "extract", table, case)
        except (csv.Error, UnicodeError, ValueError) as fault:
            return came_out("not countable", f"{table}: {fault}")
        if expected is not None and n_read != expected:
            return came_out("rows miscounted", f"{table}: {n_read} read, {expected} in the file")
    return came_out("accounted", accounting["n_read"].sum())


def independent_count(folder: Path, table: str, case: Case) -> int | None:
    """Returns how many rows of a canonical file hold a filled cell under a header, read apart from the project; else None."""
    path = folder / f"{table}.csv"
    if case.mapping != CANONICAL or not path.is_file():
        return None
    text = path.read_bytes().decode("utf-8-sig")
    # a carriage return ends a line only where nothing else does
    text = text.replace("\r\n", "\n").replace("\r", " ") if "\n" in text else text.replace("\r", "\n")
    if len(text) > MOST_COUNTED:
        return None  # a cell may be longer than the csv module reads
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    if len(header) < 2:
        return None  # another delimiter, which the project sniffs
    named = [number for number, name in enumerate(header) if name.strip()]
    return sum(any(number < len(row) and row[number].strip() for number in named) for row in rows)
