"""Stop if the extract holds identifiers of patients."""

from d2tra import io, logs
from d2tra.extract.how_read import how_files_are_read
from d2tra.extract.screen import raise_if_identifiers, screen_extract
from d2tra.extract.site import load_site

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    site = load_site(snakemake.input.mapping, snakemake.input.fetched)
    screening = screen_extract(site)
    raise_if_identifiers(screening)
    io.write_json({**screening.as_dict(), "read_as": how_files_are_read(site)}, snakemake.output.screen)
