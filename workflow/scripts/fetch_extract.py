"""Stream a database, or tables of the OMOP CDM, to parquet files of text, screened before they are kept."""

from d2tra import io, logs
from d2tra.extract.fetch import fetch_extract
from d2tra.extract.site import load_site
from d2tra.treatment import recognise_drugs

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    record = fetch_extract(load_site(snakemake.input.mapping), snakemake.output.fetched, recognise_drugs)
    io.write_json(record, snakemake.output.record)
