"""What the comparison with R (benchmarks/beside_r.py) calls a difference."""

import importlib.util
import math
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "beside_r.py"
SPEC = importlib.util.spec_from_file_location("beside_r", PATH)
beside_r = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(beside_r)


@pytest.mark.parametrize(
    ("here", "there", "agree"),
    [
        ((1.0, None), (1.0000009, None), True),
        ((1.0, None), (1.0000011, None), False),
        ((1.0, 0.3), (2.5, 0.4), True),  # three Monte-Carlo errors of 0.5
        ((1.0, 0.3), (2.51, 0.4), False),
        ((1.0, 0.1), (1.42, None), True),  # R tells no error: ours for both, 0.1414
        ((1.0, 0.1), (1.43, None), False),
        ((math.nan, None), (1.0, None), False),
        ((1.0, None), (math.nan, None), False),
    ],
)
def test_a_cell_agrees_within_its_tolerance_only(here: tuple, there: tuple, agree: bool) -> None:
    assert beside_r.compare({"age": here}, {"age": there})[1] is agree


def test_other_cells_are_a_difference_and_named() -> None:
    assert beside_r.compare({"age": (1.0, None)}, {"sex": (1.0, None)}) == (
        "other cells: ['age', 'sex']",
        False,
    )


def test_every_task_has_its_script() -> None:
    scripts = {path.stem for path in (PATH.parent / "r").glob("*.R")} - {"common"}
    assert scripts == set(beside_r.TASKS)
