"""Write down the protocol: each of its files with its hash."""

from d2tra import io, logs, provenance

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given = snakemake.input
    io.write_json(provenance.protocol(given.study, given.files), snakemake.output.protocol)
