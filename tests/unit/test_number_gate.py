"""No number leaves in a document that no released cell supports: 200 changed digits, 200 found."""

import io
import random
import re
import zipfile

import pytest
from matplotlib.figure import Figure

from d2tra.config import load_study
from d2tra.definitions import load_definition
from d2tra.disclosure import load_profile
from d2tra.documents.contents import report_contents
from d2tra.documents.number_gate import confirm_numbers, find_unsupported
from d2tra.documents.pages import report_page
from d2tra.documents.presentation import poster, slide_deck
from d2tra.documents.word_report import report_document
from d2tra.errors import StudyError
from d2tra.tables.cells import as_cells, count_cell, proportion_cell, value_cell
from d2tra.tables.table import Table

TABLES = [
    Table(
        "selection_flow", "Selection", as_cells([count_cell("All", "Left", n) for n in (95,)]), ("95 read.",)
    ),
    Table(
        "odds_ratios",
        "Odds ratios of 4 factors",
        as_cells(
            [
                cell
                for row, n, ratio in (
                    ("Obese", 8, 3.53),
                    ("Fibromyalgia", 7, 3.91),
                    ("Osteoarthritis", 7, 1.2),
                )
                for cell in (
                    proportion_cell(row, "Met", n, 12),
                    value_cell("estimate", row, "Odds ratio", ratio, 0.98, 12.72),
                )
            ]
        ),
        ("Exploratory: 4 parameters above the budget of 0.",),
    ),
]
N_CHANGES = 200


@pytest.fixture(scope="module")
def contents():
    study, profile = load_study("audit_demo"), load_profile("opensafely")
    definitions = [load_definition(name) for name in ("eular_2021", "strata_fit_1", "strata_fit_2")]
    return report_contents(study, "audit", profile, True, TABLES, ["odds_ratios"], definitions)


@pytest.fixture(scope="module")
def documents(contents):
    picture = io.BytesIO()
    Figure(figsize=(1, 1)).savefig(picture, format="png")
    pngs = {"odds_ratios": picture.getvalue()}
    svg = b'<svg width="9" height="9"><text>0.5</text></svg>'
    return {
        "report.docx": report_document(contents, pngs),
        "report.html": report_page(contents, {"odds_ratios": svg}).encode(),
        "slides.pptx": slide_deck({"audit": contents}, {"audit": pngs}),
        "poster.pptx": poster(contents, pngs),
    }


def parts_of(name, content):
    """The parts of the file that hold its words, and what packs them again."""
    if name.endswith(".html"):
        head, body = content.decode().split("</head>")
        return {"": body}, lambda parts: f"{head}</head>{parts['']}".encode()
    wanted = re.compile(r"word/(document|header\d)\.xml|ppt/slides/slide\d+\.xml")
    archive = zipfile.ZipFile(io.BytesIO(content))
    kept = {part: archive.read(part) for part in archive.namelist()}

    def pack(parts):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as new:
            for part, data in kept.items():
                new.writestr(part, parts[part].encode() if part in parts else data)
        return packed.getvalue()

    return {part: data.decode() for part, data in kept.items() if wanted.fullmatch(part)}, pack


def with_one_digit_changed(name, content, draw):
    """The document with one digit of its words changed: pictures left alone."""
    parts, pack = parts_of(name, content)
    tag = r"<(?:w:t|a:t)(?: [^>]*)?>([^<]+)<" if not name.endswith(".html") else r">([^<>]*\d[^<>]*)<"
    pictures = {
        part: [found.span() for found in re.finditer("(?s)<svg.*?</svg>|<nav.*?</nav>", text)]
        for part, text in parts.items()
    }
    places = [
        (part, start + offset)
        for part, text in sorted(parts.items())
        for found in re.finditer(tag, text)
        for start in [found.start(1)]
        for offset, sign in enumerate(found.group(1))
        if sign.isdigit() and not any(low <= start < high for low, high in pictures[part])
    ]
    part, at = draw.choice(places)
    text = parts[part]
    other = draw.choice([digit for digit in "0123456789" if digit != text[at]])
    return pack({**parts, part: f"{text[:at]}{other}{text[at + 1 :]}"})


@pytest.mark.parametrize("name", ["report.docx", "report.html", "slides.pptx", "poster.pptx"])
def test_a_document_as_it_was_made_passes(name, documents, contents):
    assert find_unsupported(name, documents[name], [contents]) == []


@pytest.mark.parametrize("name", ["report.docx", "report.html", "slides.pptx", "poster.pptx"])
def test_every_changed_digit_is_found(name, documents, contents):
    draw = random.Random(20240424)
    for _ in range(N_CHANGES // 4):
        changed = with_one_digit_changed(name, documents[name], draw)
        assert find_unsupported(name, changed, [contents])


def test_a_row_that_is_there_once_too_often_is_found(documents, contents):
    """Changed into the row of another factor, a row is still one that some cells support."""
    swapped = (
        documents["report.html"]
        .replace(b">Osteoarthritis<", b">Fibromyalgia<")
        .replace(b"1.20 (0.98", b"3.91 (0.98")
    )
    assert any("Fibromyalgia" in place for place in find_unsupported("report.html", swapped, [contents]))


def test_a_document_with_another_number_is_not_released_and_the_place_is_named(documents, contents):
    wrong = documents["report.html"].replace(b"95 read.", b"96 read.")
    with pytest.raises(StudyError, match=r"report.html: 1 places hold a number.*\n  96 read\."):
        confirm_numbers({"report.html": wrong}, [contents])
