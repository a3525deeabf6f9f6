"""A results folder as it lies on disk: of which study, from which protocol, inputs and software, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from d2tra import io
from d2tra.errors import StudyError
from d2tra.provenance import MANIFEST


@dataclass(frozen=True)
class ResultsFolder:
    """`protocol`: file → hash. `study`, `raw`, `software`: as the manifests say. Each is None where nothing there tells."""

    folder: Path
    study: str | None
    protocol: Mapping[str, str] | None
    raw: Mapping[str, str] | None
    software: Mapping[str, str] | None
    is_whole: bool
    """What is released was sealed from the protocol that stands beside the labels, and after them."""

    @property
    def sites(self) -> list[str]:
        """The sites whose rows were accounted for, sorted."""
        return sorted(path.parent.name for path in self._private.glob("sites/*/accounting.csv"))

    @property
    def cohorts(self) -> list[str]:
        """The cohorts with a prevalence, sorted."""
        return sorted(path.parent.name for path in self._private.glob("cohorts/*/prevalence.csv"))

    @property
    def _private(self) -> Path:
        return self.folder / "private"

    def of_site(self, site: str, file: str) -> Path:
        """Returns where a file of a site lies, or would lie."""
        return self._private / "sites" / site / file

    def of_cohort(self, cohort: str, file: str) -> Path:
        """Returns where a file of a cohort lies, or would lie."""
        return self._private / "cohorts" / cohort / file

    def scan(self, site: str, file: str, schema: Mapping[str, type[pl.DataType]]) -> pl.LazyFrame:
        """Returns these columns of a site's .parquet; no rows where there is no such file."""
        path = self.of_site(site, file)
        return pl.scan_parquet(path).select(*schema) if path.is_file() else pl.LazyFrame(schema=schema)


def open_folder(folder: str | Path) -> ResultsFolder:
    """Returns a results folder. StudyError where it is none: the folder `results/<study>` itself is asked for."""
    folder = Path(folder)
    if not list(folder.glob("private/sites/*/accounting.csv")):
        raise StudyError(
            f"{folder.as_posix()} is no results folder: it has no private/sites/<site>/accounting.csv. "
            "Name the folder results/<study> of a run (the whole folder, private/ with it, must have been kept)."
        )
    kept = folder / "private" / "protocol.json"
    protocol = io.read_json(kept) if kept.is_file() else None
    paths = sorted(folder.glob(f"*/*/{MANIFEST}"))
    manifests = [io.read_json(path) for path in paths]
    labelled = [path.stat().st_mtime_ns for path in folder.glob("private/sites/*/labels.parquet")]
    is_older = any(path.stat().st_mtime_ns < max(labelled, default=0) for path in paths)
    sealed = {manifest["protocol_sha256"] for manifest in manifests}
    return ResultsFolder(
        folder=folder,
        study=manifests[0]["study"] if manifests else None,
        protocol=protocol and protocol["files"],
        raw=_together(manifests, "raw_sha256"),
        software=_together(manifests, "software"),
        is_whole=not is_older and (protocol is None or sealed <= {protocol["protocol_sha256"]}),
    )


def _together(manifests: list[dict[str, dict[str, str]]], key: str) -> dict[str, str] | None:
    """Every profile's manifest names the same inputs and software."""
    return {name: value for manifest in manifests for name, value in manifest[key].items()} or None
