"""Identifiers planted in extracts, in every form, and clean extracts full of look-alikes. All of it is synthetic."""

from __future__ import annotations

import datetime as dt
import random
import string
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

import openpyxl
import polars as pl
from openpyxl.comments import Comment

from d2tra.extract.identifiers import AREAS
from d2tra.extract.person_names import GIVEN_NAMES
from d2tra.extract.screen import Screening, screen_extract
from d2tra.extract.site import SiteMapping
from extracts import CLEAN, drawn

Extract = dict[str, dict[str, list[str]]]
DRUGS = [
    "methotrexate",
    "Humira",
    "Humira Pen",
    "Enbrel MyClic 50mg",
    "MTX / SSZ",
    "adalimumab (Hyrimoz)",
    "Rituximab",
]
TERMS = [
    "Rheumatoid Arthritis",
    "Fibromyalgia",
    "Seropositive rheumatoid arthritis of both hands",
    "Knee L4 5TH",
]
CODES = ["M05.9", "M059", "M79.7", "1162313005", "239873007", "N040.", "G33zz", "69896004", "E11"]
VALUES = ["<5", "34.2", ">340", "Weak Positive", "positive", "12 mm/hr", "1:80"]
GROUPS = ["White British", "Black African", "Not Stated", "Any Other White Background", "Mixed"]


def digits(at: random.Random, n: int) -> str:
    return "".join(at.choices(string.digits, k=n))


def day(at: random.Random, first: int, last: int) -> str:
    return (dt.date(first, 1, 1) + dt.timedelta(at.randrange((last - first + 1) * 365))).isoformat()


PSEUDONYMS: list[Callable[[random.Random], str]] = [
    lambda at: f"P{at.randrange(10**4):04d}",
    lambda at: digits(at, 10),
    lambda at: "0" + digits(at, 10),
    lambda at: f"{digits(at, 3)}-{digits(at, 3)}-{digits(at, 4)}",
    lambda at: "".join(at.choices("0123456789ABCDEF", k=6)),
    lambda at: str(uuid.UUID(int=at.getrandbits(128))),
    lambda at: f"RA-{digits(at, 5)}-{digits(at, 6)}",
]


def clean_extract(seed: int) -> Extract:
    """Random canonical tables, look-alikes among them; columns that are not canonical stand for ignored ones."""
    at = random.Random(seed)
    n = at.randint(25, 40)
    pseudonym = at.choice(PSEUDONYMS)
    ids = [pseudonym(at) for _ in range(n)]

    def per_row(cell: Callable[[], str]) -> list[str]:
        return [cell() if at.random() < 0.9 else "" for _ in range(n)]

    return {
        "patients": {
            "patient_id": ids,
            "birth_year": per_row(lambda: str(at.randint(1930, 2003))),
            "diagnosis_date": per_row(lambda: day(at, 1975, 2005)),
            "ethnic_group": per_row(lambda: at.choice(GROUPS)),
            "lsoa": per_row(lambda: "E010" + digits(at, 5)),
        },
        "labs": {
            "patient_id": at.choices(ids, k=n),
            "sample_date": per_row(lambda: day(at, 2015, 2023)),
            "value": per_row(lambda: at.choice(VALUES)),
            "lab_number": per_row(lambda: digits(at, 10)),
        },
        "diagnoses": {
            "patient_id": at.choices(ids, k=n),
            "code": per_row(lambda: at.choice(CODES)),
            "term": per_row(lambda: at.choice(TERMS)),
        },
        "treatments": {
            "drug": per_row(lambda: at.choice(DRUGS)),
            "start_date": per_row(lambda: day(at, 1980, 2023)),
            "stop_reason": per_row(
                lambda: at.choice(["inefficacy", "See Letter", "LFTs up 2nd time", "wore off"])
            ),
        },
    }


def valid_number(at: random.Random) -> str:
    while True:
        nine = digits(at, 9)
        check = -sum(int(digit) * weight for digit, weight in zip(nine, range(10, 1, -1), strict=True)) % 11
        if check < 10 and len(set(nine)) > 1:
            return f"{nine}{check}"


def postcode(at: random.Random) -> str:
    inward = at.choice("456789") + "".join(at.choices("ABDEFGJLNPQRSUWXYZ", k=2))
    return f"{at.choice(AREAS.split())}{at.randint(1, 29)} {inward}"


def spaced(number: str) -> str:
    return f"{number[:3]} {number[3:6]} {number[6:]}"


def name(at: random.Random) -> str:
    surname = at.choice(["Okafor", "O'Neill", "McDonald", "Thornton", "Smith-Jones", "Brontë"])
    return f"{at.choice(GIVEN_NAMES.split('|')).title()} {surname}"


