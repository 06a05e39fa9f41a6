"""No file that is cut off, damaged, hostile or something else is read, executed, or given memory (lesson 1)."""

import hashlib
import io
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from {{ cookiecutter.__package }} import array_file
from {{ cookiecutter.__package }}.array_file import ArrayFile
from {{ cookiecutter.__package }}.arrays import load
from {{ cookiecutter.__package }}.data_config import DataSettings
from {{ cookiecutter.__package }}.errors import DataError

VALUES = np.arange(1000.0).reshape(10, 10, 10)


def npy(array: np.ndarray = VALUES) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def claiming(header: str) -> bytes:
    """Return an .npy file of 8 bytes whose header says this."""
    text = header.encode() + b" " * 10 + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(8)


def folder(tmp_path: Path, content: bytes) -> ArrayFile:
    (tmp_path / "x.npy").write_bytes(content)
    return ArrayFile(tmp_path)


def archive(tmp_path: Path, content: bytes, compression: int = zipfile.ZIP_STORED) -> ArrayFile:
    with zipfile.ZipFile(tmp_path / "data.npz", "w", compression) as file:
        file.writestr("x.npy", content)
    return ArrayFile(tmp_path / "data.npz")


KINDS = pytest.mark.parametrize("kind", [folder, archive])
Kind = Callable[[Path, bytes], ArrayFile]


@KINDS
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", ">i2", "f4", "U5", "?"])
def test_what_was_saved_is_read(tmp_path: Path, kind: Kind, dtype: str, order: str) -> None:
    array = np.asarray(np.arange(60).reshape(3, 4, 5).astype(dtype), order=order)  # type: ignore[call-overload]
    file = kind(tmp_path, npy(array))
    read = file.read("x")
    assert read.shape == (3, 4, 5) and read.dtype == array.dtype and np.array_equal(read, array)


@KINDS
def test_large_files_are_read_and_hashed_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    monkeypatch.setattr(array_file, "CHUNK", 100)
    file = kind(tmp_path, npy())
    assert np.array_equal(file.read("x"), VALUES)
    changed = bytearray(file.path.read_bytes() if file.path.is_file() else (file.path / "x.npy").read_bytes())
    before = file.sha256("x", "y")
    assert file.path.is_dir() or before == hashlib.sha256(changed).hexdigest()
    changed[-1] ^= 1
    (file.path if file.path.is_file() else file.path / "x.npy").write_bytes(changed)
    assert file.sha256("x", "y") != before


def test_the_digest_of_a_folder_is_that_of_the_arrays_that_are_used(tmp_path: Path) -> None:
    for name in ("x_train", "y_train", "groups", "predictions"):
        (tmp_path / f"{name}.npy").write_bytes(npy())
    digests = [ArrayFile(tmp_path).sha256("x", "y", "groups")]
    for name in ("predictions", "x_train", "y_train", "groups"):
        (tmp_path / f"{name}.npy").write_bytes(npy(VALUES[::-1]))
        digests.append(ArrayFile(tmp_path).sha256("x", "y", "groups"))
    assert digests[0] == digests[1] and len(set(digests)) == 4


def test_npy_files_are_memory_mapped(tmp_path: Path) -> None:
    assert isinstance(folder(tmp_path, npy()).read("x"), np.memmap)
    assert list(ArrayFile(tmp_path / "x.npy").members) == ["x"]


