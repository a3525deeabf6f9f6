"""Nothing of the reference is passed over in silence: tests/data/reference/compared.txt says what becomes of each entry."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REFERENCE = HERE.parent / "data" / "reference"
FILES = sorted(path for path in REFERENCE.glob("*.json") if path.name != "README.json")
LINES = [
    tuple(part.strip() for part in line.split("|"))
    for line in (REFERENCE / "compared.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def entries(value: object, place: str) -> Iterator[str]:
    """The places of all values: file/key/key, "-" for each place in a list of lists or objects."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from entries(inner, f"{place}/{key}")
    elif isinstance(value, list) and value and isinstance(value[0], dict | list):
        for inner in value:
            yield from entries(inner, f"{place}/-")
    else:
        yield place


def first_line(entry: str) -> str | None:
    return next((pattern for pattern, _ in LINES if fnmatchcase(entry, pattern)), None)


def test_every_entry_of_the_reference_is_compared_or_said_not_to_be() -> None:
    everything = {place for path in FILES for place in entries(json.loads(path.read_text()), path.stem)}
    fits = {entry: first_line(entry) for entry in sorted(everything)}
    assert [entry for entry, line in fits.items() if line is None] == []
    assert [pattern for pattern, _ in LINES if pattern not in fits.values()] == [], "lines that nothing needs"


@pytest.mark.parametrize("by", sorted({by for _, by in LINES}))
def test_every_named_test_exists_and_reads_the_file_and_every_other_line_has_a_reason(by: str) -> None:
    if "::" not in by:
        assert re.match(r"(input|not computed): .", by)
        return
    file, name = by.split("::")
    text = (HERE / file).read_text()
    assert f"def {name}(" in text
    for stem in {pattern.split("/")[0] for pattern, test in LINES if test == by}:
        assert any(path.stem in text for path in FILES if fnmatchcase(path.stem, stem)), (
            f"{file} reads no {stem}"
        )


def test_an_entry_without_a_line_would_be_found() -> None:
    planted = {"single": [{"wilson": [0.1, 0.2], "a_new_interval": [0.1, 0.2]}]}
    found = {entry: first_line(entry) for entry in entries(planted, "c_proportions")}
    assert found["c_proportions/single/-/a_new_interval"] is None
    assert found["c_proportions/single/-/wilson"] is not None


def test_every_file_is_in_the_index_and_every_file_of_the_index_is_here() -> None:
    listed = json.loads((REFERENCE / "README.json").read_text())["files"]
    here = {path.name for path in REFERENCE.iterdir()} - {"README.json", "compared.txt"}
    assert here == set(listed)
