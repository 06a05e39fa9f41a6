"""The header of an .npy file, read without trust: it may be cut off, damaged, or made to take all memory."""

import math
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from .errors import DataError

SAVE_AGAIN = "copy the file again, or save the arrays again with np.save or np.savez"
LONGEST_HEADER = 2**16  # bytes: a table of a thousand columns needs as much


@dataclass(frozen=True)
class Header:
    """What an array says of itself."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of its values, in Python's integers: a hostile shape does not overflow."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def held(self) -> int:
        """Bytes that they take in memory: for torch, unsigned integers of 16 and 32 bits become twice as wide."""
        return self.nbytes * (2 if self.dtype.kind == "u" and self.dtype.itemsize in (2, 4) else 1)


def read_header(file: IO[bytes], size: int, where: str) -> Header:
    """Read the header of an array that has `size` bytes, header and all; the values come next in the file.

    Raises DataError unless they have just as many bytes as shape and type need; for damaged headers, many exceptions.
    """
    major, _ = np.lib.format.read_magic(file)
    if major not in (1, 2):
        raise ValueError(f"its header has version {major}")
    read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file, max_header_size=LONGEST_HEADER)
    if dtype.hasobject:
        fix = "save y.astype(str) or astype(float): columns of pandas, None, mixed types, unequal rows make objects"
        raise DataError("it holds Python objects, which could run code when read", where, fix)
    if len(shape) > 32 or not all(0 <= side < 2**63 for side in shape):
        raise DataError("its header tells of a shape that no array has", where, SAVE_AGAIN)
    header = Header(shape, dtype)
    expected = file.tell() + header.nbytes
    if size != expected:
        what = f"it has {size:,} bytes, but shape {shape} of {dtype!s:.60} needs {expected:,}"
        raise DataError(what, where, SAVE_AGAIN)
    return header
