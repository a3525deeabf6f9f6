"""A release as a Workflow Run RO-Crate: what was made, by which workflow and software, from which protocol and inputs.

Profiles: Workflow Run Crate 0.5, Process Run Crate 0.5, Workflow RO-Crate 1.0, all on RO-Crate 1.1
(https://w3id.org/ro/wfrun/workflow/0.5). Packed are only sealed files of a release and the workflow's own code; inputs
are told by name and hash, as in manifest.json.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io as memory
import json
import mimetypes
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from d2tra import io
from d2tra.config import PROJECT, Study
from d2tra.disclosure.verify import verify
from d2tra.errors import StudyError
from d2tra.provenance import APPROVAL, MANIFEST, seal_of

METADATA = "ro-crate-metadata.json"
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
CRATE, WORKFLOW_CRATE = "https://w3id.org/ro/crate/1.1", "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
MAIN, LANGUAGE = "Snakefile", "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
CODE_LICENSE = "https://spdx.org/licenses/MIT"
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first time that a zip archive can tell
Entity = dict[str, Any]


def write_crate(study: Study, out: Path, profile: str | None = None) -> str:
    """Writes the crate of a release, a .zip or a new folder; returns what was packed, in a line.

    StudyError: nothing was released (what stays inside is never packed), several profiles and none named, `out` is there
    already, or the release is not what was sealed (`verify`).
    """
    folder = _release_of(study, profile)
    if out.exists():
        raise StudyError(f"{out}: is there already. Name a new file or folder.")
    verify(study, folder.name)
    contents = crate_contents(study, folder)
    if out.suffix == ".zip":
        io.write_bytes(_zipped(contents), out)
    else:
        io.write_folder(contents, out)
    signed = "approved" if (folder / APPROVAL).is_file() else "not approved yet"
    return f"{out}: {len(contents)} files; release {folder.name} of {study.name}, {signed}."


def crate_contents(study: Study, folder: Path) -> dict[str, bytes]:
    """Returns path in the crate → bytes: the sealed files of a release folder, the workflow's code, and the metadata."""
    manifest = io.read_json(folder / MANIFEST)
    names = [*manifest["files"], MANIFEST, *([APPROVAL] if (folder / APPROVAL).is_file() else [])]
    contents = {f"results/{name}": (folder / name).read_bytes() for name in sorted(names)}
    code = [PROJECT / name for name in (MAIN, "README.md", "LICENSE", "uv.lock")]
    code += (PROJECT / "workflow" / "rules").glob("*.smk")
    contents |= {
        path.relative_to(PROJECT).as_posix(): path.read_bytes() for path in sorted(code) if path.is_file()
    }
    sealed = dt.datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime, dt.UTC).replace(microsecond=0)
    told = metadata(study.title, manifest, contents, seal_of(folder / MANIFEST), sealed)
    return {METADATA: (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode(), **contents}


def metadata(
    title: str, manifest: Mapping[str, Any], contents: Mapping[str, bytes], release: str, sealed: dt.datetime
) -> Entity:
    """Returns ro-crate-metadata.json as a dictionary: `@context` and the flat `@graph`.

    `manifest`: as `provenance.manifest` returns it; `contents`: path → bytes of what is packed; `release`: the sha256
    of manifest.json; `sealed`: when it was written.
    """
    files = [_file(name, content) for name, content in contents.items() if name != MAIN]
    results = [{"@id": entity["@id"]} for entity in files if entity["@id"].startswith("results/")]
    inputs, software = _inputs(manifest), _software(manifest)
    action = f"#run-{release[:16]}"
    workflow: Entity = {
        "@id": MAIN,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "d2tra: from anonymised extracts to audits of difficult-to-treat rheumatoid arthritis",
        "conformsTo": {"@id": "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"},
        "programmingLanguage": {"@id": LANGUAGE},
        "encodingFormat": "text/plain",
        "license": {"@id": CODE_LICENSE},
        "version": manifest["software"]["d2tra"],
        "sha256": _sha256(contents[MAIN]),
        "softwareRequirements": [{"@id": entity["@id"]} for entity in software],
    }
    run: Entity = {
        "@id": action,
        "@type": "CreateAction",
        "name": f"Run of the study {manifest['study']}",
        "description": f"uv run snakemake --cores all --config study={manifest['study']}",
        "endTime": sealed.isoformat(),
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "instrument": {"@id": MAIN},
        "object": [{"@id": entity["@id"]} for entity in inputs],
        "result": results,
    }
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": f"Released results of the study {manifest['study']}: tables, figures and documents, after disclosure "
        "control; no patient-level data.",
        "datePublished": sealed.date().isoformat(),
        "license": {"@id": "#license-of-results"},
        "conformsTo": [{"@id": profile} for profile in PROFILES],
        "hasPart": [{"@id": entity["@id"]} for entity in [workflow, *files]],
        "mainEntity": {"@id": MAIN},
        "mentions": {"@id": action},
    }
    descriptor: Entity = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": [{"@id": CRATE}, {"@id": WORKFLOW_CRATE}],
    }
    graph = [descriptor, root, workflow, run, *_contextual(manifest), *inputs, *software, *files]
    return {"@context": CONTEXT, "@graph": graph}


