"""A proposed mapping as YAML: one entry a line, `confirm: ` before each guess, its reason at the line's end."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from d2tra.extract.site import CONFIRM
from d2tra.proposal.draft import CHOOSE, Path

PLAIN = r"[A-Za-z][A-Za-z0-9_]+(?: (?:[A-Za-z0-9_]+|\{n\}))*"  # surely read back as the same text
OTHER_THAN_TEXT = {"true", "false", "yes", "no", "on", "off", "null", CHOOSE.casefold(), "confirm"}
REASONS_FROM = 56  # column of the reasons, where the line is not longer


def written(section: dict[str, Any], why: dict[Path, str], notes: dict[Path, list[str]]) -> str:
    """Returns the YAML of `section`. `why`: entry → reason (marked, to be confirmed); `notes`: comments above an entry."""
    return "".join(f"{line}\n" for line in _lines(section, (), 0, why, notes))


def _lines(
    value: Any, path: Path, depth: int, why: dict[Path, str], notes: dict[Path, list[str]]
) -> list[str]:
    lines: list[str] = []
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in entries:
        here = (*path, name)
        indent = "  " * depth
        lines += [f"{indent}# {note}" for note in notes.get(here, [])]
        head = f"{scalar(name)}:" if isinstance(value, dict) else "-"
        if isinstance(inner, dict | list) and inner and not _is_flat(inner):
            block = _lines(inner, here, depth + 1, why, notes)
            if isinstance(value, dict):
                lines += [_marked(indent, head, here, why), *block]
            else:  # the first entry of an item stands behind its dash
                first = next(n for n, line in enumerate(block) if not line.lstrip().startswith("#"))
                lines += [f"{indent}{comment.lstrip()}" for comment in block[:first]]
                lines += [f"{indent}- {block[first].removeprefix(indent + '  ')}", *block[first + 1 :]]
        else:
            lines.append(_marked(indent, f"{head} {_leaf(inner)}", here, why))
    return lines


def _marked(indent: str, text: str, here: Path, why: dict[Path, str]) -> str:
    if here not in why:
        return f"{indent}{text}"
    item = text.startswith("- ")
    marked = f"- {CONFIRM}{text[2:]}" if item else f"{CONFIRM}{text}"
    return f"{indent + marked:<{REASONS_FROM}}  # {why[here]}"


def _is_flat(inner: dict[Any, Any] | list[Any]) -> bool:
    """Lists of numbers stay on their line: `numbers: [1, 6]`."""
    return isinstance(inner, list) and all(isinstance(each, int) for each in inner)


def _leaf(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return json.dumps(value)
    return scalar(value)


def scalar(value: Any) -> str:
    """Returns a text as YAML reads it back: as it is where that is safe, else in double quotes; numbers as they are."""
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    text = str(value)
    if re.fullmatch(PLAIN, text) and text.casefold() not in OTHER_THAN_TEXT:
        return text
    try:
        is_plain = yaml.safe_load(f"{text}: {text}") == {text: text} and yaml.safe_load(f"- {text}") == [text]
    except yaml.YAMLError:
        is_plain = False
    is_plain = is_plain and (text == CHOOSE or CHOOSE not in text) and not text.startswith(CONFIRM.strip())
    return text if is_plain and text.strip() == text else json.dumps(text, ensure_ascii=False)
