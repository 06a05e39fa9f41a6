"""From a file to datasets: read, check, split, encode, and learn from the training split what all splits need."""

import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from .array_file import ArrayFile
from .arrays import given_splits, load_splits
from .batches import Batches
from .config import Settings
from .data import Normalisation, Pairs, build_dataset
from .device import random_states, restore_random_states
from .errors import DataError, RefusedError
from .progress import progress
from .scale import doubts
from .splits import Rows
from .survey import digests, shared
from .targets import Targets

MEASURED = 2**22  # numbers to measure in one go, so that their copies do not fill the memory
LOOKED_AT = 2**27  # numbers among which to look for samples that are there twice; more would take seconds


class Datasets:
    """The splits as datasets, by name, with the targets and the statistics of the training split.

    In a `trial`, every split keeps only its first batch. Raises DataError and ConfigError, and RefusedError if the
    data is not that of the `checkpoint`, whose statistics are taken instead of new ones.
    """

    def __init__(self, settings: Settings, *, trial: bool, checkpoint: dict[str, Any] | None) -> None:
        file, data = ArrayFile(settings.data.path), settings.data
        self.data = data
        self.sha256 = checkpoint["data_sha256"] if checkpoint else file.sha256(data.x, data.y, data.groups)
        if checkpoint:
            self.require_unchanged()
            data = replace(data, resident="yes" if checkpoint["resident"] else "no")
        arrays = load_splits(file, data)
        self.has_groups = arrays["train"].groups is not None and "val" not in given_splits(file, data)
        self.resident = not isinstance(arrays["train"].x, Rows)  # decides the order of an epoch
        self.targets = Targets.learn(arrays["train"].y, settings.task, f"in the training split of {file.path}")
        self.batch_size = (checkpoint or vars(settings))["batch_size"] or choose_batch_size(len(arrays["train"]))
        known = {name: digests(split.x) for name, split in arrays.items() if settings.init_from and not checkpoint}
        self.held_out = {n: each[~np.isin(each, known["train"])] for n, each in known.items()}
        if trial:
            arrays = {name: split.take(np.arange(min(self.batch_size, len(split)))) for name, split in arrays.items()}
        self.splits = {}
        for name, split in arrays.items():
            y = self.targets.encode(split.y, f"in the {name} split of {file.path}")
            self.splits[name] = build_dataset(split.x, y, settings.data)
        self.sizes = {name: len(split) for name, split in self.splits.items()}  # type: ignore[arg-type]
        if checkpoint and checkpoint["sizes"] != self.sizes:
            what = f"the splits have other sizes, {self.sizes}, than when the run began, {checkpoint['sizes']}"
            raise RefusedError(what, "in data.py", "undo the change, or start a new run")
        train = self.splits["train"]
        self.largest_batch = min(self.batch_size, self.sizes["train"])
        self.sample_shape = tuple(train[0][0].shape)
        if checkpoint:
            self.statistics = Normalisation(**checkpoint["statistics"])
        else:
            size = max(1, min(1024, MEASURED // math.prod(self.sample_shape)))
            batches = Batches(train, batch_size=size, device=torch.device("cpu"))
            bar = progress(len(batches), "measuring", unit=" batches", over=batches.epoch())
            self.statistics = Normalisation.measure(x for x, _ in bar)
            if not self.statistics.mean.isfinite().all():
                fix = "look there for a logarithm, a root or a division: the files have no such number"
                raise DataError("the dataset makes numbers that are not finite", "in data.py", fix)
        self.normalisation = self.statistics if data.normalise else None
        self.doubts: list[str] = []
        if not checkpoint:
            self.doubts += [f"not used: {name}" for name in file.others(data.x, data.y, data.groups, "files")[:9]]
            if sum(math.prod(split.x.shape) for split in arrays.values()) <= LOOKED_AT:
                self.doubts += shared(arrays)
            self.doubts += doubts(self.splits, {name: split.y for name, split in arrays.items()}, self.statistics)
        for each in (told := list[Any]([train])):
            each.training = True  # from here on, its augmentation may be at work, also within a Subset and the like
            within = getattr(each, "dataset", None), *getattr(each, "datasets", ())
            told += [one for one in within if isinstance(one, torch.utils.data.Dataset)]
        self.exact = repeats(train)

    def require_unchanged(self) -> None:
        """Raise RefusedError if the files do not hold what the run began with."""
        with suppress(DataError):  # it may be gone
            if ArrayFile(self.data.path).sha256(self.data.x, self.data.y, self.data.groups) == self.sha256:
                return
        fix = "put the old data back, or start a new run"
        raise RefusedError("the data has changed since the run began", str(self.data.path), fix)


def choose_batch_size(count: int) -> int:
    """Return 64, or 32 or 16 for so few samples that an epoch would have fewer than 16 steps to learn from."""
    return next((size for size in (64, 32) if count >= 16 * size), 16)


def repeats(dataset: Pairs) -> bool:
    """Return whether equal random states give equal samples: of generators of its own, a checkpoint knows nothing."""
    twice, states, count = [], random_states(), len(dataset)  # type: ignore[arg-type]
    for _ in range(2):
        twice.append([torch.as_tensor(each) for k in range(0, count, max(1, count // 8)) for each in dataset[k]])
        restore_random_states(states)
    return all(map(torch.equal, *twice))
