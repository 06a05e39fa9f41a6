"""Samples that stay in their files are the same samples, and are trained on in an order of their own."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from {{ cookiecutter.__package }} import data
from {{ cookiecutter.__package }}.array_file import ArrayFile, read_header
from {{ cookiecutter.__package }}.arrays import is_resident, load_splits
from {{ cookiecutter.__package }}.batches import Batches, permutation
from {{ cookiecutter.__package }}.cli import main
from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.data import ArrayDataset
from {{ cookiecutter.__package }}.data_config import DataSettings
from {{ cookiecutter.__package }}.errors import DataError
from {{ cookiecutter.__package }}.splits import Rows
from {{ cookiecutter.__package }}.stream import Stream
from {{ cookiecutter.__package }}.tensors import fits, to_tensor

from .conftest import NARROW_FLAGS, Command, newest, wait_for
from .example import bundled, targets
from .test_trainer import build

CPU = torch.device("cpu")
Save = Callable[..., Path]
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device on this machine")


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write a folder of .npy files."""

    def write(**arrays: np.ndarray) -> Path:
        folder = tmp_path / "arrays"
        folder.mkdir()
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        return folder

    return write


def test_samples_that_lie_apart_in_their_file_are_refused(save: Save) -> None:
    """Each batch would read nearly all of it; kept in memory, they are taken as they are."""
    x = np.asfortranarray(np.random.default_rng(0).normal(size=(50, 3, 8, 8)))
    folder = save(x=x, y=targets(50, (3, 8, 8)))
    with pytest.raises(DataError, match=r"it is in Fortran order: each .*; in .*x\.npy; save it again, as np\.ascont"):
        load_splits(ArrayFile(folder), DataSettings(path=folder, resident="no"))  # as inspect does, too
    arrays = load_splits(ArrayFile(folder), DataSettings(path=folder, resident="yes"))
    assert {sample.tobytes() for sample in arrays["train"].x[:]} < {sample.tobytes() for sample in x}


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", ">i4", "<f2", ">f4", ">f8"])
@pytest.mark.parametrize("channels", ["first", "last"])
def test_a_stream_gives_what_memory_gives(save: Save, dtype: str, channels: str) -> None:
    x = np.random.default_rng(0).integers(0, 99, (50, 3, 4, 3)).astype(dtype)
    folder = save(x=x, y=targets(50, (3, 4, 3) if channels == "first" else (3, 3, 4)))
    batches = {}
    for resident in ("yes", "no"):
        settings = DataSettings(path=folder, channels=channels, resident=resident)  # type: ignore[arg-type]
        split = load_splits(ArrayFile(folder), settings)["train"]
        dataset = ArrayDataset(split.x, np.arange(len(split)))
        assert isinstance(dataset.x, Stream) == (resident == "no")
        assert torch.equal(dataset[3][0], dataset.batch(torch.tensor([3]))[0][0])
        batches[resident] = [tensor for batch in Batches(dataset, batch_size=8, device=CPU).epoch() for tensor in batch]
    for one, other in zip(batches["yes"], batches["no"], strict=True):
        assert torch.equal(one, other) and one.dtype == other.dtype


@needs_gpu
def test_what_does_not_fit_on_a_gpu_stays_in_memory_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """And none is copied in a way that makes everybody wait (which torch knows of)."""
    gpu, batches = torch.device("cuda"), []
    small, large = torch.zeros(1), torch.zeros(1).expand(2**45)  # which takes no memory
    assert fits(small, small, device=gpu) and not fits(small, large, device=gpu) and not fits(large, small, device=gpu)
    x = np.random.default_rng(0).integers(0, 99, (5000, 3, 100, 100)).astype(np.uint8)
    for room in (True, False):
        monkeypatch.setattr(data, "fits", lambda *tensors, device, room=room: room)
        dataset = ArrayDataset(x, np.arange(len(x)))
        shuffled = Batches(dataset, batch_size=64, device=gpu, seed=0).epoch()
        given = list(next(shuffled))
        torch.cuda.set_sync_debug_mode("error")
        try:
            given += [tensor for _ in range(10) for tensor in next(shuffled)]
        finally:
            torch.cuda.set_sync_debug_mode("default")
        batches.append([tensor.cpu() for tensor in given])
        assert isinstance(dataset.x, Stream) == isinstance(dataset.y, Stream) != room
    assert all(map(torch.equal, *batches))


