"""Files of arrays. What a file claims is checked against its size and the memory before anything is taken from it."""

import hashlib
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import psutil

from .errors import DataError
from .progress import progress

Array = np.ndarray[Any, np.dtype[Any]]
CHUNK = 2**22  # bytes to read at a time
SAVE_AGAIN = "copy the file again, or save the arrays again with np.save or np.savez"


@dataclass(frozen=True)
class Header:
    """What an array says of itself."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of its values, in Python's integers: a hostile shape does not overflow."""
        return math.prod(self.shape) * self.dtype.itemsize


class ArrayFile:
    """An .npz file, a folder of .npy files (which are memory-mapped), or one .npy file, known by its name.

    Opening it reads names only; arrays that nobody asks for may be damaged. Raises DataError; never unpickles.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.members: dict[str, Path | zipfile.ZipInfo]
        try:
            size = path.stat().st_size
            if path.is_dir() or path.suffix == ".npy":
                files = sorted(path.glob("*.npy")) if path.is_dir() else [path]
                self.members = {file.stem: file for file in files}
            else:
                with zipfile.ZipFile(path) as opened:
                    arrays = [info for info in opened.infolist() if info.filename.endswith(".npy")]
                self.members = {info.filename.removesuffix(".npy"): info for info in arrays}
        except (OSError, ValueError) as error:
            fix = "give an .npz file, or a folder of .npy files, as --data.path"
            where = f"{path}, seen from {Path.cwd()}"
            raise DataError(f"the data cannot be opened ({getattr(error, 'strerror', error)})", where, fix) from error
        except Exception as error:  # zipfile raises many kinds
            with path.open("rb") as opened:
                archive = opened.read(2) == b"PK"
            what = f"it is only a part of an .npz file ({size:,} bytes)" if archive else "it is not an .npz file"
            fix = SAVE_AGAIN if archive else "save its content with np.savez('mine.npz', x=samples, y=labels)"
            raise DataError(what, str(path), fix) from error

    def header(self, name: str) -> Header:
        """Return shape and type of an array. Raises DataError unless the file has just as many bytes as they need."""
        with self._open(name) as (file, size):
            header = read_header(file)
            expected = file.tell() + header.nbytes
        member = self.members[name]
        where = f"in {name!r} of {self.path}"
        if header.dtype.hasobject:
            fix = "save numbers or strings: rows of unequal length, None and mixed types make objects"
            raise DataError("it holds Python objects, which could run code when read", where, fix)
        if min(header.shape, default=0) < 0 or size != expected:
            what = f"it has {size:,} bytes, but shape {header.shape} of {header.dtype} needs {expected:,}"
            raise DataError(what, where, SAVE_AGAIN)
        if isinstance(member, zipfile.ZipInfo):
            most = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 1032}.get(member.compress_type, math.inf)
            if member.compress_size > self.path.stat().st_size or size > most * member.compress_size:
                what = f"it claims {size:,} bytes, but only {member.compress_size:,} are in the file"
                raise DataError(what, where, SAVE_AGAIN)
        return header

    def read(self, name: str) -> Array:
        """Return the values of an array: of an .npz in memory, of an .npy as a map of the file. Raises DataError."""
        header = self.header(name)
        member = self.members[name]
        order: Literal["F", "C"] = "F" if header.fortran_order else "C"
        if header.nbytes == 0:
            return np.empty(header.shape, header.dtype)
        check_memory(header.nbytes, f"in {name!r} of {self.path}")
        with self._open(name) as (file, size):
            read_header(file)
            if isinstance(member, Path):
                return np.memmap(member, header.dtype, "r", offset=file.tell(), shape=header.shape, order=order)
            values = np.empty(math.prod(header.shape), header.dtype)
            target = values.view(np.uint8)  # its bytes
            with progress(size, f"reading {name}", unit="B") as bar:
                for start in range(0, len(target), CHUNK):
                    part = file.read(CHUNK)
                    target[start : start + CHUNK] = np.frombuffer(part, np.uint8)
                    bar.update(len(part))
            file.read(1)  # nothing; at its end, zipfile compares the checksum
            return values.reshape(header.shape, order=order)

    @contextmanager
    def _open(self, name: str) -> Iterator[tuple[IO[bytes], int]]:
        """Open an array's bytes, and tell how many there are; whatever then fails, is a DataError."""
        member = self.members[name]
        try:
            if isinstance(member, Path):
                with member.open("rb") as file:
                    yield file, member.stat().st_size
            else:
                with zipfile.ZipFile(self.path) as archive, archive.open(member) as file:
                    yield file, member.file_size
        except DataError:
            raise
        except Exception as error:  # damaged and hostile files raise many kinds
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"cannot read the array ({reason})", f"in {name!r} of {self.path}", SAVE_AGAIN) from error


def read_header(file: IO[bytes]) -> Header:
    """Read the header of an .npy file. Raises many kinds of exceptions."""
    major, _ = np.lib.format.read_magic(file)
    read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}[major]
    return Header(*read(file))


def check_memory(nbytes: int, where: str) -> None:
    """Raise DataError unless so many bytes can be had, before they are taken: too many would end the process."""
    if nbytes > (free := psutil.virtual_memory().available):
        what = f"it needs {nbytes / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} are free"
        raise DataError(what, where, "use fewer samples, or a smaller type such as uint8")


def sha256(path: Path) -> str:
    """Return the digest of the data file, or of the list of names and digests of the .npy files in the folder."""
    if path.is_dir():
        files = "".join(f"{file.name} {sha256(file)}\n" for file in sorted(path.glob("*.npy")))
        return hashlib.sha256(files.encode()).hexdigest()
    digest = hashlib.sha256()
    with path.open("rb") as file, progress(path.stat().st_size, f"hashing {path.name}", unit="B") as bar:
        while part := file.read(CHUNK):
            digest.update(part)
            bar.update(len(part))
    return digest.hexdigest()