# kind, how one value is made, how many cells of a column it needs (1: a single cell among others is enough)
PLANTS: list[tuple[str, Callable[[random.Random], str], int]] = [
    ("number", lambda at: spaced(valid_number(at)), 1),
    ("number", lambda at: f"NHS no {valid_number(at)}", 1),
    ("number", valid_number, 10),
    ("postcode", postcode, 1),
    ("postcode", lambda at: f"moved to {postcode(at).lower()} in May", 1),
    ("e-mail address", lambda at: f"{name(at).split()[0].lower()}.{digits(at, 2)}@example.org", 1),
    ("phone number", lambda at: f"07{digits(at, 3)} {digits(at, 6)}", 1),
    ("phone number", lambda at: f"+44 {at.choice('1237')}{digits(at, 9)}", 1),
    ("date of birth", lambda at: day(at, 1930, 2000), 10),
    ("name", name, 10),
    ("hospital number", lambda at: f"K{digits(at, 6)}", 1),
]


def screened(folder: Path, extract: Extract, **declared: object) -> Screening:
    for table, columns in extract.items():
        pl.DataFrame(columns).write_csv(folder / f"{table}.csv")
    section = {"name": "site", "path": "site.yaml", "source": str(folder), "format": "canonical"}
    return screen_extract(SiteMapping.model_validate({**section, **declared}))


# Planted in every form


def _number_of(at: random.Random, first: int, last: int) -> str:
    """A number of ten digits with its check digit, in a range of those that are given out."""
    while True:
        nine = f"{at.randint(first // 10, last // 10):09d}"
        check = -sum(int(digit) * weight for digit, weight in zip(nine, range(10, 1, -1), strict=True)) % 11
        if check < 10:
            return f"{nine}{check}"


def _chi(at: random.Random) -> str:
    day_month = f"{at.randint(1, 28):02d}{at.randint(1, 12):02d}"
    while True:
        number = _number_of(at, int(day_month) * 10**6, int(day_month) * 10**6 + 999_999)
        if number.startswith(day_month):
            return number


def _birth(at: random.Random) -> str:
    return f"{at.randint(10, 28)} {at.choice(['March', 'May', 'July'])} {at.randint(1930, 1999)}"


# kind → the value, and how it is written among other words
KINDS: dict[str, tuple[Callable[[random.Random], str], str]] = {
    "NHS number": (lambda at: spaced(_number_of(at, 4_000_000_000, 4_999_999_999)), "{}"),
    "CHI number": (lambda at: spaced(_chi(at)), "{}"),
    "H&C number": (lambda at: spaced(_number_of(at, 3_200_000_000, 3_999_999_999)), "{}"),
    "postcode": (postcode, "{}"),
    "e-mail address": (lambda at: f"{name(at).split()[0].lower()}.{digits(at, 3)}@example.org", "{}"),
    "phone number": (lambda at: f"07{digits(at, 3)} {digits(at, 6)}", "{}"),
    "date of birth": (_birth, "DOB {}"),
    "name": (name, "{}"),
    "hospital number": (lambda at: f"K{digits(at, 6)}", "{}"),
    "address": (lambda at: f"{at.randint(1, 199)} {at.choice(['Mill', 'Abbey', 'Station'])} {at.choice(['Lane', 'Road'])}", "{}"),
}  # fmt: skip
HEALTH_NUMBERS = {"NHS number", "CHI number", "H&C number"}
STOP_IN_PROPERTIES = HEALTH_NUMBERS | {"postcode", "e-mail address", "phone number"}
FORMS = (
    "cell", "column", "free text", "drug", "term", "ignored column", "header", "sheet name", "file name", "property",
    "comment", "defined name", "link", "hidden row", "parquet metadata", "parquet column",
)  # fmt: skip


def can_stop(kind: str, form: str) -> bool:
    """Returns whether this kind stops the run in this form (a name is one as a column, a header, a sheet or a file)."""
    if kind == "name":
        return form in (
            "column",
            "parquet column",
            "ignored column",
            "header",
            "sheet name",
            "file name",
        )
    return kind in STOP_IN_PROPERTIES or form not in ("property", "parquet metadata")


