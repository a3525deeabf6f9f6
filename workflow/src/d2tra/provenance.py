"""What stands behind a result: the code of a script, and the protocol, inputs and software of a release."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from d2tra import io
from d2tra.config import PROJECT, load_yaml
from d2tra.errors import StudyError

FROZEN = "frozen_protocol"
MANIFEST, APPROVAL = "manifest.json", "APPROVED.yaml"
UNSEALED = {MANIFEST, APPROVAL, ".snakemake_timestamp"}
PACKAGE = Path(__file__).parent
CODE = ("Snakefile", "workflow", "pyproject.toml", "uv.lock")
# A pattern, as parsing every module as Python would take a second of every command, also where nothing is to be done.
IMPORT = re.compile(
    r"^\s*(?:from (d2tra[\w.]*) import (\([^)]*\)|[^\n]+)|import (d2tra[\w.]*))", re.MULTILINE
)
SOFTWARE = (
    "d2tra",
    "matplotlib",
    "numpy",
    "pandera",
    "polars",
    "scipy",
    "snakemake",
    "statsmodels",
)


def modules_behind(script: str | Path) -> list[str]:
    """Returns the files of this package that a script (or a notebook) imports, directly or through others, and their
    templates; sorted."""
    found: set[Path] = set()
    waiting = [Path(script)]
    while waiting:
        for module in _imported_modules(waiting.pop()) - found:
            found.add(module)
            waiting.append(module)
    rooms = {path.parent for path in found}
    templates = {file for room in rooms for file in (room / "templates").glob("*")}
    return sorted(path.as_posix() for path in found | templates)


@cache  # the DAG asks once per rule, and most rules share most modules
def _imported_modules(path: Path) -> set[Path]:
    names: set[str] = set()
    for module, attributes, whole in IMPORT.findall(_python_of(path)):
        names |= {module or whole} | {f"{module}.{name}" for name in re.findall(r"\w+", attributes)}
    return {file for name in names for file in _files_of(name)}


def _python_of(path: Path) -> str:
    """A script's or module's own text; of a notebook, its code cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    return "\n".join("".join(cell["source"]) for cell in cells)


@cache
def _files_of(dotted: str) -> list[Path]:
    """The module's file and the __init__ of every package on the way to it; an attribute's name gives none."""
    parts = dotted.split(".")[1:]
    inits = [PACKAGE.joinpath(*parts[:depth], "__init__.py") for depth in range(len(parts) + 1)]
    module = PACKAGE.joinpath(*parts).with_suffix(".py") if parts else PACKAGE / "__init__.py"
    return [path for path in [*inits, module] if path.is_file()]


def protocol(study_file: str | Path, files: Iterable[str | Path]) -> dict[str, Any]:
    """Returns what the study laid down before it looked: `files`, the sha256 of each, and `protocol_sha256` of them all.

    Of the study's own file the values count, not its comments, and the key `frozen_protocol` does not. Files are
    called by their place in the folder of the command or in the project; elsewhere, by their name.
    """
    stated = {key: value for key, value in load_yaml(study_file).items() if key != FROZEN}
    hashes = {_place_of(Path(path)): seal_of(path) for path in files}
    text = json.dumps(stated, default=str, ensure_ascii=False)
    hashes[_place_of(Path(study_file))] = hashlib.sha256(text.encode()).hexdigest()
    hashes = dict(sorted(hashes.items()))
    whole = hashlib.sha256(json.dumps(hashes).encode()).hexdigest()
    return {"protocol_sha256": whole, "files": hashes}


def refuse_changed_protocol(frozen: str | Path, now: Mapping[str, Any]) -> None:
    """Raises StudyError that names every file that is not as it was when the protocol was frozen."""
    then = io.read_json(frozen)
    before, after = then["files"], now["files"]
    changed = [
        f"{name} ({'added' if name not in before else 'gone' if name not in after else 'changed'})"
        for name in sorted(before | after)
        if before.get(name) != after.get(name)
    ]
    if changed:
        raise StudyError(
            f"the protocol is frozen ({frozen}), but {len(changed)} of its files are not as they were: "
            f"{', '.join(changed)}. Put them back, or take the key {FROZEN!r} out of the study and say in the report "
            "what was changed and why."
        )


def _place_of(path: Path) -> str:
    for folder in (Path.cwd(), PROJECT):
        if path.resolve().is_relative_to(folder.resolve()):
            return path.resolve().relative_to(folder.resolve()).as_posix()
    return path.name


def manifest(
    folder: Path, protocol: Mapping[str, Any], raw: list[str], study: str, apart: Iterable[str] = ()
) -> dict[str, object]:
    """Returns what stands in a release folder and where it came from; no time, user or path of the machine.

    `files`: every file below `folder` with its sha256 (the manifest and a person's sign-off left out; so are the
    sub-folders `apart`, which have a manifest of their own); `protocol`: as `protocol` returns it; `raw_sha256`: of
    every raw input; `software`: versions of the packages that make numbers; `git`: as `git_state` returns it.
    """
    return {
        "study": study,
        "files": hashes_in(folder, apart),
        "protocol_sha256": protocol["protocol_sha256"],
        "protocol": protocol["files"],
        "raw_sha256": {name: seal_of(path) for path, name in _told_apart(raw).items()},
        "software": software(),
        "git": git_state(),
    }


def _told_apart(paths: Iterable[str]) -> dict[str, str]:
    """Path → its name; with its folder's where two have the same name (the sites of a split extract)."""
    several = Counter(Path(path).name for path in set(paths))
    return {
        path: Path(path).name if several[Path(path).name] == 1 else "/".join(Path(path).parts[-2:])
        for path in sorted(paths)
    }


def git_state(project: Path = PROJECT) -> dict[str, str | bool] | None:
    """Returns `commit`, and `code_changed`: whether the workflow or the lock differs from it, or files were added there.

    Null where the project is no repository of its own, or there is no git. Settings and mappings are the protocol's affair.
    """
    try:
        top, commit = _git(project, "rev-parse", "--show-toplevel", "HEAD").splitlines()
        changed = _git(project, "status", "--porcelain", "--", *CODE)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
    if Path(top).resolve() != project.resolve():
        return None
    return {"commit": commit, "code_changed": bool(changed)}


def _git(project: Path, *asked: str) -> str:
    done = subprocess.run(["git", "-C", str(project), *asked], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def hashes_in(folder: Path, apart: Iterable[str] = ()) -> dict[str, str]:
    """Returns path → sha256 of every file below the folder that a manifest of it names."""
    kept = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        path.as_posix(): seal_of(folder / path)
        for path in kept
        if path.name not in UNSEALED and path.parts[0] not in set(apart)
    }


def seal_of(path: str | Path) -> str:
    """Returns the sha256 of a file; that of a manifest names its release."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def software() -> dict[str, str]:
    """Returns package → version, of Python and the packages that make numbers."""
    return {"python": platform.python_version()} | {name: version(name) for name in SOFTWARE}
