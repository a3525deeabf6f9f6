"""The answers of `d2tra map`: the first mapping of a site, or what the next extract asks beyond the confirmed one."""

from __future__ import annotations

import re
from pathlib import Path

from d2tra import io
from d2tra.config import load_yaml
from d2tra.errors import StudyError
from d2tra.extract.site import load_site, n_unconfirmed, without_empty
from d2tra.proposal.compare import compare
from d2tra.proposal.draft import Path as Entry
from d2tra.proposal.propose import Proposal, propose_mapping, value_at
from d2tra.proposal.written import written

SITES = Path("config/sites")
FIRST = """\
# What `d2tra map` proposes for {place}. GUESSES: nothing is used while a line begins with `confirm: `.
# Read each line. Right: delete the words `confirm: `. Wrong: correct the line or delete it. CHOOSE: write the answer there.
# Deleting all marks at once is allowed: then you sign for all of them. What each key means: docs/your-own-extract.md.
# To be added by hand where it applies: title, local_codes, hospital_number.
"""
NEXT = """\
# {site} with what is new in {place}: only lines with `confirm: ` are new, the others are those of {confirmed}
# (whose own comments are not repeated here). Confirm them, then put this file in its place.
"""


def map_extract(place: Path, name: str | None, id_columns: list[str], allow_text: list[str]) -> str:
    """Writes `config/sites/<site>.yaml` with every guess marked, or, where that is there and confirmed,
    `<site>.new.yaml` with the marks on what is new only; returns what to do next, in words.

    `name`: the site's (default: of the folder or file). StudyError for identifiers, nothing to read, a name that is no
    name of a site, and a proposal that is there and not confirmed yet.
    """
    site = name or re.sub(
        r"[^A-Za-z0-9_-]+", "_", place.resolve().stem if place.is_file() else place.resolve().name
    )
    if not re.fullmatch(r"[A-Za-z0-9_-]+", site):
        raise StudyError(f"--site {site!r}: letters, digits, _ and - make the name of a site.")
    path = SITES / f"{site}.yaml"
    if path.is_file():
        return _what_is_new(place, site, path)
    proposal = propose_mapping(place, site, id_columns, allow_text)
    io.write_text(
        FIRST.format(place=place.as_posix()) + written(proposal.section, proposal.why, proposal.notes), path
    )
    lines = [
        f"{path.as_posix()}: {len(proposal.why)} guesses to confirm, {len(proposal.questions())} of them questions."
    ]
    lines += _questions(proposal)
    lines += [f"  No file or sheet reads as table {table}, which is required." for table in proposal.missing]
    lines.append(
        "Read it line by line; delete `confirm: ` where a guess is right. Then: docs/your-own-extract.md, 3."
    )
    return "\n".join(lines)


def _what_is_new(place: Path, site: str, path: Path) -> str:
    confirmed = load_site(path.as_posix())
    found = compare(place, confirmed, without_empty(load_yaml(path)))
    said = [f"  {line}" for line in found.said]
    if not found.proposal.why and not found.is_shorter:
        nothing = f"{place.as_posix()}: nothing new; every heading and word is known to {path.as_posix()}."
        return "\n".join([nothing, *said])
    new = path.with_name(f"{site}.new.yaml")
    if new.is_file() and not n_unconfirmed(new):
        raise StudyError(
            f"{new.as_posix()} is confirmed already: put it in the place of {path.name}, or delete it."
        )
    head = NEXT.format(site=site, place=place.as_posix(), confirmed=path.name)
    io.write_text(head + written(found.proposal.section, found.proposal.why, found.proposal.notes), new)
    moved = {
        entry for entry in found.proposal.why if entry[-1] in ("source", "file") and len(entry) in (1, 4)
    }
    asked = [entry for entry in found.proposal.why if entry not in moved]
    lines = [f"{place.as_posix()}: {len(asked)} things that {path.as_posix()} does not know."]
    if not asked:
        lines = [
            f"{place.as_posix()}: every heading and word is known to {path.as_posix()}; only places have changed."
        ]
    lines += [
        f"  {_in_words(entry, found.proposal)}: {found.proposal.why[entry]}"
        for entry in [*asked, *sorted(moved)]
    ]
    return "\n".join(
        [*lines, *said, f"Marked in {new.as_posix()}: confirm, and put it in the place of {path.name}."]
    )


def _questions(proposal: Proposal) -> list[str]:
    return [f"  {_in_words(entry, proposal)}: {reason}" for entry, reason in proposal.questions()]


def _in_words(entry: Entry, proposal: Proposal) -> str:
    """How an entry is called on the screen: `visits 2, ignore, Ward`."""
    steps = [str(step + 1) if isinstance(step, int) else step for step in entry if step != "tables"]
    if isinstance(entry[-1], int):
        steps[-1] = str(value_at(proposal.section, entry))
    return ", ".join(steps)
