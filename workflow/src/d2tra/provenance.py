"""Which code stands behind a script, so that an edit reruns what depends on it and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent


def modules_behind(script: str | Path) -> list[str]:
    """Returns the files of this package that a script imports, directly or through others, sorted."""
    found: set[Path] = set()
    waiting = [Path(script)]
    while waiting:
        for module in _imported_modules(waiting.pop()) - found:
            found.add(module)
            waiting.append(module)
    return sorted(path.as_posix() for path in found)


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
