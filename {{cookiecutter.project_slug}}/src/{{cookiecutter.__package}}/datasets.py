"""From a file to datasets: read, check, split, encode, and learn from the training split what all splits need."""

from typing import Any

import torch

from .array_file import ArrayFile
from .arrays import load_splits
from .batches import Batches
from .config import Settings
from .data import Normalisation, build_dataset
from .errors import RefusedError
from .targets import Targets


class Datasets:
    """The splits as datasets, by name, with the targets and the statistics of the training split.

    With `one_batch`, every split keeps only its first batch. Raises DataError and ConfigError, and RefusedError if the
    data is not that of the `checkpoint`, whose statistics are taken instead of new ones.
    """

    def __init__(self, settings: Settings, *, one_batch: bool, checkpoint: dict[str, Any] | None) -> None:
        file = ArrayFile(settings.data.path)
        self.sha256 = file.sha256(settings.data.x, settings.data.y, settings.data.groups)
        if checkpoint and checkpoint["data_sha256"] != self.sha256:
            fix = "put the old data back, or start a new run"
            raise RefusedError("the data has changed since the run began", str(settings.data.path), fix)
        arrays = load_splits(file, settings.data)
        self.targets = Targets.learn(arrays["train"].y, settings.task, f"in the training split of {file.path}")
        self.batch_size = settings.batch_size or choose_batch_size(len(arrays["train"]))
        limit = self.batch_size if one_batch else None
        self.splits = {}
        for name, split in arrays.items():
            y = self.targets.encode(split.y, f"in the {name} split of {file.path}")
            self.splits[name] = build_dataset(split.x[:limit], y[:limit])
        self.sizes = {name: len(split.x[:limit]) for name, split in arrays.items()}
        train = self.splits["train"]
        self.sample_shape = tuple(train[0][0].shape)
        self.normalisation: Normalisation | None = None
        if checkpoint and settings.data.normalise:
            self.normalisation = Normalisation(**checkpoint["normalisation"])
        elif settings.data.normalise:
            batches = Batches(train, batch_size=1024, device=torch.device("cpu"))
            self.normalisation = Normalisation.measure(x for x, _ in batches.epoch())
        train.training = True  # type: ignore[attr-defined]  # from here on, its augmentation may be at work


def choose_batch_size(count: int) -> int:
    """Return 64, or 32 or 16 for so few samples that an epoch would have less than 16 steps to learn from."""
    return next((size for size in (64, 32) if count >= 16 * size), 16)
