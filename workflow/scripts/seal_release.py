"""Write the manifest: what was released, from which protocol, inputs and software."""

from pathlib import Path

from d2tra import config, io, logs, provenance

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, folder = snakemake.input, Path(snakemake.output.manifest).parent
    protocol = io.read_json(given.protocol)
    apart = [config.VALIDATION]
    found = provenance.manifest(folder, protocol, given.raw, snakemake.params.study, apart)
    io.write_json(found, snakemake.output.manifest)
