"""Set aside what cannot be right, with a reason, and account for every row."""

from d2tra import io, logs
from d2tra.extract.mapping import Harmonised
from d2tra.extract.quarantine_workbook import give_back_stopped
from d2tra.extract.site import load_site
from d2tra.extract.validate import SetAsideError, validate_extract
from d2tra.treatment import recognise_drugs

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    tables = io.read_folder(snakemake.input.tables)
    harmonised = Harmonised(tables=tables, findings=tables.pop("findings"))
    site = load_site(snakemake.input.mapping, snakemake.input.fetched)
    try:
        validated = validate_extract(harmonised, site, recognise_drugs)
    except SetAsideError as stop:
        screened = io.read_json(snakemake.input.screen)["sha256"]
        raise give_back_stopped(stop, site, screened, tables, snakemake.output.accounting) from None
    print(validated.accounting)
    valid = {f"{name}.parquet": frame for name, frame in validated.tables.items()}
    io.write_folder(valid, snakemake.output.valid)
    io.write(io.neutralised(validated.quarantine), snakemake.output.quarantine)
    io.write(validated.accounting, snakemake.output.accounting)
    io.write(validated.by_source, snakemake.output.by_source)
    io.write_json({"data_cut_date": validated.data_cut_date}, snakemake.output.cut)
