"""A first mapping for a folder or file: read, screened, guessed, marked; nothing counts until a person confirms it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from d2tra.errors import StudyError
from d2tra.extract.screen import raise_if_identifiers, screen_extract
from d2tra.extract.site import REQUIRED_TABLES, TABLES, SiteMapping, TableSource
from d2tra.proposal.dates import guess_dates
from d2tra.proposal.draft import CHOOSE, Draft, Path
from d2tra.proposal.feeds import Feed, propose_feeds
from d2tra.proposal.layout import Layout, find_layouts, readable
from d2tra.proposal.measures import guess_measures
from d2tra.proposal.site_head import count_ids, guess_head
from d2tra.proposal.vocabulary import guess_words
from d2tra.proposal.words import Words, words

ORDER = (
    "format", "source", "data_cut_date", "records_glucocorticoids", "crp_unit", "upper_limits", "drug_separators", "id_columns",
    "allow_text", "ignore", "tables",
)  # fmt: skip
SOURCE_ORDER = (
    "file", "sheet", "header_row", "encoding", "delimiter", "split", "columns", "clinic", "wide_to_long", "constants", "dates", "decimal",
    "units", "missing", "values", "ignore",
)  # fmt: skip


@dataclass(frozen=True)
class Proposal:
    """A mapping in plain values; `why` and `notes` by the path of an entry. `missing`: required tables not found."""

    section: dict[str, Any]
    why: dict[Path, str] = field(default_factory=dict)
    notes: dict[Path, list[str]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def questions(self) -> list[tuple[Path, str]]:
        """Returns the entries where a person must choose, with their reasons."""
        return [(path, reason) for path, reason in self.why.items() if value_at(self.section, path) == CHOOSE]


def value_at(section: Any, path: Path) -> Any:
    """Returns what stands at a path of keys and list numbers."""
    for step in path:
        section = section[step]
    return section


def propose_mapping(place: FilePath, name: str, id_columns: list[str], allow_text: list[str]) -> Proposal:
    """Returns the proposal for an extract.

    StudyError where nothing reads as a table, and for what the identifier screen finds: it looks at the raw files before
    anything of them is shown. `id_columns`, `allow_text`: what a person declares beforehand, as in a mapping.
    """
    known = words()
    layouts = find_layouts(place, known)
    feeds = [feed for layout in layouts if not layout.problem for feed in propose_feeds(layout, known)]
    head = Draft({"source": place.as_posix()})
    declared = {"id_columns": id_columns, "allow_text": allow_text}
    head.section |= {key: value for key, value in declared.items() if value}
    screen(place, name, feeds, layouts, declared)
    unused = [layout for layout in readable(layouts) if layout not in [feed.layout for feed in feeds]]
    if not feeds:
        raise StudyError(
            f"{place}: no file or sheet reads as a table of patients, visits or treatments: too few of the headings are "
            "known. Add your words to config/mapping_words.yaml, or write the mapping by hand (docs/your-own-extract.md)."
        )
    look_closely(head, feeds, known)
    head.notes += [f"{layout.label}: no table of ours; not used" for layout in unused]
    return assemble(head, feeds)


def screen(
    place: FilePath, name: str, feeds: list[Feed], layouts: list[Layout], declared: dict[str, list[str]]
) -> None:
    """StudyError for what may identify a patient, in every file that was read, used or not."""
    tables: dict[str, list[TableSource]] = {}
    for feed in feeds:
        tables.setdefault(feed.table, []).append(feed.source())
    fed = [feed.layout for feed in feeds]
    tables.setdefault("patients", []).extend(layout.source for layout in layouts if layout not in fed)
    site = {
        "name": name,
        "path": f"config/sites/{name}.yaml",
        "source": place.as_posix(),
        "tables": tables,
        **declared,
    }
    raise_if_identifiers(screen_extract(SiteMapping.model_validate(site)))


def look_closely(head: Draft, feeds: list[Feed], known: Words) -> None:
    """Adds what the values say: dates, units, words, what means missing, and the site's own limits and units."""
    for feed in feeds:
        guess_dates(feed, known)
        guess_measures(feed, known)
        guess_words(feed, known)
    guess_head(head, feeds, known)
    count_ids(feeds)


def assemble(head: Draft, feeds: list[Feed]) -> Proposal:
    """Returns the whole mapping; a site whose tables all have our names and words is two lines."""
    section, why = dict(head.section), dict(head.why)
    notes: dict[Path, list[str]] = {}
    if _is_canonical(feeds):
        section["format"] = "canonical"
        why[("format",)] = f"{len(feeds)} tables have our names, columns, words and dates"
    else:
        section["tables"] = {}
        for table in TABLES:
            mine = [feed for feed in feeds if feed.table == table]
            for number, feed in enumerate(mine):
                at: Path = ("tables", table, number) if len(mine) > 1 else ("tables", table)
                ordered = {name: feed.section[name] for name in SOURCE_ORDER if feed.section.get(name)}
                section["tables"].setdefault(table, []).append(ordered)
                why |= {(*at, *path): reason for path, reason in feed.why.items()}
                notes[(*at, "file")] = feed.notes
            if len(mine) == 1:
                section["tables"][table] = section["tables"][table][0]
        if "treatments" not in section["tables"]:
            section["tables"]["treatments"] = "none"
            why[("tables", "treatments")] = "nothing reads as treatments; then no label can be assessed"
    found = {feed.table for feed in feeds}
    missing = tuple(table for table in REQUIRED_TABLES if table not in found)
    ordered = {name: section[name] for name in ORDER if name in section}
    notes[("source",)] = head.notes
    return Proposal(ordered, why, notes, missing)


def _is_canonical(feeds: list[Feed]) -> bool:
    names = [feed.layout.source.sheet or feed.layout.path.stem for feed in feeds]
    kinds = {feed.layout.path.suffix.casefold() for feed in feeds}
    bare = all(set(feed.section) <= {"file", "sheet"} for feed in feeds)
    return (
        bare
        and names == [feed.table for feed in feeds]
        and kinds <= {".csv", ".parquet", ".xlsx"}
        and len(kinds) == 1
    )
