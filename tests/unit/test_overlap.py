"""The overlap plot: a bar per combination above a matrix of its definitions, from released cells only."""

import matplotlib as mpl
import polars as pl
import pytest
from matplotlib.figure import Figure

from d2tra.disclosure import disclose, load_profile
from d2tra.figures import overlap
from d2tra.figures.style import load_style
from d2tra.tables.cells import SUPPRESSED, as_cells, count_cell, proportion_cell

STYLE = load_style()
NAMES = ["a", "b", "c"]
EXACTLY = {"a + b": 40, "c": 20, "a + c": 3}


def cells(exactly: dict[str, int], names: list[str] = NAMES, others: int | None = None) -> pl.DataFrame:
    """A table of the overlap; 45 patients of 95 meet each definition."""
    lines = [proportion_cell("Met under each definition", "Patients", 45, 95, name) for name in names]
    lines += [count_cell("Met under exactly these", "Patients", n, level) for level, n in exactly.items()]
    if others is not None:
        lines.append(count_cell("Met under another combination", "Patients", others))
    return as_cells(lines)


def drawn(shown: pl.DataFrame) -> Figure:
    with mpl.rc_context(STYLE.settings()):
        figure = overlap.draw({"definition_overlap": shown}, STYLE)
        figure.canvas.draw()
    return figure


def dots(figure: Figure, place: int) -> list[int]:
    """The rows of the large dots of a column: those who belong to the combination."""
    large = [line for line in figure.axes[0].lines if line.get_marker() == "o" and line.get_markersize() > 4]
    return [row for line in large for x, row in zip(*line.get_data(), strict=True) if x == place]


def test_each_combination_has_a_bar_of_its_patients_above_the_dots_of_its_definitions():
    figure = drawn(cells(EXACTLY))
    assert [bar.get_height() for bar in figure.axes[1].patches] == [40, 20, 3]
    assert [text.get_text() for text in figure.axes[1].texts] == ["40", "20", "3"]
    assert [dots(figure, place) for place in range(3)] == [[0, 1], [2], [0, 2]]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == NAMES


def test_how_many_meet_each_definition_stands_beside_its_row():
    figure = drawn(cells(EXACTLY))
    assert [bar.get_width() for bar in figure.axes[2].patches] == [45, 45, 45]
    assert [text.get_text() for text in figure.axes[2].texts] == ["45", "45", "45"]


def test_a_small_combination_keeps_its_dots_but_shows_neither_bar_nor_number():
    figure = drawn(disclose(cells(EXACTLY), load_profile("opensafely")))
    assert [bar.get_height() for bar in figure.axes[1].patches] == [40, 20, 0]
    assert [text.get_text() for text in figure.axes[1].texts] == ["40", "20", SUPPRESSED]
    assert dots(figure, 2) == [0, 2]


def test_the_other_combinations_are_one_bar_without_dots():
    figure = drawn(cells(EXACTLY, others=9))
    assert figure.axes[1].patches[-1].get_height() == 9
    assert dots(figure, 3) == []
    assert [text.get_text() for text in figure.axes[0].texts] == ["others"]


def test_a_definition_whose_name_is_part_of_another_s_is_not_taken_for_it():
    figure = drawn(cells({"eular_2021_strict": 12}, names=["eular_2021", "eular_2021_strict"]))
    assert dots(figure, 0) == [1]


def test_where_nobody_meets_any_definition_the_rows_stand_without_bars():
    figure = drawn(cells({}))
    assert len(figure.axes[1].patches) == 0
    assert len(figure.axes[0].get_yticklabels()) == 3


@pytest.mark.filterwarnings("error")
def test_thirty_definitions_stay_as_legible_as_three():
    names = [f"definition_by_author_{number}" for number in range(30)]
    many = cells({" + ".join(names[number:]): 30 - number for number in range(15)}, names, others=50)
    pitches = []
    for shown in (cells(EXACTLY), many):
        figure = drawn(shown)
        (_, first), (_, second) = figure.axes[0].transData.transform([(0, 0), (0, 1)])
        pitches.append((first - second) / figure.dpi * 25.4)
    assert pitches[1] == pytest.approx(pitches[0], rel=0.1)
    assert min(pitches) > 8 / 72 * 25.4  # a row is higher than its 8 pt name
