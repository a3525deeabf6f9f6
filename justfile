# The verbs of this house; `just` lists them. (`uv run just <verb>` where just is not installed.)

_list:
    @just --list

# the audit with everything, on the shipped synthetic extract
audit:
    uv run snakemake --cores all

# the tests
test *arguments:
    uv run pytest {{arguments}}

# the tests without the ones that run the workflow end to end
test-fast:
    uv run pytest -m "not slow"

# what would run, and why, in plain words
why *targets:
    uv run d2tra plan {{targets}}

# do 95 % limits hold the truth? 1,000 simulated audits (--long: 10,000)
coverage *arguments:
    uv run python benchmarks/coverage.py {{arguments}}

# the models here and in R, side by side
beside-r *tasks:
    uv run python benchmarks/beside_r.py {{tasks}}

# time and memory of the labels of random patients
label-patients *patients:
    uv run python benchmarks/label_patients.py {{patients}}

# lint, formatting, types
lint:
    uv run ruff check .
    uv run ruff format --check .
    uv run snakefmt --check Snakefile workflow/rules
    uv run mypy

# mend what lint can mend
format:
    uv run ruff check --fix .
    uv run ruff format .
    uv run snakefmt Snakefile workflow/rules

# after a change of dependencies in pyproject.toml
lock:
    uv lock
    uv export --quiet --no-hashes --no-emit-project --no-dev --format requirements.txt --output-file workflow/requirements.txt

# make the synthetic extract again
demo:
    uv run python -m d2tra.synthetic data/demo

# what each rule needs, for the resources of a cluster's profile (--patients N: of a synthetic registry)
rule-resources *arguments:
    uv run python benchmarks/rule_resources.py {{arguments}}

# every promised figure, with its peers beside it; hours (names: only those)
benchmarks *names:
    uv run python benchmarks/everything.py {{names}}

# how long do whole runs take: audit, everything, nothing to do, a colour changed, validation?
whole-runs *arguments:
    uv run python benchmarks/whole_runs.py {{arguments}}

# one study through a real SLURM on this machine, and without it: the same bytes?
slurm *arguments:
    uv run --with snakemake-executor-plugin-slurm python benchmarks/slurm.py {{arguments}}

# killed at random moments, disk full, sources changed: the right result or a clear sentence?
faults *arguments:
    uv run python benchmarks/faults.py {{arguments}}

# the bill of materials: every package of the lock with its hashes (CycloneDX 1.5)
sbom file="sbom.cdx.json":
    uv export --quiet --frozen --no-dev --format cyclonedx1.5 --output-file {{file}}

# known vulnerabilities of the locked packages; needs the network, and fails where a package cannot be looked up
vulnerabilities:
    uvx pip-audit --strict --disable-pip --no-deps --requirement workflow/requirements.txt
