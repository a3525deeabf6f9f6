"""Tables and reports as Word, Excel and LaTeX files say what the cells say, and nothing of the machine that made them."""

import io
import re
import zipfile

import openpyxl
import pytest
from docx import Document
from matplotlib.figure import Figure

from d2tra.config import load_study
from d2tra.definitions import load_definition
from d2tra.disclosure import load_profile
from d2tra.documents.contents import report_contents
from d2tra.documents.latex import escaped
from d2tra.documents.packed import EARLIEST
from d2tra.documents.pages import table_files
from d2tra.documents.word_report import report_document
from d2tra.tables.cells import as_cells, count_cell, proportion_cell, text_cell, value_cell
from d2tra.tables.table import Table

CELLS = as_cells(
    [
        count_cell("=1+1", "All", 95),
        proportion_cell("Sex & age", "All", 12, 95, level="female_50%"),
        value_cell("estimate", "Obese", "All", 3.53, 0.98, float("inf")),
        text_cell("Said", "Met only", "@cmd"),
    ]
)
TABLE = Table(name="drugs", title="A table {of} 5 % & more", cells=CELLS, footnotes=("Note_1.",))
TEXTS = {"95", "12/95 (12.6 %; 7.4–20.8)", "3.53 (0.98–∞)", "@cmd"}


@pytest.fixture(scope="module")
def files():
    return table_files([TABLE], load_profile("local_audit"), synthetic=True)


def word_texts(document):
    return [cell.text for table in document.tables for row in table.rows for cell in row.cells]


def test_a_word_table_is_native_and_says_every_cell(files):
    document = Document(io.BytesIO(files["drugs.docx"]))
    assert set(word_texts(document)) >= TEXTS | {"=1+1", "Sex & age", "female_50%", "All", "Met only"}
    assert document.paragraphs[0].text == TABLE.title
    assert "Note_1." in [paragraph.text for paragraph in document.paragraphs]


def test_the_header_row_of_a_word_table_is_repeated_on_every_page(files):
    head, *others = Document(io.BytesIO(files["drugs.docx"])).tables[0].rows
    assert "w:tblHeader" in head._tr.xml
    assert not any("w:tblHeader" in row._tr.xml for row in others)


def test_every_page_of_a_word_document_says_that_the_data_are_synthetic_and_internal(files):
    header = Document(io.BytesIO(files["drugs.docx"])).sections[0].header.paragraphs[0].text
    assert "SYNTHETIC DATA" in header
    assert "not for release" in header


def test_a_workbook_holds_texts_and_numbers_and_no_formula(files):
    book = openpyxl.load_workbook(io.BytesIO(files["drugs.xlsx"]))
    shown = {cell.value for row in book["Table"].iter_rows() for cell in row}
    assert shown >= TEXTS | {"=1+1", TABLE.title}
    numbers = [cell.value for row in book["Numbers"].iter_rows() for cell in row]
    assert {95, 12, 3.53, 0.98, "inf"} <= set(numbers)
    parts = zipfile.ZipFile(io.BytesIO(files["drugs.xlsx"]))
    assert not any(b"<f>" in parts.read(name) for name in parts.namelist() if "worksheets" in name)


def test_latex_escapes_what_it_would_read_as_a_command(files):
    assert escaped(r"5 % & a_b \x {y} ~ ^") == (
        r"5 \% \& a\_b \textbackslash{}x \{y\} \textasciitilde{} \textasciicircum{}"
    )
    body = files["drugs.tex"]
    assert r"A table \{of\} 5 \% \& more" in body
    assert r"12/95 (12.6 \%; 7.4–20.8) & " in body
    assert body.count(r"\begin{longtable}") == body.count(r"\end{longtable}") == 1


@pytest.mark.parametrize("ending", ["docx", "xlsx"])
def test_the_same_table_gives_the_same_bytes_and_no_time_name_or_path(files, ending):
    again = table_files([TABLE], load_profile("local_audit"), synthetic=True)
    content = files[f"drugs.{ending}"]
    assert content == again[f"drugs.{ending}"]
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert {part.date_time for part in archive.infolist()} == {EARLIEST}
    said = archive.read("docProps/core.xml").decode()
    assert "python-docx" not in said
    assert re.findall(r"<(?:dc:creator|cp:lastModifiedBy)>([^<]+)<", said) == []
    assert set(re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", said)) == {"2000-01-01T00:00:00Z"}


def test_a_word_report_has_summary_plan_figure_with_alternative_text_tables_and_definitions():
    study = load_study("audit_demo")
    contents = report_contents(
        study, "audit", load_profile("local_audit"), True, [TABLE], [], [load_definition("eular_2021")]
    ) | {
        "figures": [
            {
                "name": "forest",
                "title": "Odds",
                "alt": "What is seen.",
                "caption": "Figure 1. Odds. With intervals.",
            }
        ]
    }
    picture = io.BytesIO()
    Figure(figsize=(1, 1)).savefig(picture, format="png")
    document = Document(io.BytesIO(report_document(contents, {"forest": picture.getvalue()})))
    headings = [p.text for p in document.paragraphs if p.style.name.startswith(("Heading 1", "Title"))]
    assert headings == [
        study.title, "Summary", "Action plan", "Figures", "Tables", "Definitions in words", "How this was made",
    ]  # fmt: skip
    assert set(word_texts(document)) >= TEXTS
    assert 'descr="What is seen."' in document.element.xml
    assert "Figure 1. Odds. With intervals." in [paragraph.text for paragraph in document.paragraphs]
    said = [paragraph.text for paragraph in document.paragraphs]
    assert set(load_definition("eular_2021").in_words()) <= set(said)
