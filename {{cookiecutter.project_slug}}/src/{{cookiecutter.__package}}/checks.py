"""Whether values can be learned from: finite, of a kind that is a number or a label, told apart by 32-bit floats."""

import sys
from collections.abc import Iterator

import numpy as np

from .array_file import SAVE_AGAIN, Array
from .errors import DataError
from .progress import progress
from .splits import Samples

LARGEST = 1e30  # divided by small deviations, differences of such values are still finite 32-bit floats
VALUES = 2**22  # to look at in one go, so that the copies of large arrays do not fill the memory


def check(array: Array, where: str) -> Array:
    """Return the array, if it has samples: of finite numbers, or of strings (made native-endian). Raises DataError."""
    if array.ndim == 0 or array.size == 0:
        raise DataError(f"there are no samples: the shape is {array.shape}", where, "the first axis counts the samples")
    if array.dtype.kind not in "biufU":
        fix = "save numbers (dates as days, complex ones as two channels, fields as columns), or labels by astype(str)"
        raise DataError(f"its type is {array.dtype!s:.60}", where, fix)
    if array.dtype.kind == "U":
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        codes = np.ascontiguousarray(array).view(np.uint32)
        if ((codes > sys.maxunicode) | ((codes >= 0xD800) & (codes < 0xE000))).any():
            raise DataError("it holds characters that do not exist", where, "save the strings again")
    if array.dtype == bool and any((part.view(np.uint8) > 1).any() for _, part in chunks(array, "checking")):
        raise DataError("it holds bytes that are neither true nor false", where, SAVE_AGAIN)
    for start, part in chunks(array, "checking") if array.dtype.kind == "f" else ():
        wrong = np.argwhere(~(np.abs(part) <= min(LARGEST, float(np.finfo(part.dtype).max))))
        if len(wrong):
            index = [start + int(wrong[0][0]), *map(int, wrong[0][1:])]
            fix = f"replace, remove or rescale what is not finite or beyond {LARGEST:.0e}"
            raise DataError(f"{array[tuple(index)]} at index {index}", where, fix)
    return array


def check_precision(x: Samples, where: str) -> None:
    """Raise DataError if all values of a channel of training samples (N, C, ...) are nearly the same 32-bit float.

    They have seven digits: of values within 1e-5 of their middle, two or less would tell them apart. Below 1e-30, too,
    differences are refused: 32-bit floats end soon after.
    """
    if np.can_cast(x.dtype, np.float32):
        return
    axes = (0, *range(2, x.ndim))
    low = high = np.asarray(x[0]).reshape(x.shape[1], -1)[:, 0]  # of each channel (C,), in its own type: exactly
    for _, part in chunks(x, "checking"):
        low, high = np.minimum(low, part.min(axes)), np.maximum(high, part.max(axes))
    middle, off = (np.asarray(end, np.float64) for end in (low / 2 + high / 2, high / 2 - low / 2))
    lost = np.flatnonzero((off < np.maximum(1e-5 * np.abs(middle), 1e-30)) & (low < high))
    if len(lost):
        column = "feature" if x.ndim == 2 else "channel"
        what = f"{column} {lost[0]} lies within {off[lost[0]]:.3g} of {middle[lost[0]]:.12g}"
        fix = "subtract its mean, or rescale it, before you save it: 32-bit floats cannot tell such values apart"
        raise DataError(what, where, fix)


def chunks(array: Samples, what: str) -> Iterator[tuple[int, Array]]:
    """Yield the array in parts, each with the position of its first row; what takes longer shows a bar."""
    rows = max(1, VALUES // array[0].size)
    with progress(len(array), what, unit=" rows") as bar:
        for start in range(0, len(array), rows):
            yield start, array[start : start + rows]
            bar.update(min(rows, len(array) - start))
