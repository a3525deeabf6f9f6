"""Stop if the values of a column look as if they were in another unit than the one declared."""

from functools import partial

from d2tra import io, logs
from d2tra.definitions import label
from d2tra.extract.mapping import Harmonised
from d2tra.extract.sentinel import guard_units
from d2tra.extract.site import load_site
from d2tra.extract.validate import validate_extract
from d2tra.treatment import recognise_drugs

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    tables, choices = io.scan_folder(snakemake.input.tables), dict(snakemake.params.study)
    harmonised = Harmonised(tables, tables.pop("findings").collect())
    site = load_site(snakemake.input.mapping, snakemake.input.fetched)
    primary = {"definition": choices.pop("definitions")[0], "study": choices}
    judged = guard_units(
        harmonised, site, io.scan_folder(snakemake.input.valid),
        validate=partial(validate_extract, site=site, recognise=recognise_drugs),
        label=partial(label, **primary, records_glucocorticoids=site.records_glucocorticoids),
    )  # fmt: skip
    io.write(io.neutralised(judged), snakemake.output.units)
