"""Samples that stay in their files: the next batch is read while the model computes this one."""

import math
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import torch
from torch import Tensor

from .splits import Rows
from .tensors import to_tensor

BLOCK = 2**20  # bytes that lie side by side, and are read together


class Stream:
    """Stands for the tensor (N, ...) that the rows of a file would be: it gives batches.

    To a `gpu` they are copied while it computes: whoever asks for a batch may have to wait for the file, or for the
    step before the last one, but not for the last one.
    """

    def __init__(self, rows: Rows, *, gpu: torch.device | None = None) -> None:
        self.rows = rows
        self.copy_stream = torch.cuda.Stream(gpu) if gpu else None  # for copies; its device has a number, unlike `gpu`
        enter = partial(torch.cuda.set_device, self.copy_stream.device) if self.copy_stream else None
        self.reader = ThreadPoolExecutor(1, initializer=enter)
        self.announced: tuple[Tensor, Future[Tensor]] | None = None
        self.block = max(1, BLOCK // (math.prod(rows.shape[1:]) * rows.dtype.itemsize))  # samples

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Tensor:
        return self.index_select(0, torch.tensor([index]))[0]

    def index_select(self, dim: int, indices: Tensor) -> Tensor:
        """Return the samples (B, ...) at `indices` (B,), as a tensor does along its first dimension."""
        announced, reading = self.announced or (None, None)
        self.announced = None
        batch = reading.result() if reading and announced is indices else self.read(indices)
        if self.copy_stream:  # once the steps are done with it, its memory may be taken again
            batch.record_stream(torch.cuda.current_stream(batch.device))
        return batch

    def read_ahead(self, indices: Tensor) -> None:
        """Begin to read what `index_select` is going to be asked for."""
        turn = None
        if self.copy_stream:  # comes after the step before: the GPU holds two or three batches, and not all
            turn = torch.cuda.current_stream(self.copy_stream.device).record_event(torch.cuda.Event(blocking=True))
        self.announced = indices, self.reader.submit(self.read, indices, turn)

    def read(self, indices: Tensor, turn: torch.cuda.Event | None = None) -> Tensor:
        """Return the samples (B, ...), in memory or, when it is their `turn`, in that of the GPU."""
        batch = to_tensor(self.rows[indices.numpy()])
        if self.copy_stream is None:
            return batch
        with torch.cuda.stream(self.copy_stream):
            batch = batch.pin_memory()  # from there, a GPU fetches it by itself
            if turn:
                turn.synchronize()
            batch = batch.to(self.copy_stream.device, non_blocking=True)
            self.copy_stream.record_event(torch.cuda.Event(blocking=True)).synchronize()
        return batch
