"""Move a site's aggregates to where people look for what may leave."""

from d2tra import io, logs

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    io.copy(snakemake.input.share, snakemake.output.share)
