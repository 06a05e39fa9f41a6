"""Devices are the ones that were asked for; random states come back exactly."""

import random

import numpy as np
import pytest
import torch

from {{ cookiecutter.__package }}.checkpoint import load_checkpoint, save_checkpoint
from {{ cookiecutter.__package }}.device import (
    choose_device,
    choose_precision,
    random_states,
    restore_random_states,
    seed_everything,
)
from {{ cookiecutter.__package }}.errors import ConfigError


def draw() -> list[float]:
    return [random.random(), np.random.random(), torch.rand(()).item()]


def test_random_states_come_back_from_a_checkpoint(tmp_path) -> None:
    seed_everything(3, deterministic=False)
    draw()
    save_checkpoint(random_states(), tmp_path / "random.pt")
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


def test_auto_takes_the_gpu_if_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device("auto").type == expected
    assert choose_device("cpu").type == "cpu"


def test_precision_on_the_cpu_is_full_unless_asked_for() -> None:
    cpu = torch.device("cpu")
    assert choose_precision("auto", cpu) == torch.float32
    assert choose_precision("bf16", cpu) == torch.bfloat16
