"""`predict`: what the best checkpoint of a run says of new samples, in their order."""

import csv
import io
from pathlib import Path

import numpy as np

from ..array_file import Array, ArrayFile
from ..arrays import load_samples
from ..config import Settings
from ..errors import ConfigError, printable
from ..inference import Trained
from ..storage import write_atomically


def run(folder: Path, settings: Settings, *, out: Path) -> None:
    """Write the predictions as .npy, .npz or .csv. Raises ConfigError, DataError, RefusedError, StorageError."""
    writers = {".npy": to_npy, ".npz": to_npz, ".csv": to_csv}
    if out.suffix not in writers:
        raise ConfigError("--out must end in .npy, .npz or .csv", f"in {out}", "the ending chooses the format")
    if out.exists():
        raise ConfigError("there is such a file already", f"at {out}", "choose another --out: nothing is overwritten")
    if not out.parent.is_dir():
        raise ConfigError("there is no such folder", f"{out.parent}, seen from {Path.cwd()}", "make it, for --out")
    trained = Trained(folder, settings)
    predictions = trained.predict(load_samples(ArrayFile(settings.data.path), settings.data))
    write_atomically(out, writers[out.suffix](predictions, trained.task.column_names()))
    print(f"{len(predictions['prediction']):,} predictions of epoch {trained.epoch} are in {printable(str(out))}")


def to_npz(predictions: dict[str, Array], names: dict[str, list[str]]) -> bytes:
    """Return an .npz of all arrays; the names of the columns of `a` are in `a_names`."""
    buffer = io.BytesIO()
    np.savez(buffer, **predictions, **{f"{key}_names": np.array(value) for key, value in names.items()})  # type: ignore[arg-type]
    return buffer.getvalue()


def to_npy(predictions: dict[str, Array], names: dict[str, list[str]]) -> bytes:
    """Return an .npy of one structured array, with a field for each column of the .csv."""
    table = columns(predictions, names)
    array = np.empty(len(predictions["prediction"]), [(name, column.dtype) for name, column in table.items()])
    for name, column in table.items():
        array[name] = column
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def to_csv(predictions: dict[str, Array], names: dict[str, list[str]]) -> bytes:
    """Return a table with a heading and a row for each sample."""
    table = columns(predictions, names)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(table)
    writer.writerows(zip(*(column.tolist() for column in table.values()), strict=True))
    return buffer.getvalue().encode()


def columns(predictions: dict[str, Array], names: dict[str, list[str]]) -> dict[str, Array]:
    """Return arrays (N,) by name; of an array (N, K) called `a`, each column is called a_<name>."""
    table: dict[str, Array] = {}
    for key, array in predictions.items():
        if array.ndim == 1:
            table[key] = array
        else:
            table |= {f"{key}_{name}": array[:, k] for k, name in enumerate(names[key])}
    return table
