"""Files that are either whole or not there, whenever the process dies."""

import errno
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import ConfigError, StorageError


def write_atomically(
    path: Path, data: bytes, *, verify: Callable[[Path], None] | None = None, keep: Path | None = None
) -> None:
    """Replace `path` by `data`: written beside it, flushed to the disk, verified, then renamed.

    What stood there goes to `keep`. Raises StorageError if that fails; the old data is then still whole, here or there.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if verify:
            verify(temporary)
        if keep and path.exists():
            path.replace(keep)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        what = f"cannot write {len(data):,} bytes ({error.strerror or error})"
        fix = "make room or choose another place, then run it again (a training with --resume)"
        raise StorageError(what, str(path), fix) from error


def check_new(path: Path, endings: Sequence[str]) -> None:
    """Raise ConfigError unless `path` could be a new file with one of these endings."""
    if path.suffix not in endings:
        raise ConfigError(f"the file must end in {' or '.join(endings)}", f"in {path}", "the ending chooses the format")
    if path.exists():
        raise ConfigError("there is such a file already", f"at {path}", "choose another: nothing is overwritten")
    if not path.parent.is_dir():
        raise ConfigError("there is no such folder", f"{path.parent}, seen from {Path.cwd()}", "make it first")


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is not there yet: it appears once it is written to its end. Raises OSError and ConfigError."""
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    file = unfinished.open("xb")  # should that fail, there is nothing to remove
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        check_new(path, [path.suffix])  # somebody else may have made it meanwhile
        unfinished.replace(path)
    except BaseException as error:
        with suppress(OSError):
            unfinished.unlink()
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)
        raise


def sync_folder(folder: Path) -> None:
    """Flush a folder, so that a renamed file keeps its new name after a power cut (POSIX)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some shares cannot do it for a folder
                raise
        finally:
            os.close(descriptor)
