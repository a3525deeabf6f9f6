"""Set aside what cannot be right, with a reason, and account for every row."""

from d2tra import io, logs
from d2tra.extract.mapping import Harmonised
from d2tra.extract.site import load_site
from d2tra.extract.validate import validate_extract
from d2tra.treatment import recognise_drugs

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    tables = io.read_folder(snakemake.input.tables)
    harmonised = Harmonised(tables=tables, findings=tables.pop("findings"))
    validated = validate_extract(harmonised, load_site(snakemake.input.mapping), recognise_drugs)
    print(validated.accounting)
    valid = {f"{name}.parquet": frame for name, frame in validated.tables.items()}
    io.write_folder(valid, snakemake.output.valid)
    io.write(validated.quarantine, snakemake.output.quarantine)
    io.write(validated.accounting, snakemake.output.accounting)
    io.write_json({"data_cut_date": validated.data_cut_date}, snakemake.output.cut)
