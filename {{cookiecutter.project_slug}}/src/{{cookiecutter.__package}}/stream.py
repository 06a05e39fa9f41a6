"""Samples that stay in their files: the next batch is read while the model computes this one."""

import math
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from .splits import Rows
from .tensors import on_device, to_tensor

BLOCK = 2**20  # bytes that lie side by side, and are read together


class Stream:
    """Stands for the tensor (N, ...) that the rows of a file would be: it gives batches, and single samples."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.device = torch.device("cpu")  # where batches are wanted
        self.reader = ThreadPoolExecutor(1)
        self.announced: tuple[Tensor, Future[Tensor]] | None = None
        self.block = max(1, BLOCK // (math.prod(rows.shape[1:]) * rows.dtype.itemsize))  # samples

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Tensor:
        return self.index_select(0, torch.tensor([index]))[0]

    def index_select(self, dim: int, indices: Tensor) -> Tensor:
        """Return the samples (B, ...) at `indices` (B,), as a tensor does along its first dimension."""
        announced, reading = self.announced or (None, None)
        batch = reading.result() if reading and announced is indices else self.read(indices)
        return on_device(batch, self.device)

    def read_ahead(self, indices: Tensor) -> None:
        """Begin to read what `index_select` is going to be asked for."""
        self.announced = indices, self.reader.submit(self.read, indices)

    def read(self, indices: Tensor) -> Tensor:
        """Return the samples (B, ...), in memory from which a GPU can fetch them by itself, if it is for one."""
        batch = to_tensor(self.rows[indices.numpy()])
        return batch.pin_memory() if self.device.type == "cuda" else batch
