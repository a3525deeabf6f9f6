"""Put each patient's b/tsDMARD courses into their order, with what had not been tried and the risks that ran together."""

import datetime as dt

from d2tra import io, logs
from d2tra.treatment.sequence import order_treatments

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    patients = io.read_folder(snakemake.input.valid)["patients"]
    cut = snakemake.params.data_cut_date or io.read_json(snakemake.input.cut)["data_cut_date"]
    sequence = order_treatments(io.read(snakemake.input.courses), patients, dt.date.fromisoformat(cut))
    io.write(sequence, snakemake.output.sequence)
