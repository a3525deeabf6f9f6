"""Write the manifest: what was released, from which protocol, inputs and software."""

from pathlib import Path

from d2tra import io, logs, provenance

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    folder = Path(snakemake.output.manifest).parent
    found = provenance.manifest(folder, snakemake.input.protocol, snakemake.input.raw, snakemake.params.study)
    io.write_json(found, snakemake.output.manifest)
