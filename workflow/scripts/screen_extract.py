"""Stop if the extract holds identifiers of patients."""

from d2tra import io, logs
from d2tra.extract.how_read import how_files_are_read
from d2tra.extract.screen import raise_if_identifiers, screen_extract, seals
from d2tra.extract.site import load_site

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    site = load_site(snakemake.input.mapping, snakemake.input.fetched)
    sha256 = seals(site)
    screening = screen_extract(site)
    raise_if_identifiers(screening)
    told = {**screening.as_dict(), "read_as": how_files_are_read(site), "sha256": sha256}
    io.write_json(told, snakemake.output.screen)
