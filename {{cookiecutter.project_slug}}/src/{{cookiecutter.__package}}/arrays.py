"""From a file of arrays to checked splits. NumPy only, so that looking at data does not wait for torch."""

import numpy as np

from .array_file import SUFFIXES, WIDENED, Array, ArrayFile
from .checks import check, check_precision
from .data_config import DataSettings
from .errors import ConfigError, DataError
from .memory import check_memory, free_memory
from .splits import Rows, Samples, Split, cut
from .targets import arrange, strata

MANY = 20  # names of arrays to list


def load_splits(file: ArrayFile, settings: DataSettings) -> dict[str, Split]:
    """Read, check and split the arrays: train and val, and test if there is one. Raises DataError, ConfigError."""
    given = given_splits(file, settings)
    if not given:
        whole = load(file, settings, groups=settings.groups)
        check_train(whole, settings, file, "")
        return cut(whole, ["train", "val", "test"], settings, strata(whole.y))
    if names := [name for name in (settings.x, settings.y, settings.groups) if name in file.members]:
        what = f"the split of {' and '.join(names)} is unclear beside arrays of {given[-1]}"
        fix = f"name them {', '.join(n.removesuffix('_train') + '_train' for n in names)} (in flags, without _train)"
        raise DataError(what, f"in {settings.path}", fix)
    splits = {name: load(file, settings, f"_{name}", settings.groups) for name in dict.fromkeys(["train", *given])}
    check_train(splits["train"], settings, file, "_train")
    shapes = {name: split.x.shape[1:] for name, split in splits.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(f"the samples differ in shape: {shapes}", f"in {settings.path}", "give them one shape")
    if "val" not in splits:
        splits |= cut(splits["train"], ["train", "val"], settings, strata(splits["train"].y))
    return {name: splits[name] for name in ("train", "val", "test") if name in splits}


def check_train(train: Split, settings: DataSettings, file: ArrayFile, suffix: str) -> None:
    """Raise DataError if 32-bit floats cannot tell the samples apart, or their targets, if those look like samples."""
    check_precision(train.x, f"in {settings.x + suffix!r} of {file.path}")
    if train.y.ndim == train.x.ndim > 2:
        check_precision(train.y, f"in {settings.y + suffix!r} of {file.path}")


def given_splits(file: ArrayFile, settings: DataSettings) -> list[str]:
    """Return those of train, val and test that the file itself tells apart."""
    names = ("train", "val", "test")
    return [name for name in names if {f"{settings.x}_{name}", f"{settings.y}_{name}"} & set(file.members)]


def load(file: ArrayFile, settings: DataSettings, suffix: str = "", groups: str = "") -> Split:
    """Return the checked samples and targets whose names end in the suffix, and their groups, if there are any."""
    x = load_samples(file, settings, suffix)
    where = f"in {settings.y + suffix!r} of {file.path}"
    y = find_array(file, settings.y + suffix, suffix, "--data.y")
    check_memory(y.nbytes, where)  # unlike samples, targets never stay in their file
    y = check(y, where)
    if len(x) != len(y):
        raise DataError(f"{len(x)} samples but {len(y)} targets", where, "give one target per sample")
    if y.ndim == x.ndim > 2 and y.shape[1:-1] == y.shape[2:] == x.shape[2:]:  # channels as many as rows: which is which
        y = channels_first(y, settings.channels, where)
    y = arrange(y, x.shape[1:], where)
    if not groups or (groups == "groups" and groups + suffix not in file.members):  # nobody has asked for them
        return Split(x, y)
    where = f"in {groups + suffix!r} of {file.path}"
    group = check(find_array(file, groups + suffix, suffix, "--data.groups"), where)
    if len(group) != len(x) or group.size != len(x):
        what = f"the groups have shape {group.shape}, and there are {len(x)} samples"
        raise DataError(what, where, "give one value for each sample, or ignore them with --data.groups=")
    return Split(x, y, group.reshape(-1))


def load_samples(file: ArrayFile, settings: DataSettings, suffix: str = "") -> Samples:
    """Return the checked samples (N, C, ...) or (N, F) whose name ends in the suffix. Raises DataError."""
    resident = is_resident(file, settings)
    name = file.path.stem if file.single else settings.x + suffix
    where = f"in {name!r} of {file.path}"
    x = channels_first(check(find_array(file, name, suffix, "--data.x"), where), settings.channels, where)
    return x if resident else Rows(x)


def is_resident(file: ArrayFile, settings: DataSettings) -> bool:
    """Return whether samples are kept in memory, not read from their files batch by batch. Raises DataError."""
    if not file.mapped:
        if settings.resident == "no":
            fix = "save its arrays with np.save, into a folder of .npy files"
            raise DataError("--data.resident is no, but an .npz file can only be read whole", f"in {file.path}", fix)
        return True
    names = [file.path.stem] if file.single else [settings.x + suffix for suffix in SUFFIXES]
    arrays = [file.read(name) for name in names if name in file.members]
    nbytes = sum(x.nbytes * (2 if x.dtype.str[1:] in WIDENED else 1) for x in arrays)
    if settings.resident == "yes":
        check_memory(nbytes, f"in {file.path}", "in a new run, --data.resident no reads it batch by batch")
    return settings.resident == "yes" or (settings.resident == "auto" and nbytes <= free_memory() // 2)


def find_array(file: ArrayFile, name: str, suffix: str, flag: str) -> Array:
    """Read an array that the flag names. Raises DataError, with the names that there are."""
    if name in file.members:
        return file.read(name)
    fix, names = f"choose its name with {flag}", sorted(file.members)
    if len(names) > MANY:
        fix = f"{fix}, or stack arrays of single samples with np.stack"
        names[MANY:] = [f"{len(names) - MANY} more"]
    if file.single:
        fix = "put x.npy and y.npy into a folder, and name the folder"
    elif not file.members:
        fix = "name an .npz file, or a folder of .npy files, with --data.path"
    elif suffix:
        fix = f"add it, since every split needs one, or leave out the split, or say how it is called, with {flag} NAME"
    raise DataError(f"there is no array {name!r}", f"in {file.path}, which has {', '.join(names) or 'no arrays'}", fix)


def channels_first(x: Array, channels: str, where: str) -> Array:
    """Return samples as (N, C, ...) or, for tables, (N, F). Raises DataError for strings, and if `auto` is unsure."""
    if x.dtype.kind == "U":
        raise DataError("the values are strings", where, "turn them into numbers")
    if channels == "none" or x.ndim == 1:
        return x[:, np.newaxis]
    if channels == "first" or x.ndim == 2:
        return x
    short = [axis for axis in (1, x.ndim - 1) if x.shape[axis] <= 4]
    if channels == "auto" and len(short) != 1:
        fix = "say --data.channels first, last, or none (grey images or volumes, single signals)"
        raise DataError(f"it is unclear which axis of {x.shape} holds the channels", where, fix)
    return x if channels == "auto" and short == [1] else np.moveaxis(x, -1, 1)


def input_shape(sample_shape: tuple[int, ...], resize: str, minimum_size: int) -> tuple[int, ...]:
    """Return the shape in which the model gets samples (C, ...): as --data.resize says, or at least its minimum.

    Raises ConfigError if `resize` does not fit the samples, or the model.
    """
    channels, *sides = sample_shape
    if resize == "none":
        return (channels, *(max(side, minimum_size) for side in sides))
    wanted = [int(side) for side in resize.split("x")]
    if len(sides) not in (1, 2, 3) or len(wanted) not in (1, len(sides)):
        what = f"--data.resize is {resize}, and samples of shape {sample_shape} have {len(sides)} sides"
        fix = "samples with one, two or three sides can be resized; give one number for all, or one for each"
        raise ConfigError(what, "in the settings", fix)
    if min(wanted) < minimum_size:
        what = f"--data.resize is {resize}, and the model needs sides of {minimum_size} or more"
        raise ConfigError(what, "in the settings", "give larger sides, or another model or other settings of --model")
    return (channels, *(wanted if len(wanted) == len(sides) else wanted * len(sides)))
