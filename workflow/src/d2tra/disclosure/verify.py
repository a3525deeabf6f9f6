"""Is a results folder still what was sealed, and has it been approved? Asked by `d2tra verify`; nothing is written."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import yaml
from pydantic import Field

from d2tra.config import CHAPTERS, Closed, Study, parse
from d2tra.disclosure.ledger import LEDGER, read_ledger, released_cells
from d2tra.errors import StudyError
from d2tra.provenance import APPROVAL, MANIFEST, hashes_in, seal_of
from d2tra.tables import read_tables

SHOWN = 10


class Approver(Closed):
    """Who looked at a release and lets it leave."""

    name: str = Field(min_length=1)
    role: str = Field(min_length=1)
    date: dt.date


class Approval(Closed):
    """APPROVED.yaml: two people, and the sha256 of the manifest.json that they looked at."""

    manifest_sha256: str
    approved_by: list[Approver]


def verify(study: Study, profile: str | None = None) -> str:
    """Returns a line per folder of released or internal results: whole, and signed or not.

    StudyError that names what is wrong: a file changed, missing or too many; a manifest that is not the one sealed; a protocol
    that is not the study's; a ledger that does not hold what was released; an approval that is none; no results.
    """
    results = Path("results") / study.name
    found = sorted(results.glob(f"*/{profile or '*'}/{MANIFEST}"))
    if not found:
        where = f" under profile {profile}" if profile else ""
        raise StudyError(
            f"study {study.name} has no sealed results{where} in {results.as_posix()}/. Make them: uv run snakemake --cores all"
        )
    lines, wrong = [], []
    for manifest in found:
        folder = manifest.parent
        problems = list(_problems(results, folder))
        place = folder.relative_to(results).as_posix()
        wrong += [f"{place}: {problem}" for problem in problems]
        if not problems:
            lines.append(f"{place}: whole; {_signed(folder)}")
    if wrong:
        more = f"\n  … and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        listed = "\n".join(f"  {problem}" for problem in wrong[:SHOWN])
        raise StudyError(
            f"study {study.name}: {len(wrong)} things are not as they were sealed:\n{listed}{more}\n"
            "Do not send it. Make it anew (uv run snakemake --cores all) and ask who changed it."
        )
    return "\n".join(lines)


def _problems(results: Path, folder: Path) -> Iterator[str]:
    place, profile = folder.relative_to(results).parts
    yield from _of_manifest(results, folder, f"{place}_{profile}", tuple(CHAPTERS))
    for name in CHAPTERS:
        if (folder / name / MANIFEST).is_file():
            chapter = _of_manifest(results, folder / name, f"{place}_{profile}_{name}")
            yield from (f"{name}/{problem}" for problem in chapter)
    release = seal_of(folder / MANIFEST)
    if place == "release":
        yield from _of_ledger(results, folder, profile, release)
    if (folder / APPROVAL).is_file():
        yield from _of_approval(folder, release)


def _of_manifest(results: Path, folder: Path, seal: str, apart: tuple[str, ...] = ()) -> Iterator[str]:
    yield from _differences(folder, apart)
    path = results / "private" / "seals" / f"{seal}.sha256"
    if not path.is_file() or path.read_bytes().strip() != seal_of(folder / MANIFEST).encode():
        yield f"{MANIFEST} is not the one that was sealed ({path.as_posix()})"
    yield from _of_protocol(results, folder)


def _differences(folder: Path, apart: tuple[str, ...]) -> Iterator[str]:
    stated, there = _read(folder / MANIFEST).get("files", {}), hashes_in(folder, apart)
    for name in sorted(stated.keys() | there.keys()):
        if name not in there:
            yield f"{name} is missing"
        elif name not in stated:
            yield f"{name} was not released: {MANIFEST} does not name it"
        elif there[name] != stated[name]:
            yield f"{name} has changed"


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        found = None
    return found if isinstance(found, dict) else {}


def _of_protocol(results: Path, folder: Path) -> Iterator[str]:
    stated, own = _read(folder / MANIFEST), _read(results / "private" / "protocol.json")
    whole = hashlib.sha256(json.dumps(stated.get("protocol")).encode()).hexdigest()
    if whole != stated.get("protocol_sha256"):
        yield f"{MANIFEST}: protocol_sha256 is not the hash of the protocol's files beside it"
    if own.get("protocol_sha256") != stated.get("protocol_sha256") or own.get("files") != stated.get(
        "protocol"
    ):
        yield f"{MANIFEST} names another protocol than the study's (private/protocol.json)"


def _of_ledger(results: Path, folder: Path, profile: str, release: str) -> Iterator[str]:
    path = results / "private" / "ledger" / f"{profile}.csv"
    try:
        ledger = read_ledger(path).filter(release=release)
    except pl.exceptions.PolarsError:
        ledger = pl.DataFrame(schema=LEDGER)
    drafts = sorted((results / "private" / "drafts" / profile).glob("*/numbers"))
    released = {at.parent.name for at in drafts if (folder / at.parent.name).is_dir()} - set(CHAPTERS)
    cells = [
        released_cells(release, at.parent.name, read_tables(at))
        for at in drafts
        if at.parent.name in released
    ]
    expected = pl.concat([pl.DataFrame(schema=LEDGER), *cells])
    order = list(LEDGER)
    if not ledger.sort(order).equals(expected.sort(order)):
        yield f"the ledger ({path.as_posix()}) does not hold what was released"


def _of_approval(folder: Path, release: str) -> Iterator[str]:
    path = folder / APPROVAL
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        approval = parse(Approval, given, path.as_posix())
    except (StudyError, yaml.YAMLError, UnicodeDecodeError) as mistake:
        yield f"{APPROVAL} cannot be read: {mistake}"
        return
    if approval.manifest_sha256 != release:
        yield f"{APPROVAL} approves another {MANIFEST}: its sha256 is {release}"
    people = {" ".join(person.name.casefold().split()) for person in approval.approved_by}
    if len(people) < 2:
        yield f"{APPROVAL} names {len(people)} person; two different ones have to approve"


def _signed(folder: Path) -> str:
    if not (folder / APPROVAL).is_file():
        return "unsigned draft" if folder.parent.name == "release" else "internal: not for release"
    approval = parse(
        Approval, yaml.safe_load((folder / APPROVAL).read_text(encoding="utf-8")), folder.as_posix()
    )
    return "approved by " + " and ".join(
        f"{person.name} ({person.role}, {person.date})" for person in approval.approved_by
    )
