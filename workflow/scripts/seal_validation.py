"""Write the chapter's own manifest: it comes and goes without the cohorts' results. Keep its cells in the ledger."""

from pathlib import Path

from d2tra import config, io, logs, provenance
from d2tra.disclosure.ledger import record
from d2tra.tables import read_tables

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, asked, folder = snakemake.input, snakemake.params, Path(snakemake.output.manifest).parent
    protocol = io.read_json(given.protocol)
    found = provenance.manifest(folder, protocol, given.raw, asked.study)
    io.write_json(found, snakemake.output.manifest)
    release = provenance.seal_of(snakemake.output.manifest)
    if asked.ledger:
        record(asked.ledger, release, {config.VALIDATION: read_tables(given.numbers)})
    io.write_text(f"{release}\n", snakemake.output.seal)
