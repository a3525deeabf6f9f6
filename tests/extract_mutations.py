"""What can go wrong with an extract: bytes, rows, cells, workbooks, folders, mappings."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io
import os
import random
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import polars as pl
import yaml

from extracts_to_break import SECRET, Case, as_csv, as_parquet, as_workbook

SIZES = (1_000, 100_000, 1_000_000)
ODD_NUMBERS = (
    "NaN",
    "inf",
    "-inf",
    "1e400",
    "9" * 400,
    "1e-400",
    "-0",
    "0x1F",
    "1_000",
    "1,5",
    "٣",
    "½",
    "１２",
    "+-3",
    ".",
    "1e",
    "TRUE",
    "yes",
)
ODD_DATES = (
    "0000-01-01",
    "9999-12-31",
    "10000-01-01",
    "-2020-01-01",
    "2020-02-30",
    "2020-13-01",
    "31/12/2020",
    "1e5",
    "2020-1-1",
    "2020-01-01T00:00:00Z",
    "9999999999",
    "-1",
    "43831",
    "0001-01-01",
)
ODD_TEXTS = (
    "=cmd|' /C calc'!A0",
    "#REF!",
    "=1+1",
    "@SUM(1)",
    "\u202eabc",
    "P\u200b1",
    "e\u0301",
    "\ufeff",
    "\U0001f600",
    "\x0b",
    "\x1f",
    "\x7f",
    "\u2028",
    "\x85",
    "'",
    "\\",
    "%s%n",
    "{n}",
    "$(id)",
    "<b>",
    "NULL",
    "None",
    SECRET,
)
UNICODE_TRICKS = ("\u200b", "\u200f", "\u202e", "\u00a0", "\ufeff", "\u0301", "\u2060", "\u3000")


# Mutations: of bytes


def truncated(case: Case) -> None:
    if name := case.some_file():
        case.files[name] = case.files[name][: case.at.randint(0, len(case.files[name]))]


def flipped_bytes(case: Case) -> None:
    if name := case.some_file():
        content = bytearray(case.files[name])
        for _ in range(case.at.choice([1, 1, 3, 20])):
            if content:
                content[case.at.randrange(len(content))] ^= 1 << case.at.randrange(8)
        case.files[name] = bytes(content)


def nul_bytes(case: Case) -> None:
    _insert(case, b"\0" * case.at.choice([1, 3, 500]))


def foreign_bytes(case: Case) -> None:
    _insert(
        case, case.at.choice([b"\xe9", b"\xff\xfe", b"\xc3", "é".encode(), b"\x80\x81", "é".encode("utf-16")])
    )


def _insert(case: Case, piece: bytes) -> None:
    if name := case.some_file():
        content = case.files[name]
        where = case.at.randint(0, len(content))
        case.files[name] = content[:where] + piece + content[where:]


def byte_order_mark(case: Case) -> None:
    if name := case.some_file(".csv"):
        mark = case.at.choice(
            [b"\xef\xbb\xbf", b"\xef\xbb\xbf" * 2, b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff"]
        )
        case.files[name] = mark + case.files[name]


def other_encoding(case: Case) -> None:
    if name := case.some_file(".csv"):
        text = case.files[name].decode("utf-8", "replace")
        case.files[name] = text.encode(
            case.at.choice(["utf-16", "utf-16-le", "utf-32", "cp1252", "utf-7"]), "replace"
        )


def line_ends(case: Case) -> None:
    if name := case.some_file(".csv"):
        end = case.at.choice([b"\r\n", b"\r", b"\n\r", b"\r\r\n", b"\n\n", b"\x0b", b"\xe2\x80\xa8"])
        case.files[name] = case.files[name].replace(b"\n", end, case.at.choice([-1, 1, 3]))


def other_delimiter(case: Case) -> None:
    if name := case.some_file(".csv"):
        new = case.at.choice([b";", b"\t", b"|", b" ", b":", b""])
        case.files[name] = case.files[name].replace(b",", new, case.at.choice([-1, -1, 1, 9]))


def unclosed_quote(case: Case) -> None:
    if name := case.some_file(".csv"):
        content = case.files[name]
        where = [i for i, byte in enumerate(content) if byte in b",\n"] or [0]
        at = case.at.choice(where) + 1
        case.files[name] = content[:at] + case.at.choice([b'"', b'""', b'"""', b'"x"y']) + content[at:]


