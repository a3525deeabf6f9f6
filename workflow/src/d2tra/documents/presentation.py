"""slides.pptx and poster.pptx: native tables and pictures of the released figures, to be edited by the authors."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image
from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.presentation import Presentation as Deck
from pptx.slide import Slide
from pptx.util import Mm, Pt

from d2tra.documents.packed import MADE_ON, repacked

SLIDE_MM = (338.7, 190.5)  # 16 : 9
POSTER_MM = (841, 1189)  # A0, upright
MOST_ROWS = 12  # of a table on one slide
BLANK = 6  # the layout without placeholders
RED, INK = RGBColor(0xB0, 0x00, 0x20), RGBColor(0x22, 0x22, 0x22)
ON_SLIDES = ("selection_flow", "prevalence_by_cohort", "d2t_characteristics", "odds_ratios", "reproduction")
ON_POSTER = ("prevalence", "odds_ratios", "d2t_characteristics", "prevalence_by_definition")
TO_WRITE = "[to be written by the authors]"
Box = tuple[float, float, float, float]  # left, top, width, height in mm


def slide_deck(reports: Mapping[str, Mapping[str, Any]], pngs: Mapping[str, Mapping[str, bytes]]) -> bytes:
    """Returns slides.pptx: a title, then per cohort its summary, its figures and its main tables, each with its banners.

    `reports`: cohort → what `report_contents` gives; `pngs`: cohort → figure → png.
    """
    deck = _new(SLIDE_MM, next(iter(reports.values()))["title"])
    for cohort, contents in reports.items():
        _opening(deck, cohort, contents)
        for figure in contents["figures"]:
            slide = _slide(deck, contents, f"{figure['title']}: {cohort}")
            _picture(slide, pngs[cohort][figure["name"]], figure["alt"], (15, 28, 308, 140))
        for table in (table for table in contents["tables"] if table["name"] in ON_SLIDES):
            _table_slides(deck, contents, cohort, table)
    return _as_bytes(deck)


def poster(contents: Mapping[str, Any], pngs: Mapping[str, bytes]) -> bytes:
    """Returns poster.pptx (A0) of one cohort: what the program knows is filled in, what authors must say is left to them."""
    deck = _new(POSTER_MM, contents["title"])
    slide = deck.slides.add_slide(deck.slide_layouts[BLANK])
    _say(slide, [contents["title"]], (40, 30, 761, 60), 66, bold=True)
    _say(slide, [TO_WRITE + " (authors, affiliations)"], (40, 95, 761, 25), 32)
    _say(slide, contents["banners"], (40, 122, 761, 30), 24, bold=True, colour=RED)
    _heading(slide, "Background", (40, 165, 365, 20))
    _say(slide, [TO_WRITE], (40, 190, 365, 90), 28)
    _heading(slide, "Methods", (436, 165, 365, 20))
    _say(slide, [contents["where"], *contents["primary_lines"]],
         (436, 190, 365, 170), 17)  # fmt: skip
    _heading(slide, "Results", (40, 375, 761, 20))
    _say(slide, contents["summary"], (40, 400, 761, 70), 26)
    tables = {table["name"]: table for table in contents["tables"]}
    if "prevalence_by_cohort" in tables:
        _table(slide, tables["prevalence_by_cohort"], (40, 485, 761, 60), 22)
    titles = {figure["name"]: figure for figure in contents["figures"]}
    shown = [name for name in ON_POSTER if name in titles]
    for number, name in enumerate(shown):
        left, top = 40 + 396 * (number % 2), 575 + 235 * (number // 2)
        _say(slide, [titles[name]["title"]], (left, top, 365, 15), 26, bold=True)
        _picture(slide, pngs[name], titles[name]["alt"], (left, top + 17, 365, 205))
    _heading(slide, "Conclusions", (40, 1060, 761, 20))
    _say(slide, [TO_WRITE], (40, 1085, 761, 40), 28)
    _say(slide, contents["footer"], (40, 1135, 761, 40), 14)
    return _as_bytes(deck)


def _new(size_mm: tuple[float, float], title: str) -> Deck:
    deck = Presentation()
    deck.slide_width, deck.slide_height = Mm(size_mm[0]), Mm(size_mm[1])
    properties = deck.core_properties
    properties.author, properties.last_modified_by, properties.title = "", "", title
    properties.created = properties.modified = MADE_ON
    return deck


def _opening(deck: Deck, cohort: str, contents: Mapping[str, Any]) -> None:
    slide = _slide(deck, contents, f"{contents['title']}: {cohort}")
    _say(slide, [contents["where"], *contents["summary"]],
         (15, 34, 308, 130), 18)  # fmt: skip


def _slide(deck: Deck, contents: Mapping[str, Any], title: str) -> Slide:
    slide = deck.slides.add_slide(deck.slide_layouts[BLANK])
    _say(slide, [title], (15, 6, 308, 16), 24, bold=True)
    _say(slide, [" ".join(contents["banners"])], (15, 178, 308, 10), 10, bold=True, colour=RED)
    return slide


def _table_slides(deck: Deck, contents: Mapping[str, Any], cohort: str, table: Mapping[str, Any]) -> None:
    """A table runs on over as many slides as it needs."""
    lines = table["lines"]
    parts = [lines[start : start + MOST_ROWS] for start in range(0, len(lines), MOST_ROWS)]
    for number, part in enumerate(parts, start=1):
        more = ", continued" if number > 1 else ""
        slide = _slide(deck, contents, f"{table['title']}: {cohort}{more}")
        _table(slide, {**table, "lines": part}, (15, 28, 308, 10 * (len(part) + 1)), 11)


def _table(slide: Slide, table: Mapping[str, Any], box: Box, size_pt: int) -> None:
    headings, lines = table["headings"], table["lines"]
    shape = slide.shapes.add_table(len(lines) + 1, len(headings), *map(Mm, box))
    rows = [headings, *([line["label"], *line["texts"]] for line in lines)]
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            cell = shape.table.cell(row, column)
            cell.text = text
            cell.text_frame.paragraphs[0].font.size = Pt(size_pt)


def _heading(slide: Slide, text: str, box: Box) -> None:
    _say(slide, [text], box, 40, bold=True)


def _say(
    slide: Slide, sentences: Sequence[str], box: Box, size_pt: int, bold: bool = False, colour: RGBColor = INK
) -> None:
    frame = slide.shapes.add_textbox(*map(Mm, box)).text_frame
    frame.word_wrap = True
    for number, sentence in enumerate(sentences):
        paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
        run = paragraph.add_run()
        run.text = sentence
        run.font.size, run.font.bold, run.font.color.rgb = Pt(size_pt), bold, colour


def _picture(slide: Slide, png: bytes, alt: str, box: Box) -> None:
    """As large as the box allows, its shape kept."""
    left, top, width, height = box
    with Image.open(io.BytesIO(png)) as image:
        wide, tall = image.size
    scale = min(width / wide, height / tall)
    picture = slide.shapes.add_picture(io.BytesIO(png), Mm(left), Mm(top), Mm(wide * scale), Mm(tall * scale))
    picture._pic.nvPicPr.cNvPr.set("descr", alt)  # type: ignore[attr-defined]


def _as_bytes(deck: Deck) -> bytes:
    packed = io.BytesIO()
    deck.save(packed)
    return repacked(packed.getvalue())
