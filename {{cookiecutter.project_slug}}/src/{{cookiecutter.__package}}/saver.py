"""When checkpoints are written, and by whom: beside the training, since a disk may take as long as an epoch."""

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from .checkpoint import serialize, write_checkpoint
from .run import Run


class Interval:
    """Says when a checkpoint within an epoch is due: every "500" steps, every "10min", or, by "epoch", never."""

    def __init__(self, text: str) -> None:
        self.steps = int(text) if text.isdigit() else math.inf
        self.seconds = 60 * float(text.removesuffix("min")) if text.endswith("min") else math.inf
        self.since = time.monotonic()

    def is_due(self, step: int) -> bool:
        """Return whether a checkpoint should be written after so many steps of the run; if so, count the time anew."""
        if due := step % self.steps == 0 or time.monotonic() - self.since >= self.seconds:
            self.since = time.monotonic()
        return due


class Saver:
    """Writes checkpoints in a thread, each after a call of `before`; what fails there, the next call raises."""

    def __init__(self, run: Run, *, before: Callable[[], object] = lambda: None) -> None:
        self.run, self.before, self.thread = run, before, ThreadPoolExecutor(1)
        self.writing: Future[None] | None = None
        self.best: bytes | None = None  # not on the disk yet: if a write fails, the next one tries it again

    def save(self, state: dict[str, Any], *, best: bool) -> None:
        """Begin to write the state as the last checkpoint; before that, if it is the best one, as that, too."""
        data = serialize(state)  # now: the next step changes the tensors
        try:
            self.wait()
        finally:  # by now, there may be room for it
            self.writing = self.thread.submit(self.write, data, best)

    def write(self, data: bytes, best: bool) -> None:
        """Write the best one, if it is new, then the last one, which tells of a best one: that must be there."""
        self.best = data if best else self.best
        self.before()
        if self.best:
            write_checkpoint(self.best, self.run.best)
            self.best = None
        write_checkpoint(data, self.run.last, keep=self.run.previous)

    def wait(self) -> None:
        """Return once everything is written."""
        writing, self.writing = self.writing, None
        if writing:
            writing.result()
