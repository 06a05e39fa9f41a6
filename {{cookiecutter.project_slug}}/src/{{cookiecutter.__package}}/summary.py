"""What is going to be trained, for people."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import torch

from .data import gives_batches
from .device import name_of
from .experiment import Experiment
from .stream import Stream
from .weights import left_out


def summarize(experiment: Experiment) -> Iterator[str]:
    """Yield lines about data, task, model and device."""
    settings, shape, used = experiment.settings, experiment.data.sample_shape, experiment.input_shape
    sizes = ", ".join(f"{size:,} {name}" for name, size in experiment.data.sizes.items())
    why = ", the least that the model takes" if settings.data.resize == "none" else ""
    resized = f", resized to {used}{why}" if used != shape else ""
    yield f"data    {settings.data.path}: {sizes}; a sample is {shape}{resized}"
    if experiment.data.has_groups:
        yield f"        cut so that samples that are equal in {settings.data.groups!r} stay together"
    train = experiment.data.splits["train"]
    if not experiment.data.resident and gives_batches(train):
        yield "        read from the files batch by batch: neighbours stay near each other in the order of an epoch"
    for doubt in experiment.data.doubts:
        yield f"        {doubt}"
    if not experiment.data.exact:
        yield "        drawn by a generator of their own, not by a global one: if resumed, the run ends with other bits"
    yield f"task    {experiment.data.targets.describe()}"
    parameters = sum(weight.numel() for weight in experiment.model.parameters())
    yield f"model   {type(experiment.model).__name__} with {parameters:,} parameters"
    if lost := ", ".join(left_out(experiment.model)):
        yield f"        {lost}: not in the checkpoints, so not as trained when scored; use a buffer or nn.ModuleList"
    threads, processes = torch.get_num_threads(), experiment.workers.size
    team = f"{processes} processes of " * (processes > 1) + f"{threads} thread{'s' * (threads > 1)}"
    precision = str(experiment.precision).removeprefix("torch.")
    yield f"device  {name_of(experiment.device)}, {precision}, {team}, batches of {experiment.data.batch_size}"
    if settings.device == "auto" and (card := unused_card()):
        fix = "a build that can: https://pytorch.org/get-started/locally"
        yield f"        the {card} is idle, since torch {torch.__version__} cannot use it; {fix}"
    if settings.init_from and not experiment.checkpoint:
        yield f"init    {settings.init_from}; weights that start anew: {', '.join(experiment.not_loaded) or 'none'}"
    if experiment.data.resident and isinstance(getattr(train, "x", None), Stream):
        yield "        the samples stay in the memory of the host, since the GPU has no room for them (slower)"
    if not gives_batches(train):
        yield f"loader  a DataLoader reads {type(train).__name__} sample by sample (slower)"


def unused_card() -> str | None:
    """Return the name of an NVIDIA card that this build of torch cannot use, if the driver knows of one."""
    if torch.version.cuda or torch.version.hip or not shutil.which("nvidia-smi"):
        return None
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    with suppress(subprocess.SubprocessError, IndexError):  # the driver hangs or fails, or knows of none
        return subprocess.check_output(command, stderr=subprocess.DEVNULL, text=True, timeout=10).splitlines()[0]
    return None
