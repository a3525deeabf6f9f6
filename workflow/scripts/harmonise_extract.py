"""Turn the site's own columns, words, dates and units into the canonical tables."""

from d2tra import io, logs
from d2tra.extract.mapping import harmonise
from d2tra.extract.site import load_site

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    harmonised = harmonise(load_site(snakemake.input.mapping, snakemake.input.fetched))
    frames = {**harmonised.tables, "findings": harmonised.findings}
    io.write_folder({f"{name}.parquet": frame for name, frame in frames.items()}, snakemake.output.tables)
