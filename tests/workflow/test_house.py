"""The rules of the house that a reader relies on: short rules, thin doors, imports that run one way."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from d2tra.provenance import modules_behind

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "workflow" / "src" / "d2tra"
CHAPTERS = [ROOT / "Snakefile", *sorted((ROOT / "workflow" / "rules").glob("*.smk"))]
SCRIPTS = sorted((ROOT / "workflow" / "scripts").glob("*.py"))
MODULES = sorted(PACKAGE.rglob("*.py"))
RULE_LINES, SCRIPT_LINES, MODULE_LINES, FUNCTION_LINES = 20, 26, 400, 60

# Each room may import those on the lines above it, and its neighbours on its own line.
ROOMS = """
errors
config io jobs logs provenance spans
estimates pooling survival
codelists synthetic
extract
proposal
treatment
scores
definitions
cohort follow_up sensitivity_plan
risk_factor_plan
risk_factors
refusals
models
reproduction sensitivity
expectations
tables
survey
disclosure
figures
documents
review centres changes dry_run
cli
"""
FLOOR = {room: floor for floor, line in enumerate(ROOMS.split("\n")) for room in line.split()}


def rules_of(text: str) -> dict[str, str]:
    """Returns rule → its lines, from `rule name:` to the last indented one."""
    found = re.findall(r"^(?:rule|checkpoint) (\w+):\n((?:[ \t]+.*\n|\n(?=[ \t]))+)", text, re.MULTILINE)
    return {name: f"rule {name}:\n{body}" for name, body in found}


RULES = {name: text for path in CHAPTERS for name, text in rules_of(path.read_text(encoding="utf-8")).items()}
TARGETS = set(rules_of((ROOT / "Snakefile").read_text(encoding="utf-8")))


def docstring_of(rule: str) -> str:
    quoted = re.match(r'rule \w+:\n    """(.+?)"""', rule, re.DOTALL)
    return quoted[1] if quoted else ""


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path, for_types: bool = True) -> set[str]:
    """Returns the dotted names within the package that a module imports, wherever in it; or but for type hints."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not for_types:
        tree.body = [
            node
            for node in tree.body
            if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        ]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.removeprefix("d2tra.") for name in names if name.startswith("d2tra.")}


def modules_imported(path: Path) -> set[Path]:
    """Returns the files of the package that a module imports; `from room import name` is the room's __init__."""
    found: set[Path] = set()
    for name in imports_of(path, for_types=False):
        for parts in (name.split("."), name.split(".")[:-1]):
            stem = PACKAGE.joinpath(*parts)
            files = [file for file in (stem.with_suffix(".py"), stem / "__init__.py") if file.is_file()]
            if parts and files:
                found.add(files[0])
                break
    return found - {path}


def test_the_chapters_hold_rules() -> None:
    assert {"screen_extract", "label_patients", "release"} <= set(RULES)
    assert {"all", "audit", "extension", "figures", "check"} <= TARGETS


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_short(rule: str) -> None:
    lines = [line for line in RULES[rule].splitlines() if line.strip()]
    assert len(lines) <= RULE_LINES


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_says_what_it_does_in_words_that_snakemake_lists_as_they_are(rule: str) -> None:
    docstring = docstring_of(RULES[rule])
    assert docstring
    assert not re.search(r"[{}]", docstring)


@pytest.mark.parametrize("rule", sorted(set(RULES) - TARGETS))
def test_a_rule_calls_the_script_of_its_name_and_logs_under_its_name(rule: str) -> None:
    assert f'"../scripts/{rule}.py"' in RULES[rule]
    assert re.search(rf'log:\n\s+"<private>/logs/{rule}/[^"]+\.log"', RULES[rule])
    assert not re.search(r"^    (?:shell|run):", RULES[rule], re.MULTILINE)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.name)
def test_a_chapter_has_no_lambda_and_opens_with_what_it_is_about(chapter: Path) -> None:
    text = chapter.read_text(encoding="utf-8")
    assert "lambda" not in text
    assert text.startswith('"""\n')


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_a_door(script: Path) -> None:
    """Short, with a docstring, nothing but imports before __main__, and `snakemake` only below it."""
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= SCRIPT_LINES
    head, below = text.split('if __name__ == "__main__":\n')
    assert not re.search(r"\bsnakemake\b", head)
    assert "logs.start(snakemake.log[0])" in below
    tree = ast.parse(head)
    assert ast.get_docstring(tree)
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body[1:])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_is_of_a_size_to_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES, node.name


def test_no_module_is_a_drawer_for_everything() -> None:
    assert not {"utils", "util", "helpers", "helper", "misc", "common"} & {path.stem for path in MODULES}


def test_every_room_has_its_floor() -> None:
    assert {room_of(path) for path in MODULES} - {"__init__"} <= set(FLOOR)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_from_the_floors_below(path: Path) -> None:
    own = room_of(path)
    upward = [
        name
        for name in imports_of(path)
        if name.split(".")[0] != own and FLOOR[name.split(".")[0]] > FLOOR.get(own, 0)
    ]
    assert upward == []


def test_the_package_does_not_know_snakemake() -> None:
    users = [
        path.name
        for path in MODULES
        if re.search(r"^\s*(?:import|from) snakemake", path.read_text(), re.MULTILINE)
    ]
    assert users == []


def test_no_imports_go_round_in_a_circle() -> None:
    """What is left when modules that need none, or that none needs, are taken away again and again."""
    circle = {path: modules_imported(path) for path in MODULES}
    left = -1
    while left != len(circle):
        left = len(circle)
        needed = set().union(*circle.values()) if circle else set()
        circle = {
            path: needs & set(circle)
            for path, needs in circle.items()
            if needs & set(circle) and path in needed
        }
    names = {
        str(p.relative_to(PACKAGE)): sorted(str(n.relative_to(PACKAGE)) for n in needs)
        for p, needs in circle.items()
    }
    assert names == {}


LOADED = """
import json, runpy, sys
loaded = {}
for script in sys.argv[1:]:
    for name in [name for name in sys.modules if name.split(".")[0] == "d2tra"]:
        del sys.modules[name]
    runpy.run_path(script)
    files = [m.__file__ for name, m in sys.modules.items() if name.split(".")[0] == "d2tra"]
    loaded[script] = sorted(files)
print(json.dumps(loaded))
"""


def test_every_module_that_a_script_loads_is_among_the_code_that_its_rule_depends_on() -> None:
    """What Python really loads, against what is read off the imports: an edit must never be missed."""
    command = [sys.executable, "-c", LOADED, *map(str, SCRIPTS)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    for script, loaded in json.loads(done.stdout).items():
        assert len(loaded) > 3
        assert set(loaded) <= set(modules_behind(script)), script
