"""Where and how to compute: device, precision, seeds, random states."""

import os
import random
import shutil
import sys
from typing import Any

import numpy as np
import torch
from torch import nn

from .errors import ConfigError, OutOfMemoryError, out_of_memory
from .memory import keep_freed
from .torchrun import by_torchrun, told


def choose_device(name: str) -> torch.device:
    """Return the device for `auto`, `cpu`, `cuda`, `cuda:1`, `mps`; never another one than was asked for.

    For `cuda`, each process that torchrun starts on a machine has a GPU of its own. Raises ConfigError if this machine
    does not have it, or cannot use it.
    """
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() and told("LOCAL_WORLD_SIZE", alone=1) == 1 else []
    available = [*(["cuda"] if cuda else []), *cuda, *mps, "cpu"]
    name = available[0] if name == "auto" else name
    if name.startswith("cuda:") and told("LOCAL_WORLD_SIZE", alone=1) > 1:
        what = f"--device {name} would be shared by all processes of torchrun"
        raise ConfigError(what, "on this machine", "say --device cuda: each of them gets a GPU of its own")
    if name == "cuda" and by_torchrun():
        name = f"cuda:{told('LOCAL_RANK', alone=0)}"
    if name not in available:
        where = f"on this machine with torch {torch.__version__}"
        fix = f"choose one of: auto, {', '.join(available)}"
        if name.startswith("cuda") and not (torch.version.cuda or torch.version.hip):
            fix += "; this build of torch has no CUDA; those that have are at https://pytorch.org/get-started/locally"
        raise ConfigError(f"--device {name} is not available", where, fix)
    require_working(name)
    if name.startswith("cuda:"):
        torch.cuda.set_device(name)  # streams and graphs are made there, too
    return torch.device(name)


def require_working(name: str) -> None:
    """Raise ConfigError if torch cannot use the device, whose driver may be too old; OutOfMemoryError if it is full."""
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        if what := out_of_memory(error):
            raise OutOfMemoryError(what, f"on {name}", "look who uses it (nvidia-smi), or try another") from error
        what = f"--device {name} cannot be used ({str(error).partition(chr(10))[0]})"
        fix = "install the build of torch for its driver (https://pytorch.org/get-started/locally), or try --device cpu"
        raise ConfigError(what, f"on this machine with torch {torch.__version__}", fix) from error


def name_of(device: torch.device) -> str:
    """Return what people call the device."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the number format of the forward pass for `auto`, `fp32`, `bf16`, `fp16`, and set how fp32 is multiplied.

    NVIDIA's GPUs multiply numbers of fp32 as TF32, with 10 bits instead of 23, and add them up in fp32.
    """
    torch.set_float32_matmul_precision("high" if device.type == "cuda" else "highest")
    if name == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if fast else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]


def require_compiler() -> None:
    """Raise ConfigError if the C++ compiler that torch.compile calls is not there."""
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    if not shutil.which(name := os.environ.get("CXX", usual)):
        raise ConfigError(f"--compile needs a C++ compiler, and there is no {name}", "on this machine", "install one")


def seed_everything(seed: int, *, deterministic: bool) -> None:
    """Seed Python, NumPy and torch; with `deterministic`, torch refuses operations that are not reproducible."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = not deterministic  # it looks for the fastest convolution, which may vary
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by cuBLAS when it starts
    if deterministic != torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(deterministic)


def generator(*seeds: int, device: str | torch.device = "cpu") -> torch.Generator:
    """Return a generator that always draws the same numbers from the same seeds, on the same kind of device."""
    (mixed,) = np.random.SeedSequence(seeds).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(mixed) % 2**63)


def prepare(model: nn.Module, device: torch.device) -> nn.Module:
    """Move the model to the device, its convolutions to channels last, and have freed memory kept for the next step.

    For images and volumes, that layout is the fastest one, on CPU and GPU alike.
    """
    keep_freed()
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for weight in model.to(device).parameters():
        if weight.ndim in formats:  # not `contiguous`: it would leave the weights of a single channel as they are
            weight.data = weight.data.to(memory_format=formats[weight.ndim])
    return model


def random_states() -> dict[str, Any]:
    """Return the states of all random generators, as a checkpoint can hold them."""
    version, words, gauss = random.getstate()
    name, numpy_words, *rest = list[Any](np.random.get_state())
    return {
        "python": [version, torch.tensor(words), gauss],  # as 625 numbers, they would take as long as all the weights
        "numpy": [name, torch.from_numpy(numpy_words.astype(np.int64)), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,  # of the GPU that is used
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Put all random generators where `random_states` found them."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    name, words, *rest = states["numpy"]
    np.random.set_state((name, words.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
