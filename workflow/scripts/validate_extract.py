"""Set aside what cannot be right, with a reason, and account for every row."""

from d2tra import io, logs
from d2tra.extract.kept import validate_to_folder
from d2tra.extract.mapping import Harmonised
from d2tra.extract.quarantine_workbook import give_back_stopped, where_rows_stand
from d2tra.extract.site import load_site
from d2tra.extract.validate import SetAsideError
from d2tra.treatment import recognise_drugs

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    tables = io.scan_folder(snakemake.input.tables)
    harmonised = Harmonised(tables, tables.pop("findings").collect())
    site = load_site(snakemake.input.mapping, snakemake.input.fetched)
    try:
        validated = validate_to_folder(harmonised, site, recognise_drugs, snakemake.output.valid)
    except SetAsideError as stop:
        screened, read = io.read_json(snakemake.input.screen)["sha256"], where_rows_stand(tables)
        raise give_back_stopped(stop, site, screened, read, snakemake.output.accounting) from None
    print(validated.accounting)
    io.write(io.neutralised(validated.quarantine), snakemake.output.quarantine)
    io.write(validated.accounting, snakemake.output.accounting)
    io.write(validated.by_source, snakemake.output.by_source)
    io.write_json({"data_cut_date": validated.data_cut_date}, snakemake.output.cut)
