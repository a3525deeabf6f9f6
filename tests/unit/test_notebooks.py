"""The notebooks as git keeps them, how one becomes a page, and how frames look on it."""

import json
from pathlib import Path

import polars as pl
import pytest

from d2tra.config import PROJECT
from d2tra.documents.notebooks import notebook_page
from d2tra.documents.open_results import SHOWN, frame_html, open_results
from d2tra.errors import StudyError
from d2tra.provenance import modules_behind

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*"))
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "name": "python"},
}
EXPECTED = [
    "01_look_at_an_extract",
    "02_why_these_patients",
    "03_from_audit_to_extension",
    "04_write_your_own_definition",
]


def write_notebook(path: Path, *code: str) -> Path:
    """Writes a notebook: a title, the parameters' cell, and the given cells."""
    title = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# Ten & two"}
    cells = [
        {"cell_type": "code", "id": f"cell-{n}", "metadata": {"tags": tags} if tags else {}, "source": source}
        | {"outputs": [], "execution_count": None}
        for n, (source, tags) in enumerate(
            [('study = "none"', ["parameters"]), *((text, []) for text in code)]
        )
    ]
    whole = {"cells": [title, *cells], "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def kept_beside_code(notebook: dict) -> list[str]:
    """Returns what of a run git would keep: outputs, counts of execution, metadata that no reader needs."""
    found = [] if notebook["metadata"] == METADATA else ["metadata"]
    for cell in notebook["cells"]:
        if cell["metadata"] not in ({}, {"tags": ["parameters"]}):
            found.append(f"metadata of {cell['id']}")
        if cell.get("outputs") or cell.get("execution_count") is not None:
            found.append(f"output of {cell['id']}")
    return found


def test_the_notebooks_are_there() -> None:
    assert [path.name for path in NOTEBOOKS] == [f"{name}.ipynb" for name in EXPECTED]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_git_keeps_no_output_of_a_notebook(path: Path) -> None:
    assert kept_beside_code(json.loads(path.read_text(encoding="utf-8"))) == []


def test_an_output_a_count_and_a_tag_are_found(tmp_path: Path) -> None:
    run = json.loads(write_notebook(tmp_path / "run.ipynb", "1", "2").read_text(encoding="utf-8"))
    run["metadata"] = {**METADATA, "author": "somebody"}
    run["cells"][1]["execution_count"] = 1
    run["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
    run["cells"][3]["metadata"] = {"collapsed": True}
    assert kept_beside_code(run) == ["metadata", "output of cell-0", "output of cell-1", "metadata of cell-2"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_opens_with_its_title_names_its_study_in_one_cell_and_writes_no_result(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert cells[0]["source"][0].startswith("# ")
    named = [cell for cell in cells if cell["metadata"].get("tags") == ["parameters"]]
    assert ["".join(cell["source"]) for cell in named] == [
        'study = "audit_demo"  # a study of config/studies/, or the path of one'
    ]
    text = "".join(line for cell in cells for line in cell["source"])
    assert "io.write" not in text
    assert ".write_csv" not in text


def test_the_modules_that_a_notebook_imports_are_found(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "import polars", "from d2tra.estimates import proportion")
    found = {Path(module).name for module in modules_behind(path)}
    assert "estimates.py" in found
    assert "label.py" not in found


def test_a_notebook_runs_on_the_study_that_is_asked_for_as_a_page_that_is_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "home"))
    path = write_notebook(tmp_path / "a.ipynb", "from pathlib import Path", "print(study, Path.cwd().name)")
    page = notebook_page(path, "mine")
    assert f"mine {tmp_path.name}" in page
    assert "none" not in page.split("<main>")[1]
    assert "<title>Ten &amp; two</title>" in page
    assert str(tmp_path) not in page
    assert page == notebook_page(path, "mine")
    assert list((tmp_path / "home").iterdir()) == []
    assert json.loads(path.read_text(encoding="utf-8"))["cells"][2]["outputs"] == []


def test_a_users_mistake_in_a_cell_is_said_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = ("from d2tra.errors import StudyError", "raise StudyError('the study has no visits')")
    with pytest.raises(StudyError, match=r"^the study has no visits$"):
        notebook_page(write_notebook(tmp_path / "a.ipynb", *cells), "mine")


@pytest.mark.parametrize("opened_in", [".", "notebooks"])
def test_a_study_without_results_says_how_to_make_them_also_to_who_opens_a_notebook_by_hand(
    opened_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published numbers that the study names are found from the folder of the command alone."""
    (tmp_path / "config" / "published").mkdir(parents=True)
    (tmp_path / "config" / "published" / "audit_2024.yaml").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / opened_in)
    with pytest.raises(StudyError, match=r"no results yet .*snakemake --cores all notebooks"):
        open_results("audit_demo")


def test_a_frame_is_shown_as_a_person_reads_it() -> None:
    frame = pl.DataFrame(
        {"name": ["<b>", None], "share": [12.345, 7.0], "flag": [True, False], "n": [1200, None]}
    )
    html = frame_html(frame)
    assert "<caption>2 rows</caption>" in html
    assert '<th scope="row">&lt;b&gt;</th><td class="short">12.35</td><td class="short">yes</td>' in html
    assert (
        '<th scope="row">–</th><td class="short">7</td><td class="short">no</td><td class="short">–</td>'
        in html
    )


@pytest.mark.parametrize(
    ("rows", "caption"),
    [(1, "1 row"), (SHOWN, "20 rows"), (SHOWN + 1, "the first 20 of 21 rows"), (0, "0 rows")],
)
def test_a_long_frame_is_cut_and_says_so(rows: int, caption: str) -> None:
    html = frame_html(pl.DataFrame({"n": range(rows)}, schema={"n": pl.Int64}))
    assert f"<caption>{caption}</caption>" in html
    assert html.count("<tr>") == 1 + min(rows, SHOWN)
