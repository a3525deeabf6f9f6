"""What a document says, read back from its file: its sentences, and the rows of its tables."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import lxml.html
from docx import Document
from pptx import Presentation

SENTENCES = "//p | //h1 | //h2 | //h3 | //li | //caption | //figcaption | //title[not(ancestor::svg)]"


class Said(NamedTuple):
    """The sentences with a digit in them (headings of tables too), and how often each row of a table with one is there."""

    sentences: set[str]
    rows: Counter[tuple[str, ...]]


def read_back(name: str, content: bytes) -> Said:
    """Returns what a docx, pptx or html says; numbers inside pictures (axes of figures) are not read."""
    return READERS[Path(name).suffix](content)


def said_in(contents: Mapping[str, Any]) -> Said:
    """Returns what a document made of `report_contents` may say."""
    sentences = [
        *(contents[key] for key in ("title", "where")),
        f"{contents['title']}: {contents['cohort']}",
        " ".join(contents["banners"]),
        *(line for key in ("banners", "summary", "primary_lines", "footer") for line in contents[key]),
    ]
    headings: list[tuple[str, ...]] = []
    rows: list[tuple[str, ...]] = []
    for figure in contents["figures"]:
        sentences += [figure["title"], figure["caption"], f"{figure['title']}: {contents['cohort']}"]
    for table in contents["tables"]:
        titles = [table["title"], table["caption"], f"{table['title']}: {contents['cohort']}"]
        sentences += [*titles, f"{titles[-1]}, continued", *table["footnotes"]]
        headings.append(tuple(table["headings"]))
        rows += [(line["label"], *line["texts"]) for line in table["lines"]]
    for definition in contents["definitions"]:
        sentences += [
            definition["heading"],
            definition["source"],
            *definition["lines"],
            *definition["open_points"],
        ]
    return _with_digits(sentences, headings, rows)


def _docx(content: bytes) -> Said:
    document = Document(io.BytesIO(content))
    headers = [section.header.paragraphs for section in document.sections]
    paragraphs = [*document.paragraphs, *(paragraph for header in headers for paragraph in header)]
    return _with_digits((paragraph.text for paragraph in paragraphs), *_rows(document.tables))


def _pptx(content: bytes) -> Said:
    shapes = [shape for slide in Presentation(io.BytesIO(content)).slides for shape in slide.shapes]
    framed = (shape.text_frame for shape in shapes if shape.has_text_frame)
    headings, rows = _rows(shape.table for shape in shapes if shape.has_table)
    return _with_digits((line.text for frame in framed for line in frame.paragraphs), headings, rows)


def _rows(tables: Iterable[Any]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The headings of native tables, and their other rows."""
    grids = [[tuple(cell.text for cell in row.cells) for row in table.rows] for table in tables]
    return [grid[0] for grid in grids], [row for grid in grids for row in grid[1:]]


def _html(content: bytes) -> Said:
    page = lxml.html.document_fromstring(content)
    headings, rows = (
        [tuple(_text(cell) for cell in row.xpath("./th | ./td")) for row in page.xpath(f"//{part}/tr")]
        for part in ("thead", "tbody")
    )
    return _with_digits((_text(element) for element in page.xpath(SENTENCES)), headings, rows)


def _text(element: lxml.html.HtmlElement) -> str:
    return str(element.text_content())


def _with_digits(
    sentences: Iterable[str], headings: Iterable[tuple[str, ...]], rows: Iterable[tuple[str, ...]]
) -> Said:
    tidy = {" ".join(said.split()) for said in [*sentences, *(" | ".join(row) for row in headings)]}
    texts = [tuple(" ".join(text.split()) for text in row) for row in rows]
    return Said(set(filter(_has_digit, tidy)), Counter(row for row in texts if _has_digit("".join(row))))


def _has_digit(text: str) -> bool:
    return any(sign.isdigit() for sign in text)


READERS = {".docx": _docx, ".pptx": _pptx, ".html": _html}