def empty_file(case: Case) -> None:
    if name := case.some_file():
        case.files[name] = case.at.choice([b"", b"\n", b"  \n\n", b"\xef\xbb\xbf", b",,,\n,,,\n"])


def absent_file(case: Case) -> None:
    if name := case.some_file():
        del case.files[name]


def foreign_file(case: Case) -> None:
    if name := case.some_file():
        case.files[name] = case.files[case.some_file() or name]


# Mutations: of rows and cells


def _on_rows(case: Case, change: Callable[[list[list[str]]], None]) -> None:
    name = case.some_file(".csv", ".xlsx", ".parquet")
    if name is None:
        return
    try:
        if name.endswith(".csv"):
            delimiter = ";" if "laboratory" in name else ","
            rows = list(csv.reader(io.StringIO(case.files[name].decode()), delimiter=delimiter))
            change(rows)
            case.files[name] = as_csv(rows, delimiter)
        elif name.endswith(".xlsx"):
            book = openpyxl.load_workbook(io.BytesIO(case.files[name]))
            chosen = case.at.choice(book.sheetnames)
            sheets = {
                sheet.title: [
                    ["" if c is None else str(c) for c in row] for row in sheet.iter_rows(values_only=True)
                ]
                for sheet in book.worksheets
            }
            change(sheets[chosen])
            case.files[name] = as_workbook(sheets)
        else:
            frame = pl.read_parquet(io.BytesIO(case.files[name]))
            rows = [list(frame.columns), *([cell or "" for cell in row] for row in frame.rows())]
            change(rows)
            case.files[name] = as_parquet(rows)
    except Exception:  # what an earlier mutation broke is not changed further
        return


def _some_cell(at: random.Random, rows: list[list[str]], first: int = 1) -> tuple[int, int] | None:
    filled = [number for number in range(first, len(rows)) if rows[number]]
    if not filled:
        return None
    row = at.choice(filled)
    return row, at.randrange(len(rows[row]))


def odd_cells(case: Case) -> None:
    def change(rows: list[list[str]]) -> None:
        for _ in range(case.at.choice([1, 2, 5, 30])):
            if cell := _some_cell(case.at, rows):
                rows[cell[0]][cell[1]] = case.at.choice([*ODD_NUMBERS, *ODD_DATES, *ODD_TEXTS])

    _on_rows(case, change)


def odd_column(case: Case) -> None:
    def change(rows: list[list[str]]) -> None:
        if cell := _some_cell(case.at, rows):
            odd = case.at.choice([ODD_NUMBERS, ODD_DATES, ODD_TEXTS])
            for row in rows[1:]:
                if cell[1] < len(row):
                    row[cell[1]] = case.at.choice(odd)

    _on_rows(case, change)


def swapped_cells(case: Case) -> None:
    def change(rows: list[list[str]]) -> None:
        for _ in range(case.at.choice([1, 3, 20])):
            one, other = _some_cell(case.at, rows), _some_cell(case.at, rows)
            if one and other:
                a, b = rows[one[0]][one[1]], rows[other[0]][other[1]]
                rows[one[0]][one[1]], rows[other[0]][other[1]] = b, a

    _on_rows(case, change)


def ragged_rows(case: Case) -> None:
    def change(rows: list[list[str]]) -> None:
        for _ in range(case.at.choice([1, 3])):
            if cell := _some_cell(case.at, rows, first=0):
                if case.at.random() < 0.5:
                    rows[cell[0]].pop()
                else:
                    rows[cell[0]].append(case.at.choice(["", "x", SECRET]))

    _on_rows(case, change)


def moved_rows(case: Case) -> None:
    def change(rows: list[list[str]]) -> None:
        what = case.at.choice(
            ["twice", "gone", "blank", "shuffled", "header again", "all gone", "header gone", "many"]
        )
        if what == "header gone":
            del rows[:1]
        elif what == "all gone":
            del rows[1:]
        elif what == "many":
            rows += rows[1:] * 40
        elif len(rows) > 1:
            chosen = case.at.randrange(1, len(rows))
            if what == "twice":
                rows.insert(chosen, list(rows[chosen]))
            elif what == "gone":
                del rows[chosen]
            elif what == "blank":
                rows.insert(chosen, [""] * len(rows[0]))
            elif what == "header again":
                rows.insert(chosen, list(rows[0]))
            else:
                rows[1:] = case.at.sample(rows[1:], len(rows) - 1)

    _on_rows(case, change)


