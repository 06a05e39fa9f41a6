"""Devices are the ones that were asked for; random states come back exactly."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from {{ cookiecutter.__package }} import device
from {{ cookiecutter.__package }}.checkpoint import load_checkpoint, serialize, write_checkpoint
from {{ cookiecutter.__package }}.device import (
    choose_device,
    choose_precision,
    prepare,
    random_states,
    require_working,
    restore_random_states,
    seed_everything,
)
from {{ cookiecutter.__package }}.errors import ConfigError

from .conftest import Run


def draw() -> list[float]:
    return [random.random(), np.random.random(), torch.rand(()).item()]


@pytest.mark.skipif(os.name != "posix", reason="puts a shell script in place of the driver's tool")
def test_a_card_that_torch_cannot_use_is_named(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this build is, it is taken for one that knows CPUs only."""
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\ntest "$1" = --query-gpu=name && echo "NVIDIA Some Card"\n')
    tool.chmod(0o755)
    code, output, errors = run("train", "--device=auto", "--epochs=1")
    assert code == 0, errors
    card = f"the NVIDIA Some Card is idle, since torch {torch.__version__} cannot use it; a build that can: https://"
    assert card in output
    code, _, errors = run("train", "--device=cuda")
    assert code == 2 and errors.startswith("error: --device cuda is not available; on this machine with torch ")
    assert "; this build of torch has no CUDA; those that have are at https://pytorch.org/" in errors


def test_random_states_come_back_from_a_checkpoint(tmp_path) -> None:
    seed_everything(3, deterministic=False)
    draw()
    write_checkpoint(serialize(random_states()), tmp_path / "random.pt")
    expected = draw()
    draw()
    restore_random_states(load_checkpoint(tmp_path / "random.pt"))
    assert draw() == expected


def test_a_seed_decides_everything() -> None:
    numbers = []
    for seed in (0, 0, 1):
        seed_everything(seed, deterministic=False)
        numbers.append(draw())
    assert numbers[0] == numbers[1] != numbers[2]


@pytest.mark.parametrize("name", ["cuda:99", "cpu:1", "gpu", "meta"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"--device {name} is not available; .*; choose one of: auto, .*cpu"):
        choose_device(name)


def test_one_gpu_is_not_given_to_all_processes_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "any")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"--device cuda:0 would be shared by all .*; say --device cuda: each"):
        choose_device("cuda:0")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine can use its GPU")
def test_a_device_that_torch_cannot_use_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--device cuda:0 cannot be used \(.+\); on .*; install the build of"):
        require_working("cuda:0")


def test_what_is_deterministic_ends_with_the_next_seed() -> None:
    for deterministic in (True, False):
        seed_everything(0, deterministic=deterministic)
        assert torch.are_deterministic_algorithms_enabled() == deterministic
        assert torch.backends.cudnn.benchmark != deterministic


def test_what_libraries_read_when_they_start_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    seed_everything(0, deterministic=False)
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    seed_everything(0, deterministic=True)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    seed_everything(0, deterministic=False)


def test_gpus_multiply_in_tf32_and_cpus_do_not() -> None:
    for name, how in (("cuda", "high"), ("cpu", "highest")):
        assert choose_precision("fp32", torch.device(name)) == torch.float32
        assert torch.get_float32_matmul_precision() == how


def test_each_device_is_tried_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    monkeypatch.setattr(device, "require_working", tried.append)
    assert choose_device("cpu") == torch.device("cpu") and tried == ["cpu"]


def test_freed_memory_is_kept_for_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(device, "keep_freed", lambda: calls.append("kept"))
    prepare(torch.nn.Linear(2, 2), torch.device("cpu"))
    assert calls == ["kept"]


def test_auto_takes_the_gpu_if_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device("auto").type == expected
    assert choose_device("cpu").type == "cpu"


def test_precision_on_the_cpu_is_full_unless_asked_for() -> None:
    cpu = torch.device("cpu")
    assert choose_precision("auto", cpu) == torch.float32
    assert choose_precision("bf16", cpu) == torch.bfloat16


@pytest.mark.parametrize("channels", [1, 3])
def test_images_and_volumes_have_their_channels_last(channels: int) -> None:
    for convolution, sides, layout in (
        (torch.nn.Conv2d, (8, 8), torch.channels_last),
        (torch.nn.Conv3d, (8, 8, 8), torch.channels_last_3d),
    ):
        model = prepare(convolution(channels, 4, kernel_size=3), torch.device("cpu"))
        output = model(torch.zeros(2, channels, *sides))
        assert output.is_contiguous(memory_format=layout)
