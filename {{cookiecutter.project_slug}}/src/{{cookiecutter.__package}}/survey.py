"""What there is to see in arrays before anything is learned from them. NumPy only."""

import itertools
from dataclasses import replace

import numpy as np

from .array_file import Array, ArrayFile
from .arrays import given_splits, load_splits
from .checks import chunks
from .data_config import DataSettings
from .errors import DataError
from .splits import Samples, Split
from .targets import strata


def describe_array(file: ArrayFile, name: str) -> str:
    """Return type, shape, range and missing values of an array, or why it cannot be read."""
    try:
        array = file.read(name)
    except DataError as error:
        return error.what
    kind = f"{array.dtype!s:<8.60} {array.shape!s:<21}"
    if array.dtype.kind not in "biuf" or array.size == 0:
        return kind.rstrip()
    low, high, missing, infinite = np.inf, -np.inf, 0, 0
    for _, part in chunks(np.atleast_1d(array), f"looking at {name}"):
        if array.dtype.kind == "f":
            missing += np.isnan(part).sum()
            infinite += np.isinf(part).sum()
            part = part[np.isfinite(part)]
        if part.size:
            low, high = min(low, part.min()), max(high, part.max())
    values = f" {low:.6g} to {high:.6g}" if low <= high else ""
    lacks = [f", {count:,} {what}" for count, what in ((missing, "missing (nan)"), (infinite, "infinite")) if count]
    return kind + values + "".join(lacks)


def origin(file: ArrayFile, settings: DataSettings, splits: dict[str, Split]) -> str:
    """Return where the splits come from, in a few words."""
    shares = ", classes in the same proportions" if strata(splits["train"].y) is not None else ""
    how = f"at random by --data.split-seed {settings.split_seed}{shares}"
    if splits["train"].groups is not None:
        how = f"{how}, as far as the groups of {settings.groups!r} stay together"
    if settings.split == "ordered":
        how = "in the order of the file, the last samples for the last split"
    given = given_splits(file, settings)
    if "val" in given:
        return "as the file has them"
    return f"as the file has them, but val is cut from train {how}" if given else f"cut {how}"


def shared(splits: dict[str, Split]) -> list[str]:
    """Return lines about samples and groups that are in two splits, if any: scores on them would be too good."""
    samples = {name: digests(split.x) for name, split in splits.items()}
    groups = {name: split.groups for name, split in splits.items() if split.groups is not None}
    lines = []
    for what, parts in (("samples", samples), ("groups", groups)):
        for a, b in itertools.combinations(parts, 2):
            if len(both := np.intersect1d(parts[a], parts[b])):
                lines.append(f"{len(both):,} different {what} of {b} are also in {a}: its scores will be too good")
    return lines


def learned(new: dict[str, Array], own: DataSettings, sha256: str, here: DataSettings | None = None) -> dict[str, int]:
    """Return how many of the `new` digests (N,), by split, a run has learned from, if any, by its `own` settings.

    Nothing is counted if its file is gone, is another one by now, or does not fit into the memory. DataError is raised
    only of the file that is also read `here`, in which a sample is what it is here.
    """
    try:
        file = ArrayFile(own.path)
        if file.sha256(own.x, own.y, own.groups) == sha256:
            own = replace(own, x=here.x, channels=here.channels) if here else own
            known = digests(load_splits(file, own)["train"].x)
            return {name: count for name, each in new.items() if (count := int(np.isin(each, known).sum()))}
    except DataError:
        if here:
            raise
    return {}


def digests(x: Samples) -> Array:
    """Return a number (N,) for each sample (N, ...), in this process the same for those equal as floats of 32 bits."""
    parts = (np.asarray(part, np.float32) + np.float32(0) for _, part in chunks(x, "looking for duplicates"))
    return np.array([hash(row.tobytes()) for part in parts for row in part], np.int64)
