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
SPLITS = ("train", "val", "test")
SHARES = {"val": 0.15, "test": 0.15}  # of all samples, where the files do not say


@dataclass(frozen=True)
class Split:
    """Some samples x (N, ...), channels first, and their targets y (N, ...)."""

    x: Array
    y: Array

    def __len__(self) -> int:
        return len(self.x)


def load_splits(settings: DataSettings, strata: Callable[[Array], Array | None]) -> dict[str, Split]:
    """Read, check and split the arrays: train and val, and test if there is one.

    `strata` returns the classes that every split should hold in equal shares, or None. Raises DataError.
    """
    arrays = read_arrays(settings.path)
    if f"{settings.x}_train" in arrays:
        names = [name for name in SPLITS if f"{settings.x}_{name}" in arrays]
        keys = {name: (f"{settings.x}_{name}", f"{settings.y}_{name}") for name in names}
    else:
        keys = {"train": (settings.x, settings.y)}
    splits = {}
    for name, (x, y) in keys.items():
        for key in (x, y):
            if key not in arrays:
                raise DataError(
                    f"there is no array {key!r}",
                    f"in {settings.path}, which has {', '.join(sorted(arrays)) or 'no arrays'}",
                    "name the arrays with --data.x and --data.y",
                )
        where = f"in {x!r} of {settings.path}"
        samples = channels_first(check(arrays[x], where), settings.channels, where)
        targets = check(arrays[y], f"in {y!r} of {settings.path}")
        if len(samples) != len(targets):
            what = f"{len(samples)} samples but {len(targets)} targets"
            raise DataError(what, f"in {x!r} and {y!r} of {settings.path}", "give one target per sample")
        splits[name] = Split(samples, targets)
    missing = [name for name in ("val", "test") if name not in splits]
    if len(splits) > 1 and "test" in missing:
        missing.remove("test")  # the files say which splits there are: no test, no test score
    return cut(splits, missing, settings, strata) if missing else splits


def read_arrays(path: Path) -> dict[str, Array]:
    """Read an .npz file, or memory-map a folder of .npy files. Raises DataError; never unpickles."""
    try:
        if path.is_dir():
            return {file.stem: np.load(file, mmap_mode="r", allow_pickle=False) for file in sorted(path.glob("*.npy"))}
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError as error:
        what, fix = "there is no such file or folder", "give an .npz, or a folder of .npy, as --data.path"
        raise DataError(what, f"{path}, seen from {Path.cwd()}", fix) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        fix = "save it again with np.savez (no object arrays)"
        raise DataError(f"cannot read the arrays ({error})", str(path), fix) from error


def check(array: Array, where: str) -> Array:
    """Return an array in native byte order that is not empty and holds numbers or texts. Raises DataError."""
    if array.ndim == 0 or len(array) == 0:
        raise DataError("there are no samples", where, "the first axis counts the samples")
    if array.dtype.kind not in "biufU":
        what = f"its type is {array.dtype}"
        raise DataError(what, where, "save numbers, or labels as texts, with np.savez")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "f":
        for start in range(0, len(array), 4096):
            finite = np.isfinite(array[start : start + 4096])
            if not finite.all():
                first = tuple(int(i) for i in np.argwhere(~finite)[0])
                index = (start + first[0], *first[1:])
                what = f"{array[index]} at index {list(index)}"
                raise DataError(what, where, "replace or remove values that are not finite")
    return array


def channels_first(x: Array, channels: str, where: str) -> Array:
    """Return samples as (N, C, ...) or, for tables, (N, F). Raises DataError where `auto` cannot tell."""
    if x.dtype.kind == "U":
        raise DataError("the samples are texts", where, "turn them into numbers")
    if channels == "none":
        return x[:, np.newaxis]
    if x.ndim == 1:
        return x[:, np.newaxis]  # one feature
    if x.ndim == 2 or channels == "first":
        return x
    few = [axis for axis in (1, x.ndim - 1) if x.shape[axis] <= 4]
    if channels == "auto" and len(few) != 1:
        raise DataError(
            f"it is unclear which axis of {x.shape} holds the channels",
            where,
            "say --data.channels first, last, or none (grey images, single signals)",
        )
    return np.moveaxis(x, -1, 1) if channels == "last" or few != [1] else x


def cut(
    splits: dict[str, Split],
    missing: list[str],
    settings: DataSettings,
    strata: Callable[[Array], Array | None],
) -> dict[str, Split]:
    """Cut the missing splits from train, each with its share of every class. Raises DataError."""
    train = splits["train"]
    order = np.random.default_rng(settings.split_seed).permutation(len(train))
    classes = strata(train.y)
    if classes is not None:
        # Rank the samples within their class, and take the ranks in turn: every stretch is a fair sample.
        labels, counts = np.unique(classes, return_counts=True)
        by_class = order[np.argsort(classes[order], kind="stable")]
        share_of_class = np.concatenate([(np.arange(n) + 0.5) / n for n in counts]) if len(labels) else 0
        order = by_class[np.argsort(share_of_class, kind="stable")]
    cut_off, start = {}, 0
    for name in missing:
        stop = start + round(SHARES[name] * len(train))
        cut_off[name] = order[start:stop]
        start = stop
    cut_off["train"] = order[start:]
    if any(len(indices) == 0 for indices in cut_off.values()):
        what = f"{len(train)} samples are too few to cut {' and '.join(missing)} from"
        raise DataError(what, str(settings.path), "give more samples, or the splits themselves")
    for name, indices in cut_off.items():
        indices.sort()
        splits[name] = Split(train.x[indices], train.y[indices])
    return splits


def sha256(path: Path) -> str:
    """Return a digest of the data file, or of all .npy files in the folder."""
    digest = hashlib.sha256()
    for file in sorted(path.glob("*.npy")) if path.is_dir() else [path]:
        digest.update(file.name.encode() + b"\0" if path.is_dir() else b"")
        with file.open("rb") as opened:
            while block := opened.read(2**20):
                digest.update(block)
    return digest.hexdigest()
