"""The next extract against the confirmed mapping: what is not known to it yet, and nothing else, is asked."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from d2tra.errors import StudyError
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.screen import raise_if_identifiers, screen_extract
from d2tra.extract.site import SiteMapping, TableName, TableSource
from d2tra.extract.sources import source_label
from d2tra.proposal.confirmed import Confirmed, as_it_reads, confirmed_sources, read_as_confirmed, take_places
from d2tra.proposal.dates import ISO_DAY, MOST_SLIPS, date_cells, guess_dates, n_read
from d2tra.proposal.draft import CHOOSE, Draft, Path
from d2tra.proposal.feeds import Feed, filled_columns, propose_feeds
from d2tra.proposal.layout import Layout, find_layouts, readable
from d2tra.proposal.measures import guess_measures
from d2tra.proposal.propose import Proposal, look_closely, value_at
from d2tra.proposal.vocabulary import guess_words
from d2tra.proposal.words import Words, words


@dataclass(frozen=True)
class Comparison:
    """`proposal`: the confirmed mapping with what is new, only that marked, and without the columns that are gone.
    `said`: which they are, and which files are."""

    proposal: Proposal
    said: list[str]
    is_shorter: bool


def compare(place: FilePath, site: SiteMapping, section: dict[str, Any]) -> Comparison:
    """Returns what the extract at `place` holds that the confirmed mapping does not know.

    StudyError for identifiers (looked for first, as the run would), nothing to read, and a database's mapping.
    """
    if site.format == "omop" or any(not source.file for each in site.sources().values() for source in each):
        raise StudyError(
            f"{site.path}: the site is a database; `d2tra map` reads files. Its mapping is written by hand."
        )
    known = words()
    confirmed = confirmed_sources(site)
    layouts = read_as_confirmed(find_layouts(place, known), confirmed)
    taken = take_places(confirmed, [layout for layout in layouts if not layout.problem])
    _screen(place, site, confirmed, taken, layouts)
    readable(layouts)
    whole = Draft(_in_lists(section))
    said = _new_places(whole, place, site, confirmed, taken)
    gone: list[str] = []
    for each in confirmed:
        if each.at in taken:
            siblings = [other for other in confirmed if taken.get(other.at) is taken[each.at]]
            gone += _add_new(whole, each, taken[each.at], siblings, site, known)
    if site.format == "mapped":
        _add_sources(
            whole, [layout for layout in layouts if layout not in [*taken.values()]], confirmed, known
        )
    return Comparison(Proposal(whole.section, whole.why), [*said, *gone], bool(gone))


def _in_lists(section: dict[str, Any]) -> dict[str, Any]:
    """A copy in which every table is a list of sources, so that one may be added."""
    whole = deepcopy(section)
    for table, sources in whole.get("tables", {}).items():
        if isinstance(sources, dict):
            whole["tables"][table] = [sources]
    return whole


def _screen(
    place: FilePath,
    site: SiteMapping,
    confirmed: list[Confirmed],
    taken: dict[Path, Layout],
    layouts: list[Layout],
) -> None:
    """The identifier screen with what the confirmed mapping declares, on the files that are there now."""
    tables: dict[TableName, list[TableSource]] = {}
    for each in confirmed:
        if each.at in taken:
            tables.setdefault(each.table, []).append(as_it_reads(each, taken[each.at]))
    used = [*taken.values()]
    tables.setdefault("patients", []).extend(layout.source for layout in layouts if layout not in used)
    here = {"format": "mapped", "source": place.as_posix(), "tables": tables}
    raise_if_identifiers(screen_extract(site.model_copy(update=here)))


def _new_places(
    whole: Draft, place: FilePath, site: SiteMapping, confirmed: list[Confirmed], taken: dict[Path, Layout]
) -> list[str]:
    """Marks the folder and the files that stand elsewhere than before; returns what no file takes the place of."""
    if FilePath(site.source).resolve() != place.resolve():
        whole.guess(("source",), place.as_posix(), f"was {site.source}")
    said = []
    for each in confirmed:
        if each.at not in taken:
            said.append(
                f"No file or sheet takes the place of {source_label(site.file_path(each.source), each.source)}: "
                "if it comes no more, take it out of the mapping."
            )
        elif (
            site.format == "mapped" and not place.is_file() and taken[each.at].source.file != each.source.file
        ):
            value_at(whole.section, each.at)["file"] = taken[each.at].source.file
            whole.why[(*each.at, "file")] = f"was {each.source.file}"
    return said


def _add_new(
    whole: Draft, each: Confirmed, layout: Layout, siblings: list[Confirmed], site: SiteMapping, known: Words
) -> list[str]:
    """Adds what one source does not know of the file that takes its place; returns what is no longer there, in words."""
    is_mapped = site.format == "mapped"
    section: dict[str, Any] = value_at(whole.section, each.at) if is_mapped else {}
    now = as_it_reads(each, layout)
    feed = Feed(section, {}, [], each.table, layout)
    said = []
    if not is_mapped:
        known_here = {*COLUMNS[each.table], *site.ignore.get(each.table, [])}
        for header in (name for name in layout.headers if name not in known_here):
            ignored = whole.section.setdefault("ignore", {}).setdefault(each.table, [])
            ignored.append(header)
            whole.why[("ignore", each.table, len(ignored) - 1)] = "a new column"
    for name in ("header_row", "encoding"):
        if is_mapped and getattr(layout.source, name) != getattr(each.source, name):
            feed.guess((name,), getattr(layout.source, name), f"was {getattr(each.source, name)}")
    fresh = next((other for other in propose_feeds(layout, known) if other.table == each.table), None)
    if is_mapped:
        said = _new_headings(feed, each, now, siblings, fresh, site)
    _new_in_cells(feed, now, known)
    whole.why |= {(*each.at, *path): reason for path, reason in feed.why.items()}
    if feed.why and not is_mapped:
        raise StudyError(
            f"{layout.label} is no canonical table any more: {'; '.join(feed.why.values())}. Map it: another --site."
        )
    return said


def _new_headings(
    feed: Feed,
    each: Confirmed,
    now: TableSource,
    siblings: list[Confirmed],
    fresh: Feed | None,
    site: SiteMapping,
) -> list[str]:
    """Headings that no source of the file names, as a first mapping would take them; columns that are gone go."""
    headers = feed.layout.headers
    gone = [theirs for theirs in each.source.columns if theirs not in now.columns]
    for theirs in gone:
        del feed.section["columns"][theirs]
    new_groups = fresh.section.get("wide_to_long", []) if fresh else []
    if {*_grouped(each.source)} != {*(_grouped(fresh.source()) if fresh else [])} and _groups_differ(
        each, fresh, headers
    ):
        feed.section["wide_to_long"] = new_groups
        feed.why |= {
            path: "other groups than before"
            for path in (fresh.why if fresh else {})
            if path[0] == "wide_to_long"
        }
        now = now.model_copy(update={"wide_to_long": [*(fresh.source().wide_to_long if fresh else [])]})
    named = {name for other in siblings for name in other.named} | {*_grouped(now)}
    ours = {name for other in siblings for name in COLUMNS[other.table]} | {*site.ignore.get(each.table, [])}
    filled = set(filled_columns(now, each.table, headers))
    for header in (name for name in headers if name not in named | ours):
        meant = fresh.section.get("columns", {}).get(header) if fresh else None
        if meant and meant not in filled and fresh:
            feed.guess(("columns", header), meant, fresh.why[("columns", header)])
            filled.add(meant)
        elif each is siblings[0]:
            feed.list_guess("ignore", header, "a new column; if it is one of ours, move it to columns")
    return [
        f"{feed.layout.label}: column {theirs!r} is no longer there ({each.source.columns[theirs]})."
        for theirs in gone
    ]


def _grouped(source: TableSource) -> list[str]:
    return [
        theirs for reshape in source.wide_to_long for columns, _ in reshape.groups() for theirs in columns
    ]


def _groups_differ(each: Confirmed, fresh: Feed | None, headers: list[str]) -> bool:
    """Whether a confirmed group is not there any more, or a numbered one has come that nothing names."""
    gone = [name for name in _grouped(each.source) if name not in headers and not each.source.split]
    come = [
        name
        for name in (_grouped(fresh.source()) if fresh else [])
        if name in headers and name not in each.named
    ]
    return bool(each.source.wide_to_long) and bool(gone or come)


def _new_in_cells(feed: Feed, now: TableSource, known: Words) -> None:
    """Words, sentinels, units and dates of the cells that the confirmed source does not declare, or not so."""
    section = feed.section or now.model_dump(mode="json", exclude_defaults=True)
    look = Feed(
        {name: deepcopy(part) for name, part in section.items() if name not in ("values", "units", "missing", "dates")},
        {}, [], feed.table, feed.layout,
    )  # fmt: skip
    look.section |= {"file": feed.layout.source.file, "sheet": feed.layout.source.sheet}
    guess_dates(look, known)
    guess_measures(look, known)
    guess_words(look, known)
    ours_of = {theirs: ours for ours, columns in look.filled().items() for theirs in columns}

    def declared(part: str, ours: str) -> set[str]:
        said: dict[str, Any] = getattr(now, part)
        return {
            word.strip().casefold()
            for name, words in said.items()
            if ours_of.get(name, name) == ours
            for word in words
        }

    for path, reason in look.why.items():
        if path[0] == "values" and str(path[2]).casefold() not in declared("values", str(path[1])) | declared(
            "missing", str(path[1])
        ):
            feed.guess(path, look.section["values"][path[1]][path[2]], reason)
    for ours, texts in look.section.get("missing", {}).items():
        for number, word in enumerate(texts):
            if word.casefold() not in declared("missing", ours) | declared("values", ours):
                said = feed.section.setdefault("missing", {}).setdefault(ours, [])
                said.append(word)
                feed.why[("missing", ours, len(said) - 1)] = look.why[("missing", ours, number)]
    units = {ours_of.get(name, name): unit for name, unit in now.units.items()}
    for ours, unit in look.section.get("units", {}).items():
        was = units.get(ours, COLUMNS[feed.table][ours].unit)
        if unit not in (was, CHOOSE) and len(look.why) and was:
            feed.guess(("units", ours), CHOOSE, f"was {was}; {look.why[('units', ours)]}")
    cells = date_cells(look, known)
    other = cells.filter(~cells.str.contains(ISO_DAY))
    told = look.section.get("dates", {}).get("format")
    if told and told != now.dates.format and n_read(other, now.dates.format) < (1 - MOST_SLIPS) * len(other):
        feed.guess(("dates", "format"), told, f"was {now.dates.format}; {look.why[('dates', 'format')]}")


def _add_sources(whole: Draft, layouts: list[Layout], confirmed: list[Confirmed], known: Words) -> None:
    """Files and sheets that take no source's place: read as a confirmed source whose columns they all have (the next
    quarter beside the last), else proposed as in a first mapping."""
    feeds: list[Feed] = []
    for layout in (layout for layout in layouts if not layout.problem):
        alike = [each for each in confirmed if each.share_in(layout.headers) == 1]
        for each in alike:
            section = deepcopy(value_at(whole.section, each.at))
            section |= {
                name: getattr(layout.source, name)
                for name in ("file", "sheet")
                if getattr(layout.source, name)
            }
            feeds.append(Feed(section, {("file",): f"read as {each.source.file} is"}, [], each.table, layout))
        if not alike:
            fresh = propose_feeds(layout, known)
            look_closely(Draft({}), fresh, known)
            feeds += fresh
    for feed in feeds:
        sources = whole.section.setdefault("tables", {}).setdefault(feed.table, [])
        if sources == "none":
            sources = whole.section["tables"][feed.table] = []
        sources.append(feed.section)
        at: Path = ("tables", feed.table, len(sources) - 1)
        whole.why |= {(*at, *path): reason for path, reason in feed.why.items()}
