"""Write a chapter's own manifest: it comes and goes without the cohorts' results. Keep its cells in the ledger."""

from pathlib import Path

from d2tra import io, logs, provenance
from d2tra.disclosure.ledger import seal

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, asked, made = snakemake.input, snakemake.params, snakemake.output
    protocol, folder = io.read_json(given.protocol), Path(made.manifest).parent
    found = provenance.manifest(folder, protocol, given.raw, asked.study)
    seal(found, made.manifest, made.seal, asked.ledger, given.numbers)
