"""From a file of arrays to checked splits. NumPy only, so that looking at data does not wait for torch."""

from collections.abc import Iterator

import numpy as np

from .array_file import Array, ArrayFile
from .config import DataSettings
from .errors import DataError
from .progress import progress
from .splits import Split, cut
from .targets import strata

ROWS = 2**22  # values to look at in one go, so that the copies of large arrays do not fill the memory


def load_splits(file: ArrayFile, settings: DataSettings) -> dict[str, Split]:
    """Read, check and split the arrays: train and val, and test if there is one. Raises DataError, ConfigError."""
    given = given_splits(file, settings)
    if not given:
        whole = load(file, settings, groups=settings.groups)
        check_precision(whole.x, f"in {settings.x!r} of {file.path}")
        return cut(whole, ["train", "val", "test"], settings, strata(whole.y))
    names = [name for name in (settings.x, settings.y, settings.groups) if name in file.members]
    if names:
        what = f"beside {settings.x}_{given[-1]} it is unclear which split {' and '.join(names)} belongs to"
        raise DataError(what, f"in {settings.path}", f"rename them: {', '.join(f'{name}_train' for name in names)}")
    splits = {name: load(file, settings, f"_{name}", settings.groups) for name in dict.fromkeys(["train", *given])}
    check_precision(splits["train"].x, f"in {settings.x + '_train'!r} of {file.path}")
    shapes = {name: split.x.shape[1:] for name, split in splits.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(f"the samples differ in shape: {shapes}", f"in {settings.path}", "give them one shape")
    if "val" not in splits:
        splits |= cut(splits["train"], ["train", "val"], settings, strata(splits["train"].y))
    return {name: splits[name] for name in ("train", "val", "test") if name in splits}


def given_splits(file: ArrayFile, settings: DataSettings) -> list[str]:
    """Return those of train, val and test that the file itself tells apart."""
    names = ("train", "val", "test")
    return [name for name in names if {f"{settings.x}_{name}", f"{settings.y}_{name}"} & set(file.members)]


def load(file: ArrayFile, settings: DataSettings, suffix: str = "", groups: str = "") -> Split:
    """Return the checked samples and targets whose names end in the suffix, and their groups, if there are any."""
    x = load_samples(file, settings, suffix)
    where = f"in {settings.y + suffix!r} of {file.path}"
    y = check(find(file, settings.y + suffix, suffix), where)
    if len(x) != len(y):
        raise DataError(f"{len(x)} samples but {len(y)} targets", where, "give one target per sample")
    if not groups or (groups == "groups" and groups + suffix not in file.members):  # nobody has asked for them
        return Split(x, y)
    where = f"in {groups + suffix!r} of {file.path}"
    group = check(find(file, groups + suffix, suffix), where)
    if len(group) != len(x) or group.size != len(x):
        what = f"the groups have shape {group.shape}, and there are {len(x)} samples"
        raise DataError(what, where, "give one value for each sample, or ignore them with --data.groups=")
    return Split(x, y, group.reshape(-1))


def load_samples(file: ArrayFile, settings: DataSettings, suffix: str = "") -> Array:
    """Return the checked samples (N, C, ...) or (N, F) whose name ends in the suffix. Raises DataError."""
    name = file.path.stem if file.path.suffix == ".npy" else settings.x + suffix
    where = f"in {name!r} of {file.path}"
    array = find(file, name, suffix)
    if array.dtype.kind == "U":
        raise DataError("the samples are strings", where, "turn them into numbers")
    return channels_first(check(array, where), settings.channels, where)


def find(file: ArrayFile, name: str, suffix: str) -> Array:
    """Read an array. Raises DataError, with the names that there are."""
    if name in file.members:
        return file.read(name)
    where = f"in {file.path}, which has {', '.join(sorted(file.members)) or 'no arrays'}"
    fix = "name the arrays with --data.x and --data.y"
    if not file.members:
        fix = "name an .npz file, or a folder of .npy files, with --data.path"
    elif file.path.suffix == ".npy":
        fix = "put x.npy and y.npy into a folder, and name the folder"
    elif suffix:
        fix = f"add it: train, and each split that there is, needs samples and targets, such as {name}"
    raise DataError(f"there is no array {name!r}", where, fix)


def check(array: Array, where: str) -> Array:
    """Return the array in native byte order; it has samples, of finite numbers or of strings. Raises DataError."""
    if array.ndim == 0 or array.size == 0:
        raise DataError(f"there are no samples: the shape is {array.shape}", where, "the first axis counts the samples")
    if array.dtype.kind not in "biufU":
        fix = "save numbers (dates as days, complex ones as two channels), or labels as strings"
        raise DataError(f"its type is {array.dtype}", where, fix)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    for start, part in chunks(array, "checking") if array.dtype.kind == "f" else ():
        wrong = np.argwhere(~(np.abs(part) <= np.finfo(np.float32).max))
        if len(wrong):
            index = [start + int(wrong[0][0]), *map(int, wrong[0][1:])]
            fix = "replace, remove or rescale what is not a finite 32-bit float"
            raise DataError(f"{array[tuple(index)]} at index {index}", where, fix)
    return array


def check_precision(x: Array, where: str) -> None:
    """Raise DataError if a channel of training samples (N, C, ...) hardly deviates from its mean, for 32-bit floats.

    They have seven digits: of values that deviate by less than 1e-5 of their mean, two or less would be left.
    """
    if np.can_cast(x.dtype, np.float32):
        return
    axes, count = (0, *range(2, x.ndim)), x.size // x.shape[1]
    mean = sum(part.sum(axes, dtype=np.float64) for _, part in chunks(x, "checking")) / count  # (C,)
    centre = mean.reshape(-1, *[1] * (x.ndim - 2))
    deviation = np.sqrt(sum(np.square(part - centre).sum(axes) for _, part in chunks(x, "checking")) / count)  # (C,)
    lost = np.flatnonzero((deviation < 1e-5 * np.abs(mean)) & (x.min(axes) < x.max(axes)))
    if len(lost):
        what = f"channel {lost[0]} lies within {deviation[lost[0]]:.3g} of {mean[lost[0]]:.12g}"
        fix = "subtract its mean before you save it: 32-bit floats cannot tell such values apart"
        raise DataError(what, where, fix)


def channels_first(x: Array, channels: str, where: str) -> Array:
    """Return samples as (N, C, ...) or, for tables, (N, F). Raises DataError where `auto` cannot tell."""
    if channels == "none" or x.ndim == 1:
        return x[:, np.newaxis]
    if channels == "first" or x.ndim == 2:
        return x
    short = [axis for axis in (1, x.ndim - 1) if x.shape[axis] <= 4]
    if channels == "auto" and len(short) != 1:
        fix = "say --data.channels first, last, or none (grey images, single signals)"
        raise DataError(f"it is unclear which axis of {x.shape} holds the channels", where, fix)
    return x if channels == "auto" and short == [1] else np.moveaxis(x, -1, 1)


def enlarge(sample_shape: tuple[int, ...], minimum_size: int) -> tuple[int, ...]:
    """Return the shape that samples (C, ...) are resized to, so that no side is below the least that a model takes."""
    return (*sample_shape[:1], *(max(side, minimum_size) for side in sample_shape[1:]))


def chunks(array: Array, what: str) -> Iterator[tuple[int, Array]]:
    """Yield the array in parts, each with the position of its first row; what takes longer shows a bar."""
    rows = max(1, ROWS // array[0].size)
    with progress(len(array), what, unit=" rows") as bar:
        for start in range(0, len(array), rows):
            part = array[start : start + rows]
            yield start, part
            bar.update(len(part))