@KINDS
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"cannot read the array"),
        (npy()[:5], r"cannot read the array \(EOF"),
        (npy()[:50], r"cannot read the array \(EOF.*; copy the file again"),
        (npy()[:-1], r"it has 8,127 bytes, but shape \(10, 10, 10\) of float64 needs 8,128; in 'x' of .*; copy the"),
        (npy() + b"!", r"it has 8,129 bytes, but shape .* needs 8,128"),
        (b"text, not an array", r"cannot read the array \(the magic string is not correct"),
        (claiming("{'descr': '<f8', 'fortran_order': False, 'shape': (100000000,), }"), r"needs 800,000,\d+;"),
        (claiming("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }"), r"a shape that no array has"),
        (claiming("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1), }"), r"a shape that no array has"),
        (
            claiming("{'descr': '<f8', 'fortran_order': False, 'shape': (0x" + "f" * 5000 + ",)}"),
            r"a shape that no array has",
        ),
        (b"\x93NUMPY\x03\x00" + npy()[8:], r"cannot read the array \(its header has version 3\)"),
        (claiming("{'descr': '<f8', 'fortran_order': False, 'shape': (2**70,), }"), r"cannot read the array"),
        (claiming(f"{ {'descr': '<f8', 'fortran_order': False, 'shape': (2**40, 2**40)} }"), r"needs 9,671,406,\d"),
        (claiming("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)"), r"cannot read the array"),
        (claiming("{'descr': '<f8', 'fortran_order': False, 'shape': 'x'}"), r"cannot read the array"),
        (claiming("'''"), r"cannot read the array"),
        (claiming("(" * 9000), r"cannot read the array"),
    ],
)
def test_a_wrong_array_gets_one_sentence(tmp_path: Path, kind: Kind, content: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        kind(tmp_path, content).read("x")


@pytest.mark.parametrize("content", [b"x,y", npy()])
def test_a_file_that_is_no_archive_gets_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(
        DataError, match=r"it is not an .npz file; .*data.npz; save its content with np.savez\('mine.npz'"
    ):
        ArrayFile(tmp_path / "data.npz")


def test_a_cut_archive_says_how_much_is_left(tmp_path: Path) -> None:
    archive(tmp_path, npy())
    content = (tmp_path / "data.npz").read_bytes()
    (tmp_path / "data.npz").write_bytes(b"")
    with pytest.raises(DataError, match=r"it is only a part of an .npz file \(0 bytes\)"):
        ArrayFile(tmp_path / "data.npz")
    (tmp_path / "data.npz").write_bytes(content[:4000])
    with pytest.raises(DataError, match=r"it is only a part of an .npz file \(4,000 bytes\); .*; copy the file again"):
        ArrayFile(tmp_path / "data.npz")


@pytest.mark.parametrize("name", ["nowhere.npz", "no\0where", "x" * 5000, "data.npz/x.npy"])
def test_a_path_that_leads_nowhere_gets_one_sentence(tmp_path: Path, name: str) -> None:
    archive(tmp_path, npy())
    with pytest.raises(DataError, match=r"the data cannot be opened \(.*\); .*, seen from .*; give an .npz file"):
        ArrayFile(tmp_path / name)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such pipes")
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe would block for ever; a link may lead nowhere."""
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(DataError, match="it is neither a file nor a folder"):
        ArrayFile(tmp_path / "pipe.npz")
    os.mkfifo(tmp_path / "x.npy")
    (tmp_path / "y.npy").symlink_to("nowhere")
    assert not ArrayFile(tmp_path).members
    (tmp_path / "folder.npy").mkdir()
    assert not ArrayFile(tmp_path / "folder.npy").single


def test_a_member_that_ends_too_early_is_not_filled_up(tmp_path: Path) -> None:
    """One byte would otherwise be spread over all values."""
    path = archive(tmp_path, npy(np.zeros(200, np.uint8))[:129]).path
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    for place in (directory + 24, directory + 20, 22, 18):  # the sizes in both headers of the zip
        content[place : place + 4] = struct.pack("<I", 328)
    path.write_bytes(content)
    with pytest.raises(DataError):
        ArrayFile(path).read("x")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_programs_may_pack_in_other_ways(tmp_path: Path, method: int) -> None:
    assert np.array_equal(archive(tmp_path, npy(np.arange(1000)), method).read("x"), np.arange(1000))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_bit_of_an_archive_counts(tmp_path: Path, compression: int) -> None:
    """zipfile's checksums find what NumPy would read without a word."""
    file = archive(tmp_path, npy(np.random.default_rng(0).normal(size=1000)), compression)
    whole = file.path.read_bytes()
    for position in range(200, len(whole) - 150, 97):
        file.path.write_bytes(whole[:position] + bytes([whole[position] ^ 8]) + whole[position + 1 :])
        with pytest.raises(DataError, match="cannot read the array"):
            ArrayFile(file.path).read("x")


@pytest.mark.parametrize("claim", [800_000_128, 2**31 - 1])
def test_a_small_archive_that_claims_much_is_refused(tmp_path: Path, claim: int) -> None:
    """Header and zip entry agree on 800 MB, which are not there."""
    count = (claim - 128) // 8
    header = npy(np.zeros(0))[:128].replace(b"(0,), }" + b" " * 9, f"({count},), {'}'}".encode().ljust(16))
    path = archive(tmp_path, header, zipfile.ZIP_DEFLATED).path
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", 128 + 8 * count)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read the array \(EOF: reading array data"):
        ArrayFile(path).read("x")


