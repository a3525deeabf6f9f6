"""The map of what is not recorded, and the private figure of an imputation."""

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from d2tra.disclosure import disclose, load_profile
from d2tra.figures import missingness
from d2tra.figures.imputation import draw_diagnostics
from d2tra.figures.intervals import HIDDEN
from d2tra.figures.style import load_style
from d2tra.models import ModelPlan
from d2tra.models.diagnosed import diagnose_imputation
from d2tra.tables.cells import SUPPRESSED, as_cells, proportion_cell

pytestmark = pytest.mark.filterwarnings("error")  # matplotlib warns of a layout that does not fit
STYLE = load_style()
CELLS = as_cells(
    proportion_cell(row, group, n, total)
    for row, counts in {"Sex": (0, 0, 0), "Smoking": (70, 30, 40), "Ethnicity": (13, 3, 10)}.items()
    for group, n, total in zip(("All", "Met", "Not met"), counts, (100, 40, 60), strict=True)
)


def drawn(cells: pl.DataFrame) -> Figure:
    with mpl.rc_context(STYLE.settings()):
        return missingness.draw({"missingness": cells}, STYLE)


def fields(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_each_group_has_a_field_with_its_percentage_the_darker_the_more_lack_it() -> None:
    figure = drawn(CELLS)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Smoking", "Ethnicity"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["All", "Met", "Not met"]
    assert fields(figure) == ["70.0", "75.0", "66.7", "13.0", "7.5", "16.7"]
    darkness = [field.get_alpha() for field in axes.patches]
    order = sorted(range(6), key=lambda place: float(fields(figure)[place]))
    assert order == sorted(range(6), key=lambda place: darkness[place])


def test_what_everybody_has_is_counted_and_left_out() -> None:
    assert "left out: 1" in drawn(CELLS).axes[0].get_xlabel()


def test_a_share_that_is_held_back_has_no_field() -> None:
    """Three of 40 lack their ethnicity: a count that opensafely holds back."""
    figure = drawn(disclose(CELLS, load_profile("opensafely")))
    assert fields(figure).count(HIDDEN) == 1
    assert f"{HIDDEN} {SUPPRESSED}" in figure.axes[0].get_xlabel()
    assert len(figure.axes[0].patches) == 5


def test_the_figure_of_an_imputation_has_three_panels_for_each_variable_and_is_the_same_again() -> None:
    generator = np.random.default_rng(1)
    data = pl.DataFrame(
        {
            "d2t": np.where(generator.random(60) < 0.4, "met", "not_met"),
            "age": [None if place % 7 == 0 else float(place) for place in range(60)],
            "smoker": [None if place % 9 == 0 else place % 2 == 0 for place in range(60)],
        }
    )
    model = ModelPlan.model_validate(
        {
            "name": "m",
            "factors": ["age", "smoker"],
            "missing": {"multiple_imputation": {"m": 3, "iterations": 2}},
        }
    )
    told = diagnose_imputation(data, model, ["d2t"], seed=1)
    svg = draw_diagnostics(*told, STYLE, "Cohort audit", True)
    assert svg == draw_diagnostics(*told, STYLE, "Cohort audit", True)
    text = svg.decode()
    assert text.count('<g id="axes_') == 6
    assert all(word in text for word in (">age<", ">smoker:<", "SYNTHETIC DATA", "Cohort audit"))
    nothing = draw_diagnostics(*(frame.clear() for frame in told), STYLE, "Cohort audit", False).decode()
    assert "SYNTHETIC" not in nothing
