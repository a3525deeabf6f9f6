"""One truth for dependencies: the other doors are in step with it."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_the_exported_requirements_are_those_of_the_lock():
    command = ["uv", "export", "--quiet", "--frozen", "--no-hashes", "--no-emit-project", "--no-dev"]
    exported = subprocess.run(
        [*command, "--format", "requirements.txt"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    committed = (ROOT / "workflow/requirements.txt").read_text(encoding="utf-8")
    assert _pins(committed) == _pins(exported), "mend with: just lock"


def test_the_conda_door_installs_the_exported_requirements_and_the_package():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    (pip_part,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    assert pip_part == ["-r workflow/requirements.txt", "-e ."]
    assert "python=3.11" in environment["dependencies"]


def test_the_package_imports_without_snakemake():
    check = (
        "import sys; sys.modules['snakemake'] = None; import d2tra.cli, d2tra.definitions, d2tra.documents"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


def _pins(requirements: str) -> list[str]:
    return [
        line.strip()
        for line in requirements.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
