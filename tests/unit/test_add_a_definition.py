"""docs/add-a-definition.md: its example is read out of the document and runs, its vocabulary is whole."""

import re

import pytest

from d2tra.config import PROJECT
from d2tra.definitions import load_definition
from d2tra.definitions.criteria import Criterion

GUIDE = (PROJECT / "docs" / "add-a-definition.md").read_text(encoding="utf-8")


def block(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return found


@pytest.fixture
def _written(tmp_path, monkeypatch):
    folder = tmp_path / "config" / "definitions"
    folder.mkdir(parents=True)
    (folder / "very_d2t.yaml").write_text(block("yaml"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_written")
def test_the_example_is_a_definition_and_its_test_passes():
    module = {}
    exec(block("python"), module)
    assert len(module["CASES"]) >= 6
    for name in module["CASES"]:
        module["test_very_d2t"](name)


@pytest.mark.usefixtures("_written")
def test_the_example_can_be_said_in_words():
    lines = load_definition("very_d2t").in_words()
    assert lines[0] == "Met where 1 and 2."
    assert "2. active for half a year: at every visit for at least 183 days: 2a." in lines
    assert "2a. at least two signs of activity: at least 2 of 2d, 2p, 2s." in lines


def test_the_example_is_not_shipped():
    assert not (PROJECT / "config" / "definitions" / "very_d2t.yaml").exists()


def test_every_criterion_of_the_vocabulary_is_listed_once():
    listed = re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in GUIDE.split("## The vocabulary")[1].splitlines() if line.startswith("| `")))  # fmt: skip
    assert sorted(listed) == sorted(set(Criterion.model_fields) - {"id", "title", "same_as"})
