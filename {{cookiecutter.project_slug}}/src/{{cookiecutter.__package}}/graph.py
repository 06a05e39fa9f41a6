"""Training steps that the GPU replays by itself, as a CUDA graph: small models compute faster than Python asks."""

import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .errors import ConfigError, out_of_memory
from .step import Step

WARM_UP = 3  # ordinary steps before a recording: libraries start, and the optimizer makes its state
MOST = 4  # recordings to keep: each has memory of its own


class ReplayedStep(Step):
    """A step whose operations are recorded, once for each shape of a batch, and replayed from then on.

    Whatever the model decides in Python is decided at the recording, for good. A model that waits for numbers from the
    GPU (`.item()`, `if tensor:`) cannot be recorded: its steps stay as they are, and `say` is told so, once.

    Load a state before its first step. Raises ConfigError if the recording fails for another reason.
    """

    def __init__(self, *, say: Callable[[str], None], **step: Any) -> None:
        super().__init__(**step)
        self.say = say
        self.stream = torch.cuda.Stream(self.device)  # on the default one, nothing can be recorded
        self.seen: Counter[torch.Size] = Counter()
        self.recordings: dict[torch.Size, Recording] = {}
        self.never_replays = not all(getattr(group["lr"], "is_cuda", False) for group in self.optimizer.param_groups)
        if self.never_replays:  # a recording would keep any other rate for good: what the schedule says would be lost
            say("graph   the optimizer does not read its learning rate from the GPU: no step is replayed (slower)")

    def __call__(self, x: Tensor, y: Tensor, count: int) -> Tensor:
        """Learn from the samples in a batch, and return its mean loss (0-d, on the device)."""
        self.seen[x.shape] += 1
        recording, is_full = self.recordings.get(x.shape), len(self.recordings) == MOST
        if self.never_replays or self.seen[x.shape] <= WARM_UP or (is_full and not recording):
            return self.ordinary(x, y, count)
        if not recording:
            recording = self.recordings[x.shape] = Recording(super().__call__, x, y, stream=self.stream)
            if len(self.recordings) == MOST:
                self.say(f"graph   batches have many shapes: the first {MOST} are replayed, others are not (slower)")
        return recording.replay(x, y)

    def ordinary(self, x: Tensor, y: Tensor, count: int) -> Tensor:
        """Take a step as usual, but for the stream; look at the last one before a recording."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            step = self.watched if not self.never_replays and self.seen[x.shape] == WARM_UP else super().__call__
            loss = step(x.clone(), y, count)  # for as aligned a batch as in a recording, cuDNN chooses its kernels
        torch.cuda.current_stream().wait_stream(self.stream)
        return loss

    def watched(self, x: Tensor, y: Tensor, count: int) -> Tensor:
        """Take a step as usual, and find out whether it waits for the GPU."""
        with warnings.catch_warnings(record=True, action="always") as caught:  # also that this mode is a prototype
            torch.cuda.set_sync_debug_mode("warn")
            try:
                loss = super().__call__(x, y, count)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        if any("called a synchronizing" in str(warning.message) for warning in caught):
            self.never_replays = True
            self.say("graph   each step waits for numbers from the GPU, so that it cannot be replayed (slower)")
        return loss


class Recording:
    """A step on batches of one shape, ready to be replayed."""

    def __init__(self, step: Callable[..., Tensor], x: Tensor, y: Tensor, *, stream: torch.cuda.Stream) -> None:
        self.x, self.y = x.clone(), y.clone()  # where a replay finds its batch
        self.graph = torch.cuda.CUDAGraph()
        try:  # other threads may use the GPU meanwhile: they read ahead
            with torch.cuda.graph(self.graph, stream=stream, capture_error_mode="thread_local"):
                self.loss = step(self.x, self.y, len(x))
        except RuntimeError as error:
            cause = error.__context__ or error  # a recording that fails may fail once more as it is ended
            if out_of_memory(cause):
                raise cause from None
            what = f"the step cannot be recorded ({str(cause).partition(chr(10))[0]})"
            raise ConfigError(what, "in a CUDA graph", "train with --no-cuda-graph") from error

    def replay(self, x: Tensor, y: Tensor) -> Tensor:
        """Take the step on another batch; the loss is overwritten by the next one."""
        self.x.copy_(x)
        self.y.copy_(y)
        self.graph.replay()
        return self.loss