def test_the_order_keeps_neighbours_near_each_other() -> None:
    orders = [permutation(10_000, seed=0, epoch=epoch, block=4) for epoch in (1, 2)]
    assert all(sorted(order.tolist()) == list(range(10_000)) for order in orders)
    assert not torch.equal(*orders) and torch.equal(orders[0], permutation(10_000, seed=0, epoch=1, block=4))
    mixed = orders[0].split(256 * 4)[0]
    assert len(set((mixed // 4).tolist())) == 256  # whole blocks, from anywhere
    assert mixed.max() - mixed.min() > 9000
    assert (mixed.diff() == 1).float().mean() < 0.05  # and well mixed


def test_one_sample_may_be_asked_for(save: Save) -> None:
    """As by a `__getitem__` of one's own (lesson 1)."""
    x = np.arange(24, dtype=np.uint8).reshape(6, 4)
    stream = Stream(Rows(np.load(save(x=x) / "x.npy", mmap_mode="r")))
    assert torch.equal(stream[4], torch.from_numpy(x[4]))


def test_what_was_announced_is_read_once(save: Save) -> None:
    read = []

    class Counted(Rows):
        def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
            read.append(index)
            return super().__getitem__(index)

    dataset = ArrayDataset(Counted(np.load(save(x=np.ones((20, 3))) / "x.npy", mmap_mode="r")), np.arange(20))
    batches = Batches(dataset, batch_size=8, device=CPU)
    epoch = batches.epoch(start=1)
    assert next(epoch)[1].tolist() == [*range(8, 16)]
    assert dataset.x.announced and dataset.x.announced[0].tolist() == [*range(16, 20)]  # being read, meanwhile
    assert next(epoch)[1].tolist() == [*range(16, 20)] and list(epoch) == []
    assert len(read) == 2


def test_training_streams_and_scores_as_ever(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the scores read from, and whatever is free when it is resumed."""
    folder = save(**bundled())
    common = [f"--data.path={folder}", f"--runs-dir={folder.parent / 'runs'}", "--device=cpu"]
    train = ["train", *common, "--batch-size=64", *NARROW_FLAGS]
    assert main([*train, "--epochs=2", "--data.resident=no"]) == 0
    assert "read from the files batch by batch" in capsys.readouterr().out
    run = newest(folder.parent)
    assert main(["evaluate", str(run), "--device=cpu"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((run / "evaluation.json").read_text())
    assert main([*train, f"--resume={run}", "--epochs=3"]) == 0
    assert "read from the files batch by batch" in capsys.readouterr().out
    assert main([*train, "--fast-dev-run", "--data.resident=no"]) == 0


def test_the_next_batch_is_read_while_this_one_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    read, begun, done = Rows.__getitem__, [], []

    def watched(rows: Rows, index: int | slice | np.ndarray) -> np.ndarray:
        begun.append(time.perf_counter())
        return read(rows, index)

    monkeypatch.setattr(Rows, "__getitem__", watched)
    dataset = ArrayDataset(Rows(np.zeros((24, 3))), np.zeros(24))
    for _ in Batches(dataset, batch_size=8, device=torch.device("cpu")).epoch():
        time.sleep(0.2)
        done.append(time.perf_counter())
    assert len(begun) == 3 and begun[1] < done[0] < begun[2] < done[1]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_batches_come_in_time_from_a_slow_disk(
    save: Save, settings: Settings, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    """On a GPU, while the step is recorded, too."""
    read = Rows.__getitem__

    def slow(rows: Rows, index: int | slice | np.ndarray) -> np.ndarray:
        time.sleep(0.01)
        return read(rows, index)

    monkeypatch.setattr(Rows, "__getitem__", slow)
    streamed = replace(settings.data, path=save(**bundled()), resident="no")
    with build(replace(settings, device=device, batch_size=9, data=streamed)) as trainer:
        trainer.train_batches.batches_per_gather = 2  # not all of them at once
        assert trainer.fit() == ("finished", "2 epochs")
        assert bool(getattr(trainer.step, "recordings", {})) == (device == "cuda")


@needs_gpu
def test_who_asks_for_a_batch_does_not_wait_for_the_gpu() -> None:
    gpu, samples = torch.device("cuda"), np.arange(3 * 2**16, dtype=np.float32).reshape(24, 2**13)
    batches = Batches(ArrayDataset(Rows(samples), np.arange(24)), batch_size=8, device=gpu).epoch()
    next(batches)
    matrix, computed = torch.randn(2**13, 2**13, device=gpu), torch.cuda.Event()
    torch.cuda.synchronize()
    for _ in range(30):
        matrix = matrix @ matrix
    computed.record()
    x, y = next(batches)
    assert not computed.query()
    assert np.array_equal(x.cpu(), samples[8:16]) and y.tolist() == [*range(8, 16)]
    assert np.array_equal(next(batches)[0].cpu(), samples[16:])


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i2", "f4"])
def test_what_becomes_wider_in_memory_is_counted_so(tmp_path: Path, dtype: str) -> None:
    """Before the arrays of an .npz are read."""
    array = np.ones((100, 1, 4, 4), dtype)
    np.save(tmp_path / "x.npy", array)
    with (tmp_path / "x.npy").open("rb") as file:
        in_file, in_memory = read_header(file, (tmp_path / "x.npy").stat().st_size, "in x")
    wider = to_tensor(array).nbytes - array.nbytes  # is there beside the array
    assert (in_file, in_memory) == (array.nbytes, array.nbytes + (to_tensor(array).nbytes if wider else 0))


@pytest.mark.parametrize(("dtype", "fits"), [("u1", True), ("u2", False), (">u2", False), ("i2", True), ("u8", True)])
def test_what_becomes_too_wide_in_memory_stays_in_its_files(
    save: Save, monkeypatch: pytest.MonkeyPatch, dtype: str, fits: bool
) -> None:
    x = np.ones((100, 1, 4, 4), dtype)
    folder = save(x=x, y=np.arange(100) % 2)
    monkeypatch.setattr("{{ cookiecutter.__package }}.arrays.free_memory", lambda: 3 * x.nbytes)
    assert is_resident(ArrayFile(folder), DataSettings(path=folder)) == fits


def test_what_does_not_fit_stays_in_its_files(save: Save, tmp_path: Path) -> None:
    """A file with holes takes no room on the disk."""
    folder = save(y=np.arange(2**18) % 2)
    np.lib.format.open_memmap(folder / "x.npy", mode="w+", dtype=np.uint8, shape=(2**18, 2**10, 2**10)).flush()
    assert not is_resident(ArrayFile(folder), DataSettings(path=folder))
    with pytest.raises(DataError, match=r"needs 256.0 GiB of memory, and .* --data.resident no reads it batch by"):
        is_resident(ArrayFile(folder), DataSettings(path=folder, resident="yes"))
    np.savez(tmp_path / "mine.npz", x=np.ones(5), y=np.ones(5))
    with pytest.raises(DataError, match=r"--data.resident is no, but an .npz .*; save its arrays with np.save, into a"):
        load_splits(ArrayFile(tmp_path / "mine.npz"), DataSettings(path=tmp_path / "mine.npz", resident="no"))


@pytest.mark.parametrize("what", ["x", "y"])
def test_data_that_changes_while_it_is_read_is_noticed(save: Save, start: Command, what: str) -> None:
    """Or that is gone: targets are read once."""
    folder = save(**bundled())
    process = start("train", f"--data.path={folder}", "--data.resident=no", "--epochs=20", "--patience=0")
    wait_for(process, "epoch  1/20")
    if what == "x":
        x = np.load(folder / "x.npy", mmap_mode="r+")
        x[:] = x[::-1].copy()
        x.flush()
    else:
        shutil.rmtree(folder)
    _, errors = process.communicate()
    assert process.returncode == 5 and errors.startswith("error: the data has changed since the run began; ")
    assert not list(folder.parent.rglob("evaluation.json"))
