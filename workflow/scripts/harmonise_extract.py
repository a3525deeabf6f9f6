"""Turn the site's own columns, words, dates and units into the canonical tables."""

from d2tra import io, logs
from d2tra.extract.mapping import harmonise_in_pieces
from d2tra.extract.screen import as_screened
from d2tra.extract.site import load_site
from d2tra.spans import write_parts

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    site = load_site(snakemake.input.mapping, snakemake.input.fetched)
    screened = io.read_json(snakemake.input.screen)["sha256"]
    # the folder appears after the files were looked at again
    with io.new_folder(snakemake.output.tables) as folder, as_screened(site, screened):
        write_parts(harmonise_in_pieces(site), folder)
