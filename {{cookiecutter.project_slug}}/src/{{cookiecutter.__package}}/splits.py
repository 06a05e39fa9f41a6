"""Who is in train, val and test, where the files do not say. NumPy only."""

from dataclasses import dataclass, replace

import numpy as np

from .array_file import Array
from .data_config import DataSettings
from .errors import ConfigError, DataError
from .memory import check_memory


class Rows:
    """Some rows of an array (N, ...) that is a map of a file: they are read when they are asked for.

    Raises DataError if the numbers of a row do not lie together in the file.
    """

    def __init__(self, array: Array, where: Array | None = None) -> None:
        if not array.flags.c_contiguous and array.strides[0] < max(array.strides):
            what = "it is in Fortran order: each batch would be read from everywhere in the file"
            fix = "save it again, as np.ascontiguousarray(x)"
            raise DataError(what, f"in {getattr(array, 'filename', 'memory')}", fix)
        self.array = array
        self.where = np.arange(len(array)) if where is None else where
        self.dtype, self.shape, self.ndim = array.dtype, (len(self.where), *array.shape[1:]), array.ndim

    def __len__(self) -> int:
        return len(self.where)

    def __getitem__(self, index: int | slice | Array) -> Array:
        """Read the rows at these positions."""
        return np.asarray(self.array[self.where[index]])

    def take(self, where: Array) -> "Rows":
        """Return the rows at these positions, still unread."""
        return Rows(self.array, self.where[where])


Samples = Array | Rows


@dataclass(frozen=True)
class Split:
    """Samples x (N, C, ...) or (N, F), their targets y (N, ...), and what keeps some of them together (N,)."""

    x: Samples
    y: Array
    groups: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, where: Array) -> "Split":
        """Return the samples at these positions, in the order of the file."""
        where = np.sort(where)
        x = self.x.take(where) if isinstance(self.x, Rows) else self.x[where]
        return Split(x, self.y[where], None if self.groups is None else self.groups[where])


def cut(train: Split, names: list[str], settings: DataSettings, classes: Array | None) -> dict[str, Split]:
    """Cut the samples into the named splits, of which the first, train, gets what is left.

    `classes` (N,) are what all splits should hold in the same proportions, if anything. Raises ConfigError, DataError.
    """
    shares = {"val": settings.val_share, "test": settings.test_share}
    sizes = [round(shares[name] * len(train)) for name in names[1:]]
    if settings.split == "ordered":
        if train.groups is not None:
            what = "--data.split ordered would cut through the groups"
            fix = "leave it out, or ignore the groups with --data.groups="
            raise ConfigError(what, f"in {settings.groups!r} of {settings.path}", fix)
        parts = np.split(np.arange(len(train)), np.cumsum([len(train) - sum(sizes), *sizes[:-1]]))
    elif train.groups is not None:
        parts = by_group(train.groups, classes, [len(train) - sum(sizes), *sizes], settings.split_seed)
    else:
        *others, rest = np.split(shuffled(len(train), classes, settings.split_seed), np.cumsum(sizes))
        parts = [rest, *others]
    if not all(map(len, parts)):
        count = f"{len(train)} samples"
        if train.groups is not None:
            count = f"{len(np.unique(train.groups))} groups{'' if classes is None else ' (train needs each class)'}"
        what = f"{count} are too few to cut {' and '.join(names[1:])} from"
        fix = "give more of them, or the splits themselves: x_train, x_val, x_test"
        raise DataError(what, f"in {settings.path}", fix)
    check_memory(train.y.nbytes + getattr(train.x, "nbytes", 0), f"for the splits of {settings.path}")  # Rows take none
    return {name: train.take(part) for name, part in zip(names, parts, strict=True)}


def split_names(whole: Split, settings: DataSettings, classes: Array | None) -> Array:
    """Return for each sample (N,) of those that `cut` makes splits of, in which one it is."""
    numbered, names = replace(whole, x=np.arange(len(whole))[:, np.newaxis]), np.empty(len(whole), "U5")
    for name, split in cut(numbered, ["train", "val", "test"], settings, classes).items():
        names[split.x[:].ravel()] = name
    return names


def shuffled(count: int, classes: Array | None, seed: int) -> Array:
    """Return the positions 0..count-1 in random order, with every class in its share anywhere."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(count)
    if classes is None:
        return order
    # Every sample gets its place within its class, from 0 to 1; in the order of places, every stretch is a fair sample.
    by_class = order[np.argsort(classes[order], kind="stable")]
    places = [(np.arange(count) + 0.5) / count for count in np.unique(classes, return_counts=True)[1]]
    return by_class[np.lexsort((generator.permutation(count), np.concatenate(places)))]  # of equal places, any first


def by_group(groups: Array, classes: Array | None, sizes: list[int], seed: int) -> list[Array]:
    """Return positions for splits of about these sizes: no group is in two, and each has its share of every class.

    The largest groups are dealt first, each to the split that lacks its classes, and samples, most; a class that the
    first split, train, does not have yet goes there.
    """
    _, group = np.unique(groups, return_inverse=True)
    _, label = np.unique(np.zeros(len(groups)) if classes is None else classes, return_inverse=True)
    check_memory(8 * (group.max() + 1) * (label.max() + 1), "for the groups", "give fewer and larger groups, or none")
    counts = np.zeros((group.max() + 1, label.max() + 1))  # (groups, classes) samples
    np.add.at(counts, (group, label), 1)
    wanted = np.outer(np.maximum(sizes, 1), counts.sum(0) / len(groups))  # (splits, classes) samples
    missing, owner = wanted.copy(), np.zeros(len(counts), int)  # (splits, classes) samples, (groups,) splits
    order = np.random.default_rng(seed).permutation(len(counts))
    for each in order[np.argsort(-counts.sum(1)[order], kind="stable")]:
        lacks = (missing / wanted) @ counts[each] / counts[each].sum() + missing.sum(1) / wanted.sum(1)  # (splits,)
        new = (counts[each] > 0) & (missing[0] == wanted[0])  # (classes,)
        owner[each] = 0 if classes is not None and new.any() else np.argmax(lacks)
        missing[owner[each]] -= counts[each]
    return [np.flatnonzero(owner[group] == split) for split in range(len(sizes))]
