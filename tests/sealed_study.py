"""A study of one cohort for tests of releases, and its results sealed as the workflow seals them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from d2tra import io, provenance
from d2tra.disclosure.ledger import record
from d2tra.tables import Table

STUDY = """\
title: Sealed
sites: [demo]
cohorts: [{name: audit, disease: RA}]
definitions: [eular_2021]
seed: 1
"""


def seal_release(folder: Path, released: Mapping[str, Sequence[Table]], raw: str) -> None:
    """Seals the files of `folder` (release/<profile> of results/study): manifest, protocol, ledger, seal.

    study.yaml lies in the folder of the command; raw.csv, which holds `raw`, is written there.
    """
    private, profile = Path("results/study/private"), folder.name
    Path("raw.csv").write_text(raw, encoding="utf-8")
    protocol = provenance.protocol("study.yaml", [])
    io.write_json(protocol, private / "protocol.json")
    io.write_json(provenance.manifest(folder, protocol, ["raw.csv"], "study"), folder / "manifest.json")
    release = provenance.seal_of(folder / "manifest.json")
    record(private / "ledger" / f"{profile}.csv", release, released)
    io.write_text(f"{release}\n", private / "seals" / f"release_{profile}.sha256")
