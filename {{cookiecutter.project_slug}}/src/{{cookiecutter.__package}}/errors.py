"""The few exceptions that end a command in one sentence, each with its exit code."""

import errno
import re
import sys
import unicodedata
from contextlib import suppress

from .torchrun import is_follower

# What the system says when a disk is full or not ours to write, a file cannot be locked, or its server does not answer.
STORAGE = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOLCK,
    errno.EISDIR, errno.ENOTDIR, errno.ENOTSUP, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN,
}  # fmt: skip


class ExperimentError(Exception):
    """Says what is wrong, where, and how to fix it; the command prints it and leaves with `exit_code`."""

    exit_code = 1

    def __init__(self, what: str, where: str, fix: str) -> None:
        super().__init__(printable(f"{what}; {where}; {fix}"))
        self.what = printable(what)


class ConfigError(ExperimentError):
    """A setting, a config file or the command line cannot be used."""

    exit_code = 2


class DataError(ExperimentError):
    """The arrays cannot be used."""

    exit_code = 2


class DivergedError(ExperimentError):
    """The loss, the weights or the gradients are no longer finite numbers."""

    exit_code = 3


class StorageError(ExperimentError):
    """A file could not be written; the one before it is still whole."""

    exit_code = 4


class LostError(ExperimentError):
    """Another process of the same training is gone."""

    exit_code = 4


class OutOfMemoryError(ExperimentError):
    """There is no room for the batches, or for the data."""

    exit_code = 4


class RefusedError(ExperimentError):
    """Going on would damage or falsify a run: it is locked, or what is resumed does not match."""

    exit_code = 5


class Interrupted(ExperimentError):
    """A signal asked to stop, and everything is saved; shells expect 128 + its number."""

    def __init__(self, signal_number: int, what: str, where: str, fix: str) -> None:
        super().__init__(what, where, fix)
        self.exit_code = 128 + signal_number


def require(holds: bool, name: str, value: object, rule: str) -> None:
    """Raise ConfigError unless a rule holds for a setting."""
    if not holds:
        raise ConfigError(f"--{name.replace('_', '-')} is {value}", "in the settings", f"it must be {rule}")


def out_of_memory(error: BaseException) -> str | None:
    """Return in words that there was no memory, if that is what the error means.

    NumPy and Python raise MemoryError, the system ENOMEM; torch a RuntimeError, whose message names the amount.
    """
    amount = re.search(r"[Tt]ried to allocate ([\d.]+ \w+)", str(error))
    says_so = amount or re.search("out of memory|STATUS_ALLOC_FAILED", str(error))
    is_one = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    if not (is_one or (isinstance(error, RuntimeError) and says_so)):
        return None
    reason = f"no room for {amount[1]}" if amount else str(error).partition("\n")[0]
    return f"out of memory ({reason})" if reason else "out of memory"


def printable(text: str) -> str:
    """Escape control characters, which names from files and from users may hold: they must not reach the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def width_of(text: str) -> int:
    """Return how many columns a text takes on a terminal: a Chinese letter takes two."""
    return len(text) + sum(unicodedata.east_asian_width(letter) in "FW" for letter in text)


def shorten(text: str, most: int) -> str:
    """Return a text without its middle if it takes more columns: names often differ at their end."""
    length = most * len(text) // max(1, width_of(text))
    if len(text) <= length:
        return text
    head, tail = length // 2 - 1, (length + 1) // 2 - 2
    return f"{text[:head]}...{text[-tail:]}"


def note(text: str) -> None:
    """Tell people on stderr, if anybody listens, what they should know, though it stops nothing."""
    with suppress(OSError):
        if not is_follower():
            print(printable(f"note: {text}"), file=sys.stderr)


def exit_code(error: BaseException) -> int:
    """Return the exit code that the error ends a command with; 1 is for bugs."""
    if (isinstance(error, OSError) and error.errno in STORAGE) or out_of_memory(error):  # which have the same one
        return StorageError.exit_code
    if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.ELOOP):  # no path can be so
        return ConfigError.exit_code
    return error.exit_code if isinstance(error, ExperimentError) else 1