def other_header(case: Case) -> None:
    def change(rows: list[list[str]]) -> None:
        header = rows[0] if rows else [""]
        chosen = case.at.randrange(len(header)) if header else 0
        old = header[chosen] if header else ""
        trick = case.at.choice(UNICODE_TRICKS)
        header[chosen : chosen + 1] = [
            case.at.choice(
                ["", old.upper(), f" {old} ", old + trick, trick + old, "x" * 100_000, "source_row", "source", "_part",
                 "is_duplicate", "row", "as_read_drug", "patient_id", header[0], "é" * 300, "a\nb", '"', "{n}", "count",
                 "value", "column_1"]
            )
        ]  # fmt: skip

    _on_rows(case, change)


def another_column(case: Case) -> None:
    def change(rows: list[list[str]]) -> None:
        name = case.at.choice(
            ["extra", "dob", "nhs_number", "notes", "", "number", "haq_di_used", "2020-01-01"]
        )
        cell = case.at.choice(["", "x", "9434765919", "1950-02-03", SECRET, "y" * 60])
        for number, row in enumerate(rows):
            row.append(name if number < 2 else cell)  # a title may stand above the header

    _on_rows(case, change)


def tricky_pseudonyms(case: Case) -> None:
    def change(rows: list[list[str]]) -> None:
        trick = case.at.choice([*UNICODE_TRICKS, "/../", "a" * 65, "é", ",", "\n", '"', "'; DROP", "\x00"])
        for row in rows[1 : case.at.choice([2, 4, 99])]:
            if row:
                row[0] = case.at.choice([row[0] + trick, trick + row[0], row[0].lower()])

    _on_rows(case, change)


def big_cell(case: Case) -> None:
    # ten million once in a while: each takes a second
    size = case.at.choice([*SIZES] * 8 + [10_000_001])
    piece = case.at.choice(["x", "7", " ", "é", "9434765919 ", "a@b", SECRET, '""', "0 "])

    def change(rows: list[list[str]]) -> None:
        if cell := _some_cell(case.at, rows, case.at.choice([0, 1])):
            rows[cell[0]][cell[1]] = (piece * (size // len(piece) + 1))[
                : 32_000 if case.kind == "workbook" else size
            ]

    _on_rows(case, change)


# Mutations: of workbooks, parquet files and folders


def broken_member(case: Case) -> None:
    """A workbook whose archive is whole and one of whose parts is not."""
    name = case.some_file(".xlsx")
    if name is None or not zipfile.is_zipfile(io.BytesIO(case.files[name])):
        return
    written = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(case.files[name])) as old, zipfile.ZipFile(written, "w") as new:
            parts = old.namelist()
            chosen = case.at.choice(parts)
            for part in parts:
                content = old.read(part)
                if part == chosen:
                    how = case.at.randrange(7)
                    if how == 0:
                        continue
                    half = content[: case.at.randint(0, len(content))]
                    flipped = bytearray(content)
                    for _ in range(5):
                        if flipped:
                            flipped[case.at.randrange(len(flipped))] ^= 1 << case.at.randrange(8)
                    bomb = (
                        b'<!DOCTYPE x [<!ENTITY a "' + b"x" * 999 + b'"><!ENTITY b "' + b"&a;" * 999 + b'">]>'
                    )
                    far = content.replace(b'r="2"', b'r="1048577"').replace(b'r="A2"', b'r="XFE99999999"')
                    typed = re.sub(
                        rb't="[a-z]+"', case.at.choice([b't="e"', b't="b"', b't="s"', b't="d"']), content
                    )
                    content = (half, bytes(flipped), b"", bomb + content, far, typed, b"\0" * 99)[how - 1]
                new.writestr(part, content)
    except Exception:
        return
    case.files[name] = written.getvalue()


