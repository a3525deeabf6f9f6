"""Move the study's documents to where people look for them."""

from d2tra import io, logs

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    for name in snakemake.params.names:
        io.copy(f"{snakemake.input.documents}/{name}", f"{snakemake.params.folder}/{name}")