def _release_of(study: Study, profile: str | None) -> Path:
    results = Path("results") / study.name / "release"
    found = sorted(path.parent for path in results.glob(f"{profile or '*'}/{MANIFEST}"))
    if not found:
        under = f" under profile {profile}" if profile else ""
        raise StudyError(
            f"study {study.name} has released nothing{under} ({results.as_posix()}/); what stays inside is not packed."
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise StudyError(f"study {study.name} has several releases: {names}. Name one with --profile.")
    return found[0]


def _file(name: str, content: bytes) -> Entity:
    kind = mimetypes.guess_type(name)[0] or "text/plain"
    about = {"about": {"@id": "./"}} if name == "README.md" else {}
    return {
        "@id": name,
        "@type": "File",
        "name": Path(name).name,
        "encodingFormat": kind,
        "contentSize": str(len(content)),
        "sha256": _sha256(content),
        **about,
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _inputs(manifest: Mapping[str, Any]) -> list[Entity]:
    """What the run read and the crate does not hold: by name and hash."""
    kinds = {"protocol": "Protocol", "raw_sha256": "Patient-level input, which stays in the department"}
    told = [
        {"@id": f"#{key}/{name}", "@type": "CreativeWork", "name": name, "description": said, "sha256": seal}
        for key, said in kinds.items()
        for name, seal in manifest[key].items()
    ]
    values = {"protocol_sha256": manifest["protocol_sha256"]}
    if manifest.get("git"):
        values |= {
            "git_commit": manifest["git"]["commit"],
            "git_code_changed": manifest["git"]["code_changed"],
        }
    return told + [
        {"@id": f"#{name}", "@type": "PropertyValue", "name": name, "value": str(value)}
        for name, value in values.items()
    ]


def _software(manifest: Mapping[str, Any]) -> list[Entity]:
    return [
        {"@id": f"#software/{name}", "@type": "SoftwareApplication", "name": name, "softwareVersion": version}
        for name, version in manifest["software"].items()
    ]


def _contextual(manifest: Mapping[str, Any]) -> list[Entity]:
    profiles = [
        {"@id": profile, "@type": "CreativeWork", "name": name, "version": version}
        for profile, (name, version) in PROFILES.items()
    ]
    language = {
        "@id": LANGUAGE,
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "version": manifest["software"]["snakemake"],
        "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
        "url": {"@id": "https://snakemake.readthedocs.io"},
    }
    results = "The department that released the results says who may use them and how."
    licenses = [
        {"@id": CODE_LICENSE, "@type": "CreativeWork", "name": "MIT License"},
        {"@id": "#license-of-results", "@type": "CreativeWork", "name": "Not stated", "description": results},
    ]
    return [*profiles, language, *licenses]


def _zipped(contents: Mapping[str, bytes]) -> bytes:
    """A zip archive whose bytes depend on the contents alone."""
    packed = memory.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            part = zipfile.ZipInfo(name, EARLIEST)
            part.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(part, contents[name])
    return packed.getvalue()
