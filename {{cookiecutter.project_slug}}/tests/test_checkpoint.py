"""A checkpoint is whole or not there, and a damaged one is never loaded."""

import os
import stat
from collections import Counter
from pathlib import Path

import pytest
import torch

from {{ cookiecutter.__package }} import checkpoint
from {{ cookiecutter.__package }}.checkpoint import is_plain, load_checkpoint, serialize, verify, write_checkpoint
from {{ cookiecutter.__package }}.errors import RefusedError, StorageError
from {{ cookiecutter.__package }}.storage import write_atomically

STATE = {"model": {"weight": torch.arange(1000.0)}, "progress": {"epoch": 3}, "names": ["a", 1]}


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    write_checkpoint(serialize(STATE), tmp_path / "last.pt")
    state = load_checkpoint(tmp_path / "last.pt")
    assert torch.equal(state["model"]["weight"], STATE["model"]["weight"])
    assert state["progress"] == {"epoch": 3} and state["names"] == ["a", 1]
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_what_torch_can_read_may_be_saved_though_it_is_not_plain(tmp_path: Path) -> None:
    state = {"counts": Counter("abca"), "parameter": torch.nn.Parameter(torch.zeros(2))}
    assert is_plain(STATE) and not any(map(is_plain, state.values()))
    write_checkpoint(serialize(state), tmp_path / "last.pt")
    assert load_checkpoint(tmp_path / "last.pt")["counts"] == {"a": 2, "b": 1, "c": 1}


def test_two_saves_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        write_checkpoint(serialize(STATE), tmp_path / name)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
def test_a_flipped_bit_is_found(tmp_path: Path, position: float) -> None:
    path = tmp_path / "last.pt"
    write_checkpoint(serialize(STATE), path)
    data = bytearray(path.read_bytes())
    data[data.index(b"\x00\x00\x80\x3f") + int(position * 3000)] ^= 4  # within the weights
    path.write_bytes(data)
    with pytest.raises(RefusedError, match=r"the checkpoint cannot be read .*last.pt; put back a whole copy"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_a_truncated_or_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    write_checkpoint(serialize(STATE), tmp_path / "last.pt")
    whole = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(content or whole[: len(whole) // 2])
    with pytest.raises(RefusedError, match="cannot be read"):
        load_checkpoint(tmp_path / "last.pt")


def test_a_checkpoint_that_finds_no_memory_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(path: Path) -> None:  # to fail for real would have glibc serve this process from another arena
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 400 bytes.")  # as torch

    monkeypatch.setattr(checkpoint, "verify", verify)
    with pytest.raises(RuntimeError, match="allocate"):
        load_checkpoint(tmp_path / "last.pt")


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Canary:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "canary",))  # type: ignore[return-value]

    torch.save({"model": Canary()}, tmp_path / "last.pt")
    with pytest.raises(RefusedError, match="cannot be read"):
        load_checkpoint(tmp_path / "last.pt")
    assert not (tmp_path / "canary").exists()


def test_what_stood_there_survives_a_failed_save(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="file size limits are a POSIX feature")
    write_checkpoint(serialize(STATE), tmp_path / "last.pt")
    before = (tmp_path / "last.pt").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
        with pytest.raises(StorageError, match=r"cannot write .* bytes \(File too large\); .*last.pt; make room"):
            write_checkpoint(serialize(STATE), tmp_path / "last.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "last.pt").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.parametrize("name", ["last.pt", "best.pt"])
def test_what_stood_there_is_kept_and_makes_room_if_there_is_none(tmp_path: Path, name: str) -> None:
    resource = pytest.importorskip("resource", reason="file size limits are a POSIX feature")
    last, previous = tmp_path / "last.pt", tmp_path / "previous.pt"
    for epoch in (1, 2, 3):
        write_checkpoint(serialize({**STATE, "epoch": epoch}), last, keep=previous)
    assert [load_checkpoint(path)["epoch"] for path in (last, previous)] == [3, 2]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        with pytest.raises(StorageError, match="cannot write"):
            data, keep = serialize({**STATE, "epoch": 4}), previous if name == "last.pt" else None
            write_checkpoint(data, tmp_path / name, keep=keep)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load_checkpoint(last)["epoch"] == 3
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_the_only_checkpoint_does_not_make_room(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="file size limits are a POSIX feature")
    write_checkpoint(serialize(STATE), tmp_path / "previous.pt")  # as a kill between two names leaves it
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        with pytest.raises(StorageError, match="cannot write"):
            write_checkpoint(serialize(STATE), tmp_path / "last.pt", keep=tmp_path / "previous.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load_checkpoint(tmp_path / "previous.pt")["progress"] == {"epoch": 3}


def test_what_was_not_verified_takes_no_place(tmp_path: Path) -> None:
    last = tmp_path / "last.pt"
    write_checkpoint(serialize(STATE), last)
    with pytest.raises(StorageError, match="cannot write 4 bytes"):
        write_atomically(last, b"junk", verify=verify)  # as a disk would hold it that lost the rest
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]
    assert load_checkpoint(last)["progress"] == {"epoch": 3}


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No power cut can be made here: the calls that outlive one are looked at, and do their work all the same."""
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watch_fsync(descriptor: int) -> None:
        calls.append("fsync of the folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "fsync of the file")
        fsync(descriptor)

    def watch_replace(path: Path, target: Path) -> Path:
        calls.append(f"{path.name} to {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(Path, "replace", watch_replace)
    last, previous = tmp_path / "last.pt", tmp_path / "previous.pt"
    write_checkpoint(serialize(STATE), last, keep=previous)
    folder = ["fsync of the folder"] if os.name == "posix" else []
    assert calls == ["fsync of the file", "last.pt.tmp to last.pt", *folder]
    calls.clear()
    write_checkpoint(serialize(STATE), last, keep=previous)
    assert calls == ["fsync of the file", "last.pt to previous.pt", "last.pt.tmp to last.pt", *folder]


def test_another_version_s_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({**STATE, "format": 1}, tmp_path / "last.pt")
    with pytest.raises(
        RefusedError, match=r"this is not a checkpoint of this project, or of another version; .*last.pt"
    ):
        load_checkpoint(tmp_path / "last.pt")
