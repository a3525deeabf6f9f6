"""Stop if the extract holds identifiers of patients."""

from d2tra import io, logs
from d2tra.extract.screen import raise_if_identifiers, screen_extract
from d2tra.extract.site import load_site

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    screening = screen_extract(load_site(snakemake.input.mapping))
    raise_if_identifiers(screening)
    io.write_json(screening.as_dict(), snakemake.output.screen)