def zip_bomb(case: Case) -> None:
    """A sheet that expands to what it says, to far less than it says, or to far more."""
    name = case.some_file(".xlsx")
    if name is None or not zipfile.is_zipfile(io.BytesIO(case.files[name])):
        return
    written = io.BytesIO()
    size = case.at.choice([30_000_000, 120_000_000])
    try:
        with (
            zipfile.ZipFile(io.BytesIO(case.files[name])) as old,
            zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new,
        ):
            for part in old.namelist():
                content = old.read(part)
                if part.startswith("xl/worksheets/sheet1"):
                    content = content.replace(b"<sheetData>", b"<sheetData>" + b" " * size)
                new.writestr(part, content)
    except Exception:
        return
    content = written.getvalue()
    if case.at.random() < 0.6:  # the sizes in the directory are a lie
        lie = struct.pack("<I", case.at.choice([10, 1_000, 2**32 - 2]))
        found = [m.start() for m in re.finditer(b"PK\x01\x02", content)]
        changed = bytearray(content)
        for place in found:
            if b"sheet1" in content[place : place + 80]:
                changed[place + 24 : place + 28] = lie
        content = bytes(changed)
    case.files[name] = content


def formula_cells(case: Case) -> None:
    name = case.some_file(".xlsx")
    if name is None:
        return
    try:
        book = openpyxl.load_workbook(io.BytesIO(case.files[name]))
    except Exception:
        return
    sheet = book[case.at.choice(book.sheetnames)]
    for _ in range(case.at.choice([1, 5])):
        cell = sheet.cell(case.at.randint(1, 12), case.at.randint(1, 9))
        cell.value = case.at.choice(
            ["=1/0", "=SUM(A1:A9)", "=cmd|' /C calc'!A0", "#REF!", "#N/A", True, 1e300, -1.5, dt.date(1899, 12, 31),
             dt.datetime(9999, 12, 31), dt.time(3, 4), dt.timedelta(days=400), "=A1", 10**15]
        )  # fmt: skip
    if case.at.random() < 0.3:
        sheet.merge_cells("A1:C3")
    if case.at.random() < 0.3:
        sheet.sheet_state = "hidden" if len(book.sheetnames) > 1 else "visible"
    written = io.BytesIO()
    book.save(written)
    case.files[name] = written.getvalue()


def typed_parquet(case: Case) -> None:
    name = case.some_file(".parquet")
    if name is None:
        return
    try:
        frame = pl.read_parquet(io.BytesIO(case.files[name]))
    except Exception:
        return
    column = pl.col(case.at.choice(frame.columns))
    odd = case.at.choice(
        [column.cast(pl.Categorical), column.cast(pl.Binary), pl.concat_list(column), pl.struct(column), pl.lit(None),
         pl.lit(float("nan")), pl.lit(float("inf")), pl.lit(2**63 - 1), pl.lit(1e300), pl.lit(True),
         pl.lit(dt.time(1, 2)), pl.lit(dt.timedelta(3)), pl.lit(dt.date(1, 1, 1)), pl.lit(dt.datetime(9999, 12, 31)),
         pl.lit("1.25").cast(pl.Decimal(9, 2)), pl.lit(b"\xff"), pl.lit(3, dtype=pl.UInt64), pl.lit("a").cast(pl.Enum(["a"])),
         pl.lit(dt.datetime(2020, 1, 1)).dt.replace_time_zone("Europe/London"), pl.lit("x\x00y"), pl.lit(0.1 + 0.2)]
    )  # fmt: skip
    written = io.BytesIO()
    try:
        frame.with_columns(odd.alias(column.meta.output_name())).write_parquet(written)
    except Exception:
        return
    case.files[name] = written.getvalue()


def changed_folder(case: Case) -> None:
    """Links, folders, pipes and locked files where a file is expected."""
    name = case.some_file()
    if name is None:
        return
    how = case.at.choice(
        ["outside", "folder", "dangling", "loop", "directory", "fifo", "locked", "case", "spaces"]
    )

    def change(folder: Path) -> None:
        path = folder / name
        content = path.read_bytes()
        path.unlink()
        if how == "outside":
            (folder.parent / "elsewhere").write_bytes(content)
            path.symlink_to(folder.parent / "elsewhere")
        elif how == "folder":
            path.symlink_to(folder)
        elif how == "dangling":
            path.symlink_to(folder / "nowhere")
        elif how == "loop":
            path.symlink_to(path)
        elif how == "directory":
            path.mkdir()
        elif how == "fifo":
            os.mkfifo(path)
        elif how == "locked":
            path.write_bytes(content)
            path.chmod(0)
        else:
            (folder / (name.upper() if how == "case" else f" {name} ")).write_bytes(content)

    case.afterwards.append(change)
    case.done[-1] += f" ({how})"


