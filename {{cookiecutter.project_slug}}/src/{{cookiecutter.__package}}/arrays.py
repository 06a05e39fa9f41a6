"""From files to checked arrays and splits. NumPy only, so that looking at data does not wait for torch."""

import hashlib
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
    parts = [
        name for name in ("train", "val", "test") if {f"{settings.x}_{name}", f"{settings.y}_{name}"} & set(arrays)
    ]
    if not parts:
        return cut({"train": take(arrays, settings, "")}, ["val", "test"], settings, strata)
    splits = {name: take(arrays, settings, f"_{name}") for name in dict.fromkeys(["train", *parts])}
    shapes = {name: split.x.shape[1:] for name, split in splits.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(f"the samples differ in shape: {shapes}", f"in {settings.path}", "give them one shape")
    return splits if "val" in splits else cut(splits, ["val"], settings, strata)


def read_arrays(path: Path) -> dict[str, Array]:
    """Read an .npz file, or a folder of .npy files (memory-mapped). Raises DataError; never unpickles."""
    if not path.exists():
        fix = "give an .npz file, or a folder of .npy files, as --data.path"
        raise DataError("there is no such file or folder", f"{path}, seen from {Path.cwd()}", fix)
    if path.suffix == ".npy":
        raise DataError("it is a single array", str(path), "put x.npy and y.npy into a folder, and name the folder")
    try:
        if path.is_dir():
            return {file.stem: np.load(file, mmap_mode="r", allow_pickle=False) for file in sorted(path.glob("*.npy"))}
        with np.load(path, allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name]) for name in arrays.files}
    except Exception as error:  # NumPy raises many kinds for files that are cut off, damaged, hostile or something else
        reason = "not a NumPy file, or it holds Python objects" if "pickle" in str(error) else error
        fix = "save it again with np.savez, numbers and strings only"
        raise DataError(f"cannot read the arrays ({reason})", str(path), fix) from error


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
        where = f"in {names[0]!r} and {names[1]!r} of {settings.path}"
        raise DataError(f"{len(x)} samples but {len(y)} targets", where, "give one target per sample")
    return Split(x, y)


def check(array: Array, where: str) -> Array:
    """Return the array in native byte order; it has samples, of finite numbers or of strings. Raises DataError."""
    if array.ndim == 0 or array.size == 0:
        raise DataError(f"there are no samples: the shape is {array.shape}", where, "the first axis counts the samples")
    if array.dtype.kind not in "biufU":
        raise DataError(f"its type is {array.dtype}", where, "save numbers, or labels as strings, with np.savez")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    rows = max(1, 2**22 // array[0].size)  # at a time, so that large arrays do not fill the memory
    for start in range(0, len(array), rows) if array.dtype.kind == "f" else ():
        wrong = np.argwhere(~(np.abs(array[start : start + rows]) <= np.finfo(np.float32).max))
        if len(wrong):
            index = [start + int(wrong[0][0]), *map(int, wrong[0][1:])]
            fix = "replace, remove or rescale what is not a finite 32-bit float"
            raise DataError(f"{array[tuple(index)]} at index {index}", where, fix)
    return array


def channels_first(x: Array, channels: str, where: str) -> Array:
    """Return samples as (N, C, ...) or, for tables, (N, F). Raises DataError where `auto` cannot tell."""
    if x.dtype.kind == "U":
        raise DataError("the samples are strings", where, "turn them into numbers")
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
    if (classes := strata(train.y)) is not None:
        # Every sample gets its place within its class, from 0 to 1; in that order, every stretch is a fair sample.
        by_class = order[np.argsort(classes[order], kind="stable")]
        places = [(np.arange(count) + 0.5) / count for count in np.unique(classes, return_counts=True)[1]]
        order = by_class[np.argsort(np.concatenate(places), kind="stable")]
    indices = {}
    for name in missing:
        indices[name], order = np.split(order, [round(SHARES[name] * len(train))])
    indices["train"] = order
    if not all(map(len, indices.values())):
        what = f"{len(train)} samples are too few to cut {' and '.join(missing)} from"
        raise DataError(what, f"in {settings.path}", "give more samples, or the splits themselves")
    return splits | {name: Split(train.x[np.sort(where)], train.y[np.sort(where)]) for name, where in indices.items()}


def sha256(path: Path) -> str:
    """Return the digest of the data file, or of the list of names and digests of the .npy files in the folder."""
    if path.is_dir():
        files = "".join(f"{file.name} {sha256(file)}\n" for file in sorted(path.glob("*.npy")))
        return hashlib.sha256(files.encode()).hexdigest()
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
