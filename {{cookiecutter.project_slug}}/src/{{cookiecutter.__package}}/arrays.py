"""From files to checked arrays and splits. NumPy only, so that looking at data does not wait for torch."""

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .config import DataSettings
from .errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]
Strata = Callable[[Array], Array | None]  # targets -> the classes that every split should hold in equal shares
SHARES = {"val": 0.15, "test": 0.15}  # of all samples, where the files do not say


@dataclass(frozen=True)
class Split:
    """Samples x (N, C, ...) or (N, F), and their targets y (N, ...)."""

    x: Array
    y: Array

    def __len__(self) -> int:
        return len(self.x)


def load_splits(settings: DataSettings, strata: Strata) -> dict[str, Split]:
    """Read, check and split the arrays: train and val, and test if there is one. Raises DataError."""
    arrays = read_arrays(settings.path)
    given = [name for name in ("train", "val", "test") if f"{settings.x}_{name}" in arrays]
    if "train" not in given:
        return cut({"train": take(arrays, settings, "")}, ["val", "test"], settings, strata)
    splits = {name: take(arrays, settings, f"_{name}") for name in given}
    return splits if "val" in given else cut(splits, ["val"], settings, strata)


def read_arrays(path: Path) -> dict[str, Array]:
    """Read an .npz file, or memory-map a folder of .npy files. Raises DataError; never unpickles."""
    try:
        if path.is_dir():
            return {file.stem: np.load(file, mmap_mode="r", allow_pickle=False) for file in sorted(path.glob("*.npy"))}
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError as error:
        fix = "give an .npz file, or a folder of .npy files, as --data.path"
        raise DataError("there is no such file or folder", f"{path}, seen from {Path.cwd()}", fix) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        fix = "save it again with np.savez (no object arrays)"
        raise DataError(f"cannot read the arrays ({error})", str(path), fix) from error


def take(arrays: dict[str, Array], settings: DataSettings, suffix: str) -> Split:
    """Return the checked samples and targets whose names end in the suffix. Raises DataError."""
    names = settings.x + suffix, settings.y + suffix
    for name in names:
        if name not in arrays:
            where = f"in {settings.path}, which has {', '.join(sorted(arrays)) or 'no arrays'}"
            raise DataError(f"there is no array {name!r}", where, "name the arrays with --data.x and --data.y")
    where = f"in {names[0]!r} of {settings.path}"
    x = channels_first(check(arrays[names[0]], where), settings.channels, where)
    y = check(arrays[names[1]], f"in {names[1]!r} of {settings.path}")
    if len(x) != len(y):
        what, where = f"{len(x)} samples but {len(y)} targets", f"in {names[0]!r} and {names[1]!r} of {settings.path}"
        raise DataError(what, where, "give one target per sample")
    return Split(x, y)


def check(array: Array, where: str) -> Array:
    """Return the array in native byte order; it has samples, of finite numbers or of texts. Raises DataError."""
    if array.ndim == 0 or len(array) == 0:
        raise DataError("there are no samples", where, "the first axis counts the samples")
    if array.dtype.kind not in "biufU":
        raise DataError(f"its type is {array.dtype}", where, "save numbers, or labels as texts, with np.savez")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    for start in range(0, len(array), 4096) if array.dtype.kind == "f" else ():
        wrong = np.argwhere(~np.isfinite(array[start : start + 4096]))
        if len(wrong):
            index = [start + int(wrong[0][0]), *map(int, wrong[0][1:])]
            fix = "replace or remove values that are not finite"
            raise DataError(f"{array[tuple(index)]} at index {index}", where, fix)
    return array


def channels_first(x: Array, channels: str, where: str) -> Array:
    """Return samples as (N, C, ...) or, for tables, (N, F). Raises DataError where `auto` cannot tell."""
    if x.dtype.kind == "U":
        raise DataError("the samples are texts", where, "turn them into numbers")
    if channels == "none" or x.ndim == 1:
        return x[:, np.newaxis]
    if channels == "first" or x.ndim == 2:
        return x
    short = [axis for axis in (1, x.ndim - 1) if x.shape[axis] <= 4]
    if channels == "auto" and len(short) != 1:
        fix = "say --data.channels first, last, or none (grey images, single signals)"
        raise DataError(f"it is unclear which axis of {x.shape} holds the channels", where, fix)
    return x if channels == "auto" and short == [1] else np.moveaxis(x, -1, 1)


def cut(splits: dict[str, Split], missing: list[str], settings: DataSettings, strata: Strata) -> dict[str, Split]:
    """Cut the missing splits from train, each with its share of every class. Raises DataError."""
    train = splits["train"]
    order = np.random.default_rng(settings.split_seed).permutation(len(train))
    classes = strata(train.y)
    if classes is not None:
        # Every sample gets its place within its class, from 0 to 1; in that order, every stretch is a fair sample.
        by_class = order[np.argsort(classes[order], kind="stable")]
        places = [(np.arange(count) + 0.5) / count for count in np.unique(classes, return_counts=True)[1]]
        order = by_class[np.argsort(np.concatenate(places), kind="stable")]
    indices, start = {}, 0
    for name in missing:
        indices[name] = order[start : start + round(SHARES[name] * len(train))]
        start += len(indices[name])
    indices["train"] = order[start:]
    if not all(map(len, indices.values())):
        what = f"{len(train)} samples are too few to cut {' and '.join(missing)} from"
        raise DataError(what, f"in {settings.path}", "give more samples, or the splits themselves")
    return splits | {name: Split(train.x[np.sort(where)], train.y[np.sort(where)]) for name, where in indices.items()}


def sha256(path: Path) -> str:
    """Return a digest of the data file, or of all .npy files in the folder."""
    digest = hashlib.sha256()
    for file in sorted(path.glob("*.npy")) if path.is_dir() else [path]:
        digest.update(file.name.encode() if path.is_dir() else b"")
        with file.open("rb") as opened:
            while block := opened.read(2**20):
                digest.update(block)
    return digest.hexdigest()