# Mutations: of the mapping


def changed_mapping(case: Case) -> None:
    """Another type, an unknown key, one key less, or another word somewhere in the mapping."""
    try:
        section = yaml.safe_load(case.mapping)
    except Exception:  # broken already
        return
    places: list[tuple[object, object]] = []

    def walk(node: object) -> None:
        for key in (
            list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        ):
            places.append((node, key))
            walk(node[key])  # type: ignore[index]

    try:
        walk(section)
    except RecursionError:  # within itself: broken already
        return
    for _ in range(case.at.choice([1, 1, 3])):
        node, key = case.at.choice(places or [({}, "")])
        odd = case.at.choice(
            [None, 0, -1, 1e99, True, "", "x", [], {}, ["x"], {"x": "y"}, [[[]]], "none", dt.date(1, 1, 1), "\0", "{n}", "../..",
             "/dev/zero", "/etc/passwd", "%Y", "%", "excel", "(?=x)", "[", "(a+)+$", 10**30, "é", "~", "cm", "*", "utf-16", "zip",
             "undefined", "unicode_escape", "idna", "utf-7", {"file": "patients.csv"}, "patient_id", list(range(50)), ";;", "\n", '"']
        )  # fmt: skip
        how = case.at.random()
        if isinstance(node, dict) and how < 0.15:
            node[
                case.at.choice(
                    [
                        "unknown",
                        "Columns",
                        7,
                        None,
                        "header_row",
                        "delimiter",
                        "hospital_number",
                        "encoding",
                        "ignore",
                    ]
                )
            ] = odd
        elif isinstance(node, dict) and how < 0.3:
            node.pop(key, None)
        elif isinstance(node, dict) or (isinstance(node, list) and isinstance(key, int) and key < len(node)):
            node[key] = odd
    with contextlib.suppress(RecursionError):  # nested deeper than can be written: it stays as it was
        case.mapping = yaml.safe_dump(section, allow_unicode=True)


def broken_mapping(case: Case) -> None:
    levels = "\n".join(f"k{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    case.mapping = case.at.choice(
        [f"k0: &a0 [x]\n{levels}\n{case.mapping}", f"a: &a [*a]\n{case.mapping}", "ignore: &a {b: *a}\n" + case.mapping, "[" * 20_000,
         "- a\n- b", "", "7", "null", "{", "a: b: c", case.mapping + case.mapping, "source: !!python/object/apply:os.system [x]",
         "x: " + "y" * 3_000_000, case.mapping.replace(":", "", 1), "\t" + case.mapping, "a: 1\na: 2", "? [a]\n: b", "? {a: b}\n: c",
         "2020-99-99: x", "source: 2020-99-99", "x: !!binary a", "<<: 7", "<<: [1]", "a: {" * 5_000, "%YAML 9.9\n---\na: b", "--- a\n--- b",
         "tables:\n" + "".join(f"{'  ' * n}a:\n" for n in range(1, 400)), "source: \x00", "x: 0o99999999", "x: 1:60:99", "x: .nan"]
    )  # fmt: skip


def flipped_mapping(case: Case) -> None:
    text = list(case.mapping)
    for _ in range(case.at.choice([1, 3])):
        text[case.at.randrange(len(text))] = case.at.choice("abc:-{}[]#&*!|>'\"%@` \n\t,?0é\x07")
    case.mapping = "".join(text)


MUTATIONS = (
    truncated, flipped_bytes, nul_bytes, foreign_bytes, byte_order_mark, other_encoding, line_ends, other_delimiter,
    unclosed_quote, empty_file, absent_file, foreign_file, odd_cells, odd_cells, odd_column, odd_column, swapped_cells,
    ragged_rows, moved_rows, moved_rows, other_header, other_header, another_column, tricky_pseudonyms, big_cell, broken_member,
    zip_bomb, formula_cells, typed_parquet, changed_folder, changed_mapping, changed_mapping, broken_mapping, flipped_mapping,
)  # fmt: skip
