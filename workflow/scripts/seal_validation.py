"""Write the chapter's own manifest: it comes and goes without the cohorts' results."""

from pathlib import Path

from d2tra import io, logs, provenance

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, folder = snakemake.input, Path(snakemake.output.manifest).parent
    protocol = io.read_json(given.protocol)
    found = provenance.manifest(folder, protocol, given.raw, snakemake.params.study)
    io.write_json(found, snakemake.output.manifest)
