"""From NumPy's arrays to torch's tensors, and to where they are needed."""

import numpy as np
import torch
from torch import Tensor

from .array_file import Array


def to_tensor(array: Array) -> Tensor:
    """Return the array as a tensor, of the same dtype where torch can index and cast it."""
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "u" and size > 1:  # torch has only a few operations on these
        array = array.astype({2: np.int32, 4: np.int64, 8: np.float64}[size])
    if kind == "f" and size > 8:
        array = array.astype(np.float64)
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Move a tensor to a device, in 32 bits to one that has no floats of 64 (Apple's)."""
    small = device.type == "mps" and tensor.dtype == torch.float64
    return (tensor.float() if small else tensor).to(device, non_blocking=tensor.is_pinned())


def fits(*tensors: Tensor, device: torch.device) -> bool:
    """Return whether the device has room for tensors, and as much again for the training."""
    if device.type != "cuda" or all(tensor.is_cuda for tensor in tensors):
        return True
    return 2 * sum(tensor.nbytes for tensor in tensors) <= torch.cuda.mem_get_info(device)[0]
