"""Small extracts that are to go wrong: canonical csv, parquet or workbook, or in the shape of the demo. Synthetic."""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import openpyxl
import polars as pl

from extracts import CLEAN, drawn

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "data" / "demo"
ID = "QZPT"  # begins every pseudonym: no message may hold it
SECRET = "geheim"  # nor this, planted in cells


@dataclass
class Case:
    """What is written to disk: files by name, the mapping, and what happens to the folder afterwards."""

    at: random.Random
    kind: str
    files: dict[str, bytes]
    mapping: str
    afterwards: list[Callable[[Path], None]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def some_file(self, *endings: str) -> str | None:
        names = sorted(name for name in self.files if not endings or name.endswith(endings))
        return self.at.choice(names) if names else None


# Small extracts


def _rows(table: str) -> list[list[str]]:
    header, *rows = drawn(CLEAN[table])
    return [header, *([re.sub("^P", f"{ID}0", row[0]), *row[1:]] for row in rows)]


@cache
def canonical_rows() -> dict[str, list[list[str]]]:
    """Returns the clean extract of the tests with other pseudonyms and more patients: table → header and rows."""
    tables = {table: _rows(table) for table in CLEAN}
    for number in range(3, 9):
        for table, rows in tables.items():
            twin = [row for row in _rows(table)[1:] if row[0] == f"{ID}0{2 - number % 2}"]
            for row in twin:
                fresh = [f"{ID}0{number}", *row[1:]]
                if table == "patients":
                    fresh[1] = str(number)
                rows.append(fresh)
    return tables


def as_csv(rows: list[list[str]], delimiter: str = ",") -> bytes:
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return written.getvalue().encode()


def as_parquet(rows: list[list[str]]) -> bytes:
    written = io.BytesIO()
    cells = [[cell or None for cell in row] for row in rows[1:]]
    pl.DataFrame(cells, schema=dict.fromkeys(rows[0], pl.String), orient="row").write_parquet(written)
    return written.getvalue()


def as_workbook(sheets: dict[str, list[list[str]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(
                [float(cell) if re.fullmatch(r"\d+(\.\d+)?", cell) else cell or None for cell in row]
            )
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


CANONICAL = "format: canonical\nsource: THE_FOLDER\nmax_set_aside_percent: 100\n"


def canonical_case(at: random.Random) -> Case:
    optional = [table for table in CLEAN if table not in ("patients", "visits", "treatments")]
    kept = {"patients", "visits", "treatments", *at.sample(optional, at.randint(0, 2))}
    tables = {table: rows for table, rows in canonical_rows().items() if table in kept}
    kind = at.choice(["csv", "csv", "csv", "parquet", "workbook"])
    if kind == "workbook":
        return Case(at, kind, {"register.xlsx": as_workbook(tables)}, CANONICAL)
    write = as_parquet if kind == "parquet" else as_csv
    return Case(at, kind, {f"{table}.{kind}": write(rows) for table, rows in tables.items()}, CANONICAL)


@cache
def demo_files() -> dict[str, bytes]:
    """Returns the demo extract cut down to its first patients, with other pseudonyms."""
    book = openpyxl.load_workbook(DEMO / "synthetic_register.xlsx")
    chosen = [str(row[0].value) for row in book["Patients"].iter_rows(min_row=3, max_row=10)]
    renamed = {old: f"{ID}1{number}" for number, old in enumerate(chosen)}
    sheets: dict[str, list[list[str]]] = {}
    for sheet in book.worksheets:
        sheets[sheet.title] = []
        for number, row in enumerate(sheet.iter_rows(values_only=True)):
            texts = ["" if cell is None else str(cell).removesuffix(" 00:00:00") for cell in row]
            if set(texts) & set(renamed):
                sheets[sheet.title].append([renamed.get(text, text) for text in texts])
            elif number < (2 if sheet.title == "Patients" else 1):
                sheets[sheet.title].append(texts)
    files = {"synthetic_register.xlsx": as_workbook(sheets)}
    for path in sorted(path for path in DEMO.glob("*.csv") if "survey" not in path.name):
        delimiter = ";" if "laboratory" in path.name else ","
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines(), delimiter=delimiter))
        mine = [
            rows[0],
            *([renamed.get(cell, cell) for cell in row] for row in rows[1:] if set(row) & set(renamed)),
        ]
        files[path.name] = as_csv(mine[:60], delimiter)
    return files


def mapped_case(at: random.Random) -> Case:
    mapping = (ROOT / "config" / "sites" / "demo.yaml").read_text(encoding="utf-8")
    mapping = mapping.replace("source: data/demo", "source: THE_FOLDER\nmax_set_aside_percent: 100")
    return Case(at, "mapped", dict(demo_files()), mapping)