def test_an_archive_that_the_memory_does_not_hold_is_better_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "mine.npz", x=np.zeros((1000, 10)), y=np.arange(1000) % 2)
    monkeypatch.setattr("{{ cookiecutter.__package }}.memory.free_memory", lambda: 1000)
    with pytest.raises(DataError, match=r"it needs 0\.0 GiB .*; in 'x' of .*mine\.npz; save its arrays with np\.save"):
        ArrayFile(tmp_path / "mine.npz").read("x")


def test_targets_that_the_memory_does_not_hold_are_refused(tmp_path: Path) -> None:
    """A sparse file: it has a terabyte, but nothing in it. Samples would stay in such a file."""
    header = npy(np.zeros(0, np.uint8))[:128].replace(b"(0,), }" + b" " * 12, b"(1000000000000,), }")
    assert b"1000000000000" in header
    np.save(tmp_path / "x.npy", np.ones((5, 3)))
    with (tmp_path / "y.npy").open("wb") as file:
        file.write(header)
        try:
            file.truncate(128 + 10**12)
        except OSError:
            pytest.skip("this file system has no files of a terabyte")
    with pytest.raises(DataError, match=r"it needs 931.3 GiB of memory, and [\d.]+ are free; .*; use fewer samples"):
        load(ArrayFile(tmp_path), DataSettings(path=tmp_path))


class Canary:
    """Would make a file if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self.path), "w")


@KINDS
def test_nothing_is_ever_unpickled(tmp_path: Path, kind: Kind) -> None:
    canary = tmp_path / "canary"
    for content in (npy(np.array([Canary(canary)], object)), pickle.dumps(Canary(canary))):
        with pytest.raises(DataError, match=r"it holds Python objects, which could run code|cannot read the array"):
            kind(tmp_path, content).read("x")
    assert not canary.exists()


def test_an_array_that_nobody_asks_for_may_be_damaged(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=VALUES, notes=np.array([{}]))
    file = ArrayFile(tmp_path / "data.npz")
    assert list(file.members) == ["x", "notes"] and len(file.read("x")) == 10


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_names_cannot_reach_the_terminal(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as file:
        file.writestr("\x1b[31mred.npy", b"")
    with pytest.raises(DataError) as caught:
        ArrayFile(tmp_path / "data.npz").read("\x1b[31mred")
    assert "\x1b" not in str(caught.value)


def test_the_digest_follows_every_byte_and_every_name(tmp_path: Path) -> None:
    file = folder(tmp_path, npy())
    digests = [file.sha256("x"), ArrayFile(file.path / "x.npy").sha256("x")]
    (tmp_path / "x.npy").write_bytes(npy(VALUES + 1))
    digests.append(file.sha256("x"))
    (tmp_path / "x.npy").rename(tmp_path / "x_test.npy")
    digests.append(ArrayFile(tmp_path).sha256("x"))
    assert len(set(digests)) == 4 and all(len(digest) == 64 for digest in digests)
    (tmp_path / "predictions.npy").write_bytes(npy())  # which is not used
    assert ArrayFile(tmp_path).sha256("x") == digests[-1]
