"""Several processes train as one does; alone, nothing changes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from {{ cookiecutter.__package }}.workers import Workers

CPU = torch.device("cpu")


def test_alone_everything_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "mine")  # as torchrun starts a single process
    monkeypatch.setenv("WORLD_SIZE", "1")
    workers, model = Workers(CPU), nn.Linear(2, 2)
    model(torch.ones(1, 2)).sum().backward()
    gradient = model.weight.grad
    assert gradient is not None
    before = gradient.clone()
    workers.add_gradients(model, 1.0)
    assert torch.equal(gradient, before)
    assert workers.leads and workers.share(5) == slice(0, 5) and workers.collect("a") == ["a"]
    assert [workers.ask_all(number) for number in (None, 15)] == [None, 15]


def test_shares_make_up_the_batch() -> None:
    for size in (2, 3, 7):
        taken: list[int] = []
        for rank in range(size):
            workers = Workers(CPU)
            workers.rank, workers.size = rank, size
            taken += range(10)[workers.share(10)]
        assert taken == list(range(10))


def test_two_processes_train_and_one_of_them_writes(tmp_path: Path, small: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "--", "{{ cookiecutter.__package }}"]
    flags = ["--data.path=small.npz", "--device=cpu", "--epochs=2", "--batch-size=25"]  # which leaves a batch of one
    flags += ["--monitor=val_loss"]  # torchrun has a --monitor-interval
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [*command, "train", *flags], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("epoch 2/2") == 1 and "2 processes" in result.stdout
    (run,) = (tmp_path / "runs").glob("*/*")
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2 and len(list(run.glob("events*"))) == 1
    assert json.loads((run / "status.json").read_text())["state"] == "finished"


def test_batches_are_shared_gradients_added_up_statistics_averaged_and_frozen_weights_left_out(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("""
import numpy as np
import torch
from torch import nn
from {{ cookiecutter.__package }}.batches import Batches
from {{ cookiecutter.__package }}.data import ArrayDataset
from {{ cookiecutter.__package }}.workers import Workers

workers = Workers(torch.device("cpu"))
model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.BatchNorm1d(1, affine=False), nn.Linear(1, 1))
model[2].requires_grad_(False)
mask = torch.tensor([0.1, 1 / 3, -float("inf")])  # which nobody trains
model.register_buffer("mask", mask.clone())
model[1].running_mean.fill_(4.0 + 4 * workers.rank)
if workers.leads:
    model[0].weight.grad = torch.tensor([[1.0, 2.0]])
workers.add_gradients(model, [0.75, 0.25][workers.rank])
assert model[0].weight.grad.tolist() == [[1, 2]] and model[1].running_mean.tolist() == [5]
assert model[2].weight.grad is None and model[1].num_batches_tracked == 0
model[1].running_mean.fill_(4.0 + 4 * workers.rank)
workers.add_gradients(model, [1.0, 0.0][workers.rank])  # the other one has no sample
assert model[1].running_mean.tolist() == [4]
used, shared, unused = (nn.Linear(1, 1) for _ in range(3))
used.weight.grad, used.bias.grad = torch.ones(1, 1), torch.ones(1)
if workers.leads:  # the other one has decided otherwise
    shared.weight.grad = torch.ones(1, 1)
workers.add_gradients(nn.ModuleList([used, shared, unused]), 0.5)
assert used.weight.grad == 2 and shared.weight.grad == 1 and shared.bias.grad is unused.weight.grad is None
for step in range(100):
    workers.add_gradients(model, [12 / 25, 13 / 25][workers.rank])
assert model.mask.equal(mask)
assert workers.gather(torch.tensor([workers.rank] * (1 + workers.rank)), 3).tolist() == [0, 1, 1]
dataset = ArrayDataset(np.arange(71.0)[:, None], np.arange(71))  # the last batch is of one sample
how = {"batch_size": 7, "device": torch.device("cpu"), "seed": 3}
whole, shared = Batches(dataset, **how), Batches(dataset, **how, workers=workers)
for (_, y), (_, mine), count in zip(whole.epoch(2, start=4), shared.epoch(2, start=4), shared.sizes[4:], strict=True):
    assert len(mine) < max(2, len(y)) and workers.gather(mine, count).equal(y)
workers.go_on_alone()
""")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
