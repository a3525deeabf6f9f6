"""A notebook, run from its first cell to its last on the results of a study, as one page that needs no network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbconvert import HTMLExporter
from nbconvert.preprocessors import CellExecutionError, ExecutePreprocessor
from traitlets.config import Config

from d2tra.documents.layout import templates
from d2tra.errors import StudyError

PARAMETERS = "parameters"  # the tag of the cell that says which study is read
KERNEL = "python3"
# What a kernel sends to its own machine is of single patients; another user of the machine must not listen.
ENCRYPTED = Config(KernelManager={"transport_encryption": "required"})


def notebook_page(path: str | Path, study: str) -> str:
    """Returns the executed notebook as a self-contained page, the same on every run over the same results.

    `study` (name or path) takes the place of the one that the cell tagged `parameters` names. The notebook runs in the
    folder of the command, and without the settings that a user has for Jupyter and IPython. Raises StudyError where a
    cell does; any other error of a cell is raised with its traceback.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if PARAMETERS in cell.metadata.get("tags", []):
            cell.source = f"study = {study!r}"
    run = ExecutePreprocessor(timeout=None, startup_timeout=300, kernel_name=KERNEL, config=ENCRYPTED)
    try:
        with _settings_apart():
            run.preprocess(notebook, {"metadata": {"path": str(Path.cwd())}})
    except CellExecutionError as problem:
        if problem.ename == StudyError.__name__:
            raise StudyError(problem.evalue) from problem
        raise
    return _page(notebook)


def _page(notebook: Any) -> str:
    title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
    exporter = HTMLExporter(template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(notebook)
    return templates(escape=True).get_template("notebook.html.j2").render(title=title, body=body)


@contextmanager
def _settings_apart() -> Iterator[None]:
    """A user's settings must not change a page, nor a page the user's history of commands."""
    before = dict(os.environ)
    with TemporaryDirectory() as folder:
        places = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR")
        os.environ.update(dict.fromkeys(places, folder), JUPYTER_NO_CONFIG="1")
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
