"""How each raw file of a site is read: declared or found, said for everybody who checks an extract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from d2tra.extract.sheet_layouts import letters, sheet_layouts
from d2tra.extract.site import SiteMapping, TableSource
from d2tra.extract.sources import WORKBOOKS, source_label
from d2tra.extract.text_files import TEXT_FILES, dialect
from d2tra.extract.workbooks import sheet_names
from d2tra.logs import log

NAMES = {"\t": "tab"}


def how_files_are_read(site: SiteMapping) -> list[dict[str, Any]]:
    """Returns one entry per file or sheet that is read, sheets that feed no table too, and says each in the log.

    source, and for text: encoding, byte_order_mark, delimiter, delimiter_is (declared, found or the file's kind) ·
    for a sheet: feeds_a_table, is_hidden, hidden_columns (letters), n_hidden_rows, headers_from_above (columns whose
    name stands in a merged cell that begins above the header row) · for both: header_row, rows_above_header, dates.
    What is hidden is read and screened like the rest. No value of any cell but headers.
    """
    found = []
    for path in site.files():
        declared = [s for sources in site.sources().values() for s in sources if site.file_path(s) == path]
        if path.suffix.casefold() in TEXT_FILES:
            found.append(_text_file(path, declared[0]))
        elif path.suffix.casefold() in WORKBOOKS:
            found += _sheets(path, declared)
    for entry in found:
        log.info("read as: %s", ", ".join(f"{key} {value}" for key, value in entry.items() if value != []))
    return found


def _text_file(path: Path, source: TableSource) -> dict[str, Any]:
    delimiter, has_mark = dialect(path, source)
    if source.delimiter is not None:
        decided = "declared"
    else:
        decided = "the file's kind" if path.suffix.casefold() == ".tsv" else "found"
    return {
        "source": source_label(path, source),
        "encoding": source.encoding,
        "byte_order_mark": has_mark,
        "delimiter": NAMES.get(delimiter, delimiter),
        "delimiter_is": decided,
        **_place(source),
    }


def _sheets(path: Path, declared: list[TableSource]) -> list[dict[str, Any]]:
    names = sheet_names(path)
    by_sheet = {source.sheet or names[0]: source for source in declared}
    layouts = sheet_layouts(path)
    found = []
    for name in names:
        source = by_sheet.get(name, TableSource(file=path.name, sheet=name))
        entry: dict[str, Any] = {"source": f"{path.name} [{name}]", "feeds_a_table": name in by_sheet}
        if layout := layouts.get(name):
            widest = max((cells.last_column for cells in layout.merged), default=0)
            above = [n for n in range(1, widest + 1) if layout.header_cell(n, source.header_row)]
            entry |= {
                "is_hidden": layout.is_hidden,
                "hidden_columns": list(layout.hidden_columns),
                "n_hidden_rows": layout.n_hidden_rows,
                "headers_from_above": [letters(n) for n in above],
            }
        found.append(entry | _place(source))
    return found


def _place(source: TableSource) -> dict[str, Any]:
    return {
        "header_row": source.header_row,
        "rows_above_header": source.header_row - 1,
        "dates": "Excel day numbers" if source.dates.format == "excel" else source.dates.format,
    }
