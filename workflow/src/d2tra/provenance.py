"""What stands behind a result: the code of a script, and the protocol, inputs and software of a release."""

from __future__ import annotations

import ast
import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parent
SOFTWARE = (
    "d2tra",
    "firthmodels",
    "matplotlib",
    "numpy",
    "pandera",
    "polars",
    "scipy",
    "snakemake",
    "statsmodels",
)


def modules_behind(script: str | Path) -> list[str]:
    """Returns the files of this package that a script imports, directly or through others, and their templates; sorted."""
    found: set[Path] = set()
    waiting = [Path(script)]
    while waiting:
        for module in _imported_modules(waiting.pop()) - found:
            found.add(module)
            waiting.append(module)
    templates = {file for path in found for file in (path.parent / "templates").glob("*")}
    return sorted(path.as_posix() for path in found | templates)


@cache  # the DAG asks once per rule, and most rules share most modules
def _imported_modules(path: Path) -> set[Path]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {file for name in names if name.split(".")[0] == PACKAGE.name for file in _files_of(name)}


def _files_of(dotted: str) -> list[Path]:
    """The module's file and the __init__ of every package on the way to it; an attribute's name gives none."""
    parts = dotted.split(".")[1:]
    inits = [PACKAGE.joinpath(*parts[:depth], "__init__.py") for depth in range(len(parts) + 1)]
    module = PACKAGE.joinpath(*parts).with_suffix(".py") if parts else PACKAGE / "__init__.py"
    return [path for path in [*inits, module] if path.is_file()]


def manifest(folder: Path, protocol: list[str], raw: list[str], study: str) -> dict[str, object]:
    """Returns what stands in a release folder and where it came from; no time, user or path of the machine.

    `files`: every file below `folder` with its sha256 (the manifest and a person's sign-off left out);
    `protocol_sha256`: of the study, definition and model files in that order; `raw_sha256`: of every raw input;
    `software`: versions of the packages that make numbers.
    """
    named = (path for path in sorted(folder.rglob("*")) if path.is_file())
    kept = [
        path for path in named if path.name not in {"manifest.json", "APPROVED.yaml", ".snakemake_timestamp"}
    ]
    return {
        "study": study,
        "files": {path.relative_to(folder).as_posix(): _sha256(path) for path in kept},
        "protocol_sha256": hashlib.sha256(b"".join(Path(path).read_bytes() for path in protocol)).hexdigest(),
        "raw_sha256": {Path(path).name: _sha256(Path(path)) for path in sorted(raw)},
        "software": {"python": platform.python_version()} | {name: version(name) for name in SOFTWARE},
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
