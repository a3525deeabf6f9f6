"""Turn the site's own columns, words, dates and units into the canonical tables."""

from d2tra import io, logs
from d2tra.extract.mapping import harmonise
from d2tra.extract.screen import as_screened
from d2tra.extract.site import load_site

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    site = load_site(snakemake.input.mapping, snakemake.input.fetched)
    with as_screened(site, io.read_json(snakemake.input.screen)["sha256"]):
        harmonised = harmonise(site)
    frames = {**harmonised.tables, "findings": harmonised.findings}
    io.write_folder({f"{name}.parquet": frame for name, frame in frames.items()}, snakemake.output.tables)
