"""Move the study's documents to where people look for them."""

from d2tra import io, logs

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    for name, target in zip(snakemake.params.names, snakemake.output.documents, strict=True):
        io.copy(f"{snakemake.input.documents}/{name}", target)
