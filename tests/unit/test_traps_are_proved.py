"""All 59 traps of the clinical reference stand in tests/data/traps.csv, each with how it is handled and the tests that prove it."""

import ast
import csv
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
N_TRAPS = 59
with (ROOT / "tests" / "data" / "traps.csv").open(encoding="utf-8", newline="") as handle:
    TRAPS = list(csv.DictReader(handle))


@cache
def functions_of(file: str) -> set[str]:
    path = ROOT / file
    body = ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def missing(nodes: str) -> list[str]:
    """The tests named that are not there."""
    named = [node.split("::") for node in nodes.split()]
    return [f"{file}::{name}" for file, name in named if name not in functions_of(file)]


def test_every_trap_stands_there_once_in_order() -> None:
    assert [int(trap["trap"]) for trap in TRAPS] == list(range(1, N_TRAPS + 1))


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap["trap"])
def test_a_trap_says_what_is_done_who_decided_it_and_which_tests_prove_it(trap: dict[str, str]) -> None:
    assert all(trap[name].strip() for name in ("what", "handling", "decided_by", "tests"))
    assert missing(trap["tests"]) == []


def test_a_test_that_is_not_there_would_be_found() -> None:
    gone = "tests/spec/test_traps.py::test_nothing"
    assert missing(gone) == [gone]
