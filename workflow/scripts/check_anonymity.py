"""Count how many patients are alike in what others may know of them; sizes only."""

from d2tra import io, logs
from d2tra.extract.anonymity import anonymity_lines, check_anonymity, load_anonymity_plan

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    cut = io.read_json(snakemake.input.cut)["data_cut_date"]
    valid = io.read_folder(snakemake.input.valid)
    found = check_anonymity(valid, int(cut[:4]) if cut else None, load_anonymity_plan())
    print(anonymity_lines(found))
    io.write(found, snakemake.output.anonymity)
