"""One truth for dependencies: the other doors are in step with it."""

import json
import subprocess
import sys
import tomllib
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


def test_every_package_of_the_lock_has_a_hash():
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    foreign = [package for package in packages if "registry" in package["source"]]
    assert len(foreign) == len(packages) - 1  # but the project itself
    for package in foreign:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]


def test_the_bill_of_materials_names_every_locked_package_with_its_hashes(tmp_path):
    file = tmp_path / "sbom.json"
    command = ["uv", "export", "--quiet", "--frozen", "--no-dev", "--format", "cyclonedx1.5", "--output-file"]
    subprocess.run([*command, str(file)], cwd=ROOT, check=True, capture_output=True)
    bill = json.loads(file.read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    found = {f"{part['name']}=={part['version']}" for part in bill["components"]}
    pins = _pins((ROOT / "workflow/requirements.txt").read_text(encoding="utf-8"))
    assert found >= {pin.split(" ;")[0].strip() for pin in pins}
    for part in bill["components"]:
        hashes = [each for place in part["externalReferences"] for each in place["hashes"]]
        assert hashes, part["name"]
        assert {each["alg"] for each in hashes} == {"SHA-256"}
    recipe = (ROOT / "justfile").read_text(encoding="utf-8")
    assert " ".join(command) in recipe


def _pins(requirements: str) -> list[str]:
    return [
        line.strip()
        for line in requirements.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
