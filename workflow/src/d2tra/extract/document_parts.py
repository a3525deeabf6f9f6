"""What a file holds beside its cells: properties, comments, names, links, text boxes, copies of data behind pivot tables."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import polars as pl

from d2tra.errors import StudyError

ZIPPED = (".xlsx", ".xlsm", ".xlsb", ".ods")
PROPERTIES = ("docProps/core.xml", "docProps/app.xml", "docProps/custom.xml", "meta.xml")
COLUMN_TYPES = "ARROW:schema"  # a key of parquet's metadata that holds nothing else
# part of a workbook → what it is called, and where its words stand: texts of elements, values of attributes
PARTS = (
    (r"xl/(?:comments|threadedComments)/?[^/]*\.xml", "comments", True, ()),
    (r"xl/drawings/[^/]*\.xml", "text boxes", True, ("descr", "title")),
    (r"xl/charts/[^/]*\.xml", "charts", True, ()),
    (r"xl/pivotCache/[^/]*\.xml", "data behind pivot tables", False, ("v", "name")),
    (r"xl/externalLinks/[^/]*\.xml", "data of linked workbooks", True, ()),
    (r"xl/(?:connections|queryTables/[^/]*)\.xml", "connections", True, ("name", "description", "connection", "command")),
    (r"xl/tables/[^/]*\.xml", "names of tables", False, ("displayName", "name")),
    (r"xl/(?:.*/)?_rels/[^/]*\.rels", "links", False, ("Target",)),
)  # fmt: skip
EMBEDDED = r"(?:xl/)?(?:media|embeddings|Pictures)/.+|xl/vbaProject\.bin"
TAIL = 1 << 18  # bytes at a sheet's end, where headers and footers of print stand


def document_properties(path: Path) -> dict[str, str]:
    """Returns the filled properties of a workbook (creator, company, keywords, own ones …), or a parquet file's metadata."""
    if path.suffix.casefold() == ".parquet":
        stored = pl.read_parquet_metadata(path)
        return {key: text for key, text in stored.items() if key != COLUMN_TYPES and text.strip()}
    properties: dict[str, str] = {}
    for name, parts in _parts(path):
        if name in PROPERTIES:
            for entry in _elements(parts, name, path):
                text = (entry.text or "").strip()
                if text:
                    key = entry.get("name") or entry.tag.rpartition("}")[2]
                    properties[key] = f"{properties[key]} {text}" if key in properties else text
    return properties


def hidden_texts(path: Path) -> dict[str, list[str]]:
    """Returns the words of a workbook that stand in no cell: what they are (`comments`, `links` …) → texts, in their order."""
    found: dict[str, list[str]] = {}
    for name, parts in _parts(path):
        for pattern, called, has_texts, attributes in PARTS:
            if re.fullmatch(pattern, name):
                found.setdefault(called, []).extend(_words(parts, name, path, has_texts, attributes))
        if name == "xl/workbook.xml":
            for entry in _elements(parts, name, path):
                if entry.tag.endswith("}definedName"):
                    found.setdefault("defined names", []).extend([entry.get("name") or "", entry.text or ""])
        if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
            found.setdefault("headers and footers", []).extend(_print_titles(parts, name))
    return {called: [text for text in texts if text.strip()] for called, texts in found.items() if any(texts)}


def comment_authors(path: Path) -> list[str]:
    """Returns the names of those who wrote comments."""
    names = []
    for name, parts in _parts(path):
        if re.fullmatch(r"xl/(?:comments/?[^/]*|persons/[^/]*)\.xml", name):
            for entry in _elements(parts, name, path):
                if entry.tag.endswith("}author"):
                    names.append(entry.text or "")
                elif entry.tag.endswith("}person"):
                    names.append(entry.get("displayName") or "")
    return [name for name in names if name.strip()]


def embedded_files(path: Path) -> int:
    """Returns how many pictures, documents and programs are embedded in a workbook, which nothing here can read."""
    return sum(re.fullmatch(EMBEDDED, name) is not None for name, _ in _parts(path))


def _parts(path: Path) -> Iterator[tuple[str, zipfile.ZipFile]]:
    """The names of a zipped workbook's parts, with the archive open; none of another file."""
    if path.suffix.casefold() not in ZIPPED or not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as parts:
            for name in parts.namelist():
                yield name, parts
    except (zipfile.BadZipFile, OSError) as problem:
        raise _damaged(path) from problem


def _elements(parts: zipfile.ZipFile, name: str, path: Path) -> Iterator[ElementTree.Element]:
    try:
        with parts.open(name) as part:
            for _, entry in ElementTree.iterparse(part):
                yield entry
    except (ElementTree.ParseError, zipfile.BadZipFile, ValueError, LookupError) as problem:
        raise _damaged(path) from problem


def _words(
    parts: zipfile.ZipFile, name: str, path: Path, has_texts: bool, attributes: tuple[str, ...]
) -> Iterator[str]:
    """Texts of elements (the runs of one paragraph or comment as one) and values of attributes."""
    is_link = name.endswith(".rels")
    for entry in _elements(parts, name, path):
        kind = entry.tag.rpartition("}")[2]
        if is_link and entry.get("TargetMode") != "External":
            continue
        yield from (entry.attrib[key] for key in attributes if key in entry.attrib)
        if has_texts and kind in ("text", "p", "v", "command", "webPr"):
            yield " ".join(piece.strip() for piece in entry.itertext() if piece.strip())


def _print_titles(parts: zipfile.ZipFile, name: str) -> Iterator[str]:
    tail = b""
    with parts.open(name) as part:
        while piece := part.read(TAIL):
            tail = (tail + piece)[-2 * TAIL :]
    if found := re.search(rb"<headerFooter.*</headerFooter>", tail, re.DOTALL):
        for text in re.findall(rb">([^<]+)<", found[0]):
            yield text.decode("utf-8", "replace")


def _damaged(path: Path) -> StudyError:
    return StudyError(f"{path.name}: the workbook is damaged; save it anew.")
