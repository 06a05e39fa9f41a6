"""Files of arrays. What a file claims is checked against its size and the memory before anything is taken from it."""

import hashlib
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from tqdm.utils import CallbackIOWrapper

from .errors import DataError, out_of_memory
from .memory import check_memory
from .progress import progress

Array = np.ndarray[Any, np.dtype[Any]]
CHUNK = 2**22  # bytes to read at a time
LONGEST_HEADER = 2**16  # bytes: a table of a thousand columns needs as much
SAVE_AGAIN = "copy the file again, or save the arrays again with np.save or np.savez"
WIDENED = {"u2", "u4"}  # of which torch has too few operations: they are made twice as wide
SUFFIXES = ("", "_train", "_val", "_test")  # of the names of arrays


class ArrayFile:
    """An .npz file, a folder of .npy files (which are memory-mapped), or one .npy file, known by its name.

    Opening it reads names only; arrays that nobody asks for may be damaged. Raises DataError; never unpickles.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.members: dict[str, Path | zipfile.ZipInfo]
        try:
            self.size = path.stat().st_size
            self.single = path.suffix == ".npy" and path.is_file()
            self.mapped = path.is_dir() or self.single  # into memory, that is: nothing is read before it is needed
            if self.mapped:
                files = [path] if self.single else sorted(path.iterdir())
                self.members = {file.stem: file for file in files if file.suffix == ".npy" and file.is_file()}
            elif not path.is_file():
                raise OSError("it is neither a file nor a folder")
            else:
                with zipfile.ZipFile(path) as opened:
                    arrays = [info for info in opened.infolist() if info.filename.endswith(".npy")]
                self.members = {info.filename.removesuffix(".npy"): info for info in arrays}
        except (OSError, ValueError) as error:
            fix = "give an .npz file, or a folder of .npy files, as --data.path"
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"the data cannot be opened ({reason})", f"{path}, seen from {Path.cwd()}", fix) from error
        except Exception as error:  # zipfile raises many kinds
            with path.open("rb") as opened:
                part = opened.read(2) in (b"PK", b"")
            what = f"it is only a part of an .npz file ({self.size:,} bytes)" if part else "it is not an .npz file"
            fix = SAVE_AGAIN if part else "save its content with np.savez('mine.npz', x=samples, y=labels)"
            raise DataError(what, str(path), fix) from error

    def read(self, name: str) -> Array:
        """Return the values of an array: of an .npz in memory, of an .npy as a map of the file. Raises DataError."""
        with self._open(name) as (file, in_file, in_memory):
            member = self.members[name]
            if isinstance(member, Path) and in_file:  # nothing cannot be mapped
                return np.load(member, mmap_mode="r", max_header_size=LONGEST_HEADER)
            fix = "save its arrays with np.save, into a folder of .npy files: that is read batch by batch"
            check_memory(in_memory, f"in {name!r} of {self.path}", fix)
            file.seek(0)
            with progress(in_file, f"reading {name}", unit="B") as bar:
                watched = CallbackIOWrapper(bar.update, file, "read")
                values = np.lib.format.read_array(watched, allow_pickle=False, max_header_size=LONGEST_HEADER)
            file.read(1)  # nothing; at its end, zipfile compares the checksum
            return values

    def sha256(self, *names: str) -> str:
        """Return the digest of the .npz, or in a folder, of the arrays of these names with or without a split's suffix.

        Other files in the folder, such as predictions, may come and go.
        """
        if not self.path.is_dir():
            return self._hash(self.path)
        others = self.others(*names)
        digests = [f"{name} {self._hash(file)}\n" for name, file in self.members.items() if name not in others]  # type: ignore[arg-type]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    def others(self, *names: str) -> list[str]:
        """Return the names of the arrays that are not called so, with or without a split's suffix."""
        used = {name + suffix for name in names for suffix in SUFFIXES}
        return [name for name in self.members if name not in used]

    def _hash(self, path: Path) -> str:
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file, progress(path.stat().st_size, f"hashing {path.name}", unit="B") as bar:
                while part := file.read(CHUNK):
                    digest.update(part)
                    bar.update(len(part))
        except OSError as error:
            raise DataError(f"the data cannot be read ({error.strerror})", str(path), "make it readable") from error
        return digest.hexdigest()

    @contextmanager
    def _open(self, name: str) -> Iterator[tuple[IO[bytes], int, int]]:
        """Open an array where its values begin, with their bytes there and in memory; any failure is a DataError."""
        member, where = self.members[name], f"in {name!r} of {self.path}"
        try:
            if isinstance(member, Path):
                with member.open("rb") as file:
                    yield file, *read_header(file, member.stat().st_size, where)
            else:
                with zipfile.ZipFile(self.path) as archive, archive.open(member) as file:
                    yield file, *read_header(file, member.file_size, where)
        except DataError:
            raise
        except Exception as error:  # damaged and hostile files raise many kinds
            if what := out_of_memory(error):
                raise DataError(what, where, "use fewer samples, or a smaller type, or raise ulimit -v") from error
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"cannot read the array ({reason})", where, SAVE_AGAIN) from error


def read_header(file: IO[bytes], size: int, where: str) -> tuple[int, int]:
    """Read the header of an .npy file of `size` bytes; return the bytes of its values there, and in memory.

    It may be cut off, damaged, or made to take all memory. Raises DataError unless the file has just as many bytes as
    shape and type need; for damaged headers, many exceptions.
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
    nbytes = math.prod(shape) * dtype.itemsize  # in Python's integers: a hostile shape does not overflow
    if size != file.tell() + nbytes:
        what = f"it has {size:,} bytes, but shape {shape} of {dtype!s:.60} needs {file.tell() + nbytes:,}"
        raise DataError(what, where, SAVE_AGAIN)
    return nbytes, nbytes * (3 if dtype.str[1:] in WIDENED else 1)
