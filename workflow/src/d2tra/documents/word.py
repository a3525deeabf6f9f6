"""Word documents: each table as one, and the report of a cohort; to be edited, with no name, path or time in them."""

from __future__ import annotations

import copy
import io
from collections.abc import Sequence
from typing import Any

from docx import Document
from docx.document import Document as Word
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.oxml.table import CT_Row
from docx.section import Section
from docx.shared import Emu, Mm, Pt, RGBColor
from docx.table import Table, _Row
from docx.text.paragraph import Paragraph

from d2tra.documents.packed import MADE_ON, repacked

MARGIN_MM, SHORT_SIDE_MM, LONG_SIDE_MM = 20, 210, 297
MOST_COLUMNS_UPRIGHT = 5  # beside the row labels
LABEL_SHARE = 0.28  # of the width of the page
BANNER = RGBColor(0xB0, 0x00, 0x20)


def table_document(table: dict[str, Any], banners: Sequence[str]) -> bytes:
    """Returns one laid-out table as a docx: caption, native table with a repeated header row, footnotes."""
    document = new_document(table["title"], banners, wide=is_wide(table))
    add_table(document, table, table["title"])
    return as_bytes(document)


def new_document(title: str, banners: Sequence[str], wide: bool = False) -> Word:
    """Returns an empty A4 document whose header says the banners on every page."""
    document = Document()
    properties = document.core_properties
    properties.author, properties.last_modified_by, properties.comments = "", "", ""
    properties.title = title
    properties.created = properties.modified = MADE_ON
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = "Arial", Pt(10)
    for name, size_pt in (("Title", 20), ("Heading 1", 14), ("Heading 2", 11), ("Caption", 9)):
        document.styles[name].font.name, document.styles[name].font.size = "Arial", Pt(size_pt)
    section = document.sections[0]
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Mm(MARGIN_MM)
    turn(document, wide)
    for banner in banners:
        line = section.header.paragraphs[0].add_run(f"{banner} ")
        line.bold, line.font.size, line.font.color.rgb = True, Pt(8), BANNER
    return document


def turn(document: Word, wide: bool) -> None:
    """Lays the last section of the document across the page, or upright."""
    section = document.sections[-1]
    sides = (LONG_SIDE_MM, SHORT_SIDE_MM) if wide else (SHORT_SIDE_MM, LONG_SIDE_MM)
    section.orientation = WD_ORIENT.LANDSCAPE if wide else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Mm(sides[0]), Mm(sides[1])


def is_wide(table: dict[str, Any]) -> bool:
    """Returns whether the table needs the long side of the page."""
    return len(table["headings"]) - 1 > MOST_COLUMNS_UPRIGHT


def add_table(document: Word, table: dict[str, Any], caption: str) -> None:
    """Adds the caption, the table and its footnotes; the caption stays with the table."""
    above = document.add_paragraph(caption, style="Caption")
    above.paragraph_format.keep_with_next = True
    headings = table["headings"]
    grid = document.add_table(rows=3, cols=len(headings))
    _rule(grid)
    _set_widths(grid, document.sections[-1])
    head, *patterns = grid.rows
    _fill(head, headings, bold=True, indented=False)
    _mark(head, "w:tblHeader")  # stands on top of every page that the table runs over
    for row, indented in zip(patterns, (False, True), strict=True):
        _fill(row, [""] * len(headings), bold=False, indented=indented)
        _mark(row, "w:cantSplit")
        grid._tbl.remove(row._tr)
    for line in table["lines"]:
        grid._tbl.append(_like(patterns[line["indented"]], [line["label"], *line["texts"]]))
    for note in table["footnotes"]:
        _small(document.add_paragraph(), note)


def add_figure(document: Word, png: bytes, caption: str, alt: str, width_mm: float) -> None:
    """Adds a picture with its alternative text, and its caption below it."""
    paragraph = document.add_paragraph()
    paragraph.paragraph_format.keep_with_next = True
    picture = paragraph.add_run().add_picture(io.BytesIO(png), width=Mm(width_mm))
    described = picture._inline.docPr
    described.set("descr", alt)
    described.set("name", caption.split(".")[0])
    document.add_paragraph(caption, style="Caption")


def as_bytes(document: Word) -> bytes:
    """Returns the document's file; the same document gives the same bytes."""
    packed = io.BytesIO()
    document.save(packed)
    return repacked(packed.getvalue())


def _fill(row: _Row, texts: Sequence[str], bold: bool, indented: bool) -> None:
    for number, (cell, text) in enumerate(zip(row.cells, texts, strict=True)):
        paragraph = cell.paragraphs[0]
        _small(paragraph, text, bold)
        if number:
            paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        elif indented:
            paragraph.paragraph_format.left_indent = Mm(4)


def _like(pattern: _Row, texts: Sequence[str]) -> CT_Row:
    """A row that looks like the pattern: to make each cell of a table anew takes ten times as long."""
    row = copy.deepcopy(pattern._tr)
    for run, text in zip(row.iter(qn("w:r")), texts, strict=True):
        run.text = text
    return row


def _small(paragraph: Paragraph, text: str, bold: bool = False) -> None:
    run = paragraph.add_run(text)
    run.font.size, run.bold = Pt(8), bold
    paragraph.paragraph_format.space_before = paragraph.paragraph_format.space_after = Pt(1)


def _rule(grid: Table) -> None:
    """Thin horizontal lines and no others."""
    borders = OxmlElement("w:tblBorders")
    for side, eighths_pt, colour in (("top", 8, "222222"), ("bottom", 8, "222222"), ("insideH", 4, "CCCCCC")):
        line = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", str(eighths_pt)), ("color", colour)):
            line.set(qn(f"w:{name}"), value)
        borders.append(line)
    grid._tbl.tblPr.append(borders)


def _set_widths(grid: Table, section: Section) -> None:
    """The row labels get their share of the page, the columns the rest in equal parts."""
    page = int(section.page_width or 0) - int(section.left_margin or 0) - int(section.right_margin or 0)
    others = len(grid.columns) - 1
    labels = LABEL_SHARE * page if others > 1 else page / 2
    grid.autofit = False
    for number, column in enumerate(grid.columns):
        column.width = Emu(int((page - labels) / others if number else labels))
        for cell in column.cells:
            cell.width = column.width


def _mark(row: _Row, name: str) -> None:
    row._tr.get_or_add_trPr().append(OxmlElement(name))
