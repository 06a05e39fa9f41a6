"""Early stopping: the best value so far, and how long ago that was (lesson 4 of the notes)."""

import math
from collections.abc import Mapping
from typing import Any

from .errors import ConfigError


class EarlyStopping:
    """Watches one number of each epoch: `val_` and a name among `maximize`, which says whether more of it is better.

    An epoch improves only if it is strictly better than the best one; NaN never is. Training should stop after
    `patience` epochs in a row without improvement; a patience of 0 never stops it. Raises ConfigError for other names.
    """

    def __init__(self, monitor: str, maximize: Mapping[str, bool], *, patience: int) -> None:
        numbers = {f"val_{name}": more for name, more in maximize.items()}
        if monitor not in numbers:
            raise ConfigError(f"--monitor is {monitor}", "in the settings", f"choose one of: {', '.join(numbers)}")
        self.monitor, self.maximize, self.patience = monitor, numbers[monitor], patience
        self.best = -math.inf if self.maximize else math.inf
        self.best_epoch: int | None = None
        self.since_best = 0  # epochs

    def update(self, value: float, epoch: int) -> bool:
        """Record the value of an epoch and return whether it is the best so far."""
        if improved := (value > self.best if self.maximize else value < self.best):
            self.best, self.best_epoch, self.since_best = value, epoch, 0
        else:
            self.since_best += 1
        return improved

    @property
    def should_stop(self) -> bool:
        """Whether patience has run out."""
        return 0 < self.patience <= self.since_best

    def __str__(self) -> str:
        patience = f"  patience {self.since_best}/{self.patience}" if self.patience else ""
        return f"best {self.best:.4f}{patience}"

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs; `patience` is a setting, so that a resumed run may change it."""
        return {"best": self.best, "best_epoch": self.best_epoch, "since_best": self.since_best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self.best, self.best_epoch, self.since_best = state["best"], state["best_epoch"], state["since_best"]
