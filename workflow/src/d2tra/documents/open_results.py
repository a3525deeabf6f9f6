"""A study's results at hand in a notebook: read only, and its frames shown as tables that a person reads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from IPython.core.getipython import get_ipython
from IPython.display import HTML, display

from d2tra import io
from d2tra.config import Study, load_study
from d2tra.documents.layout import PRIVATE, SYNTHETIC, templates
from d2tra.errors import StudyError
from d2tra.extract.site import SiteMapping, load_site
from d2tra.tables.cells import EMPTY, decimal

SHOWN = 20  # rows of a frame that a page shows


@dataclass(frozen=True)
class StudyResults:
    """The results of a study; `private` is the folder of what never leaves the department."""

    study: Study
    private: Path
    sites: dict[str, SiteMapping]

    @property
    def primary(self) -> str:
        """The name of the primary definition."""
        return self.study.definition_names[0]

    def of_sites(self, file: str) -> pl.DataFrame:
        """Returns a file of each site (`labels.parquet`, `valid/visits.parquet` …), one site under the other, `site` first.

        A site without the file has no rows. StudyError where no site has it.
        """
        return self._of_each("site", list(self.sites), file)

    def of_cohorts(self, file: str) -> pl.DataFrame:
        """Returns a file of each cohort (`flow.csv`, `models/univariable.csv` …), one under the other, `cohort` first.
        A cohort without the file has no rows. StudyError where no cohort has it."""
        return self._of_each("cohort", self.study.cohort_names, file)

    def extract(self, site: str) -> dict[str, pl.DataFrame]:
        """Returns the valid tables of a site by their names: what `d2tra.definitions.label` takes."""
        return io.read_folder(self.private / "sites" / site / "valid")

    def _of_each(self, kind: str, names: list[str], file: str) -> pl.DataFrame:
        files = {name: self.private / f"{kind}s" / name / file for name in names}
        frames = [
            io.read(path).select(pl.lit(name).alias(kind), pl.all())
            for name, path in files.items()
            if path.is_file()
        ]
        if not frames:
            raise StudyError(f"study {self.study.name}: no {kind} has a file {file}.")
        filled = [frame for frame in frames if frame.height]  # the columns of an empty csv have no type
        return pl.concat(filled or frames[:1], how="diagonal_relaxed")


def open_results(study: str) -> StudyResults:
    """Returns the results of a study (its name or path), and says on the page that they are private, or synthetic.

    Works in the folder of the command and, for a notebook opened by hand, in notebooks/ within it. From then on frames
    are shown as a person reads them. StudyError where the study has no results yet.
    """
    if Path.cwd().name == "notebooks":
        os.chdir("..")
    loaded = load_study(study)
    private = Path("results") / loaded.name / "private"
    if not private.is_dir():
        raise StudyError(
            f"study {loaded.name} has no results yet ({private.as_posix()}/ is not there). "
            "Make them first: uv run snakemake --cores all notebooks"
        )
    sites = {site.name: site for site in map(load_site, loaded.sites)}
    shell = get_ipython()
    if shell is not None and shell.display_formatter is not None:
        in_html = shell.display_formatter.formatters["text/html"]
        in_html.for_type(pl.DataFrame, frame_html)
    synthetic = any(site.synthetic for site in sites.values())
    said = [PRIVATE, *([SYNTHETIC] if synthetic else [])]
    display(HTML("".join(f'<p class="banner"><strong>{words}</strong></p>' for words in said)))
    return StudyResults(loaded, private, sites)


def frame_html(frame: pl.DataFrame) -> str:
    """Returns the first rows of a frame as a table: null is "–", a number has at most two decimals; how many rows there
    are stands above it."""
    head = frame.head(SHOWN)
    lines = [
        {"label": texts[0], "indented": False, "texts": texts[1:]}
        for texts in ([_in_words(value) for value in row] for row in head.iter_rows())
    ]
    caption = f"{frame.height} row{'s' if frame.height != 1 else ''}"
    if head.height < frame.height:
        caption = f"the first {head.height} of {caption}"
    page_part = templates(escape=True).get_template("notebook_frame.html.j2")
    return page_part.render(table={"headings": frame.columns, "lines": lines}, caption=caption)


def _in_words(value: Any) -> str:
    if value is None:
        return EMPTY
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return decimal(value, 0 if value.is_integer() else 2)
    return str(value)