def plant(at: random.Random, kind: str, form: str, folder: Path) -> list[str] | None:
    """Plants a kind in a form into the canonical tables of `folder` (the clean extract where it has none).

    Returns the values, or None where this kind does not stop in this form.
    """
    if not can_stop(kind, form):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    make, written = KINDS[kind]
    values = [make(at) for _ in range(12 if "column" in form else 2)]
    texts = [written.format(value) for value in values]
    tables = {path.stem: pl.read_csv(path, infer_schema=False) for path in sorted(folder.glob("*.csv"))}
    for table in () if tables else CLEAN:
        header, *rows = drawn(CLEAN[table])
        tables[table] = pl.DataFrame(rows, schema=header, orient="row")
    whole = "column" in form
    if whole or form in ("cell", "free text", "hidden row"):
        patients = tables["patients"]
        while whole and patients.height < len(texts):
            patients = pl.concat([patients, patients])
        among = (
            "reviewed in the clinic and then {}, to be seen in six months" if form == "free text" else "{}"
        )
        cells = texts * patients.height if whole else [among.format(texts[0]), *["seen"] * patients.height]
        tables["patients"] = patients.with_columns(remark=pl.Series(cells[: patients.height]))
        values = values if whole else values[:1]
    elif form in ("drug", "term"):
        table = "treatments" if form == "drug" else "diagnoses"
        cells = tables[table][form].to_list()
        cells[:2] = [f"x {text}" for text in texts]
        tables[table] = tables[table].with_columns(pl.Series(form, cells))
    elif form == "header":
        tables["visits"] = tables["visits"].with_columns(pl.lit("x").alias(texts[0]))
        values = values[:1]
    for path in folder.glob("*.csv"):
        path.unlink()
    if form in ("sheet name", "file name", "property", "comment", "defined name", "link", "hidden row"):
        _write_workbook(tables, folder, form, texts)
        values = values[:1]
    else:
        for table, frame in tables.items():
            if form.startswith("parquet") and table == "patients":
                metadata = {"note": texts[0]} if form == "parquet metadata" else None
                frame.write_parquet(folder / "patients.parquet", metadata=metadata)
            else:
                frame.write_csv(folder / f"{table}.csv")
        values = values[:1] if form == "parquet metadata" else values
    return values


def _write_workbook(tables: dict[str, pl.DataFrame], folder: Path, form: str, texts: list[str]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for table, frame in tables.items():
        sheet = book.create_sheet(table)
        for row in (frame.columns, *frame.rows()):
            sheet.append(list(row))
    first = book["patients"]
    if form == "sheet name":
        book.create_sheet(texts[0])["A1"] = "x"
    elif form == "property":
        book.properties.keywords = texts[0]
    elif form == "comment":
        first["B2"].comment = Comment(texts[0], "Ward")
    elif form == "defined name":
        book.defined_names["note"] = openpyxl.workbook.defined_name.DefinedName(
            "note", attr_text=f'"{texts[0]}"'
        )
    elif form == "link":
        first["B2"].hyperlink = f"mailto:{texts[0]}"
    elif form == "hidden row":
        first.row_dimensions[2].hidden = True
        first.column_dimensions[openpyxl.utils.get_column_letter(first.max_column)].hidden = True
        first.sheet_state = "veryHidden"
    book.save(folder / (f"{texts[0]}.xlsx" if form == "file name" else "register.xlsx"))


def missed(at: random.Random, kind: str, form: str, folder: Path) -> str | None:
    """Returns what went wrong with a planted identifier; None where it stops the run and is not said."""
    for path in folder.glob("*"):
        path.unlink()
    values = plant(at, kind, form, folder) or []
    section = {"name": "site", "path": "site.yaml", "source": str(folder), "format": "canonical"}
    more = {
        "hospital_number": "K[0-9]{6}",
        "allow_text": ["remark"] if form == "free text" and kind != "address" else [],
    }
    if form == "ignored column":
        more["ignore"] = {"patients": ["remark"]}
    screening = screen_extract(SiteMapping.model_validate({**section, **more}))
    kinds = {hit.kind for hit in screening.hits}
    if not kinds & (HEALTH_NUMBERS if kind in HEALTH_NUMBERS else {kind}):
        return f"not found ({', '.join(sorted(kinds)) or 'nothing'} found)"
    said = values_said(values, [screening.stop_message().encode(), str(screening.as_dict()).encode()])
    return f"{said} values said" if said else None


def values_said(values: Iterable[str], contents: Iterable[bytes]) -> int:
    """Returns how many planted values stand in some content, as written or without their blanks."""
    forms = [{value.encode(), value.replace(" ", "").encode()} for value in values]
    contents = list(contents)
    return sum(any(form in content for form in each for content in contents) for each in forms)


def clean_problem(seed: int, folder: Path) -> str | None:
    """Returns what a clean random extract is stopped for; None where it passes."""
    folder.mkdir(parents=True, exist_ok=True)
    hits = screened(folder, clean_extract(seed)).hits
    return "; ".join(f"{hit.file} {hit.column}: {hit.kind}" for hit in hits) or None
