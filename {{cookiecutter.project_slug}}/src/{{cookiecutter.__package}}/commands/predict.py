"""`predict`: what the best checkpoint of a run says of new samples, in their order."""

import codecs
import csv
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..array_file import Array, ArrayFile
from ..arrays import given_splits, load, load_samples
from ..config import Settings
from ..data_config import DataSettings
from ..errors import ConfigError, printable
from ..inference import Trained
from ..splits import split_names
from ..storage import check_new, new_file
from ..targets import strata

AT_ONCE = 4096  # rows of a .csv


def run(folder: Path, settings: Settings, data: DataSettings, *, out: Path) -> None:
    """Write the predictions as .npz or .csv. Raises ConfigError, DataError, RefusedError, OSError."""
    writers = {".npz": to_npz, ".csv": to_csv}
    check_new(out, list(writers))
    trained = Trained(folder, settings)
    if trained.targets.dense and out.suffix == ".csv":
        what = "predictions at each position do not fit into the rows of a table"
        raise ConfigError(what, f"in {out}", "choose a file that ends in .npz")
    file, own = ArrayFile(data.path), settings.data
    is_own = replace(data, path=own.path, resident=own.resident) == own and not given_splits(file, own)
    if is_own and file.sha256(own.x, own.y, own.groups) == trained.data_sha256:
        whole = load(file, data, groups=data.groups)
        predictions = trained.predict(whole.x, data.path)
        predictions["split"] = split_names(whole, own, strata(whole.y))  # who reads it should know who was trained on
    else:
        predictions = trained.predict(load_samples(file, data), data.path)
    with new_file(out) as output:
        writers[out.suffix](output, predictions, trained.task.column_names())
    print(f"{len(predictions['prediction']):,} predictions of epoch {trained.epoch} are in {printable(str(out))}")


def to_npz(file: BinaryIO, predictions: dict[str, Array], names: dict[str, list[str]]) -> None:
    """Write an .npz of all arrays; the names of the columns of `a` are in `a_names`."""
    np.savez(file, **predictions, **{f"{key}_names": np.array(value) for key, value in names.items()})  # type: ignore[arg-type]


def to_csv(file: BinaryIO, predictions: dict[str, Array], names: dict[str, list[str]]) -> None:
    """Write a table with a row for each sample; of an array (N, K) called `a`, the columns are called a_<name>."""
    table: dict[str, Array] = {}
    for key, array in predictions.items():
        columns = [key] if array.ndim == 1 else [f"{key}_{name}" for name in names.get(key, range(array[0].size))]
        table |= zip(columns, array.reshape(len(array), -1).T, strict=True)
    writer = csv.writer(codecs.getwriter("utf-8")(file))
    writer.writerow(table)
    for start in range(0, len(predictions["prediction"]), AT_ONCE):  # as Python's numbers, they take far more memory
        writer.writerows(zip(*(column[start : start + AT_ONCE].tolist() for column in table.values()), strict=True))
