"""Every setting, with the reason for its default; they make the command line: `--lr 0.01`, `--data.path mine.npz`."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Optional

from .data_config import AugmentSettings, DataSettings
from .errors import require


#: include "models/" ~ cookiecutter.model ~ "/settings.py"


#: include "tasks/" ~ cookiecutter.task ~ "/settings.py"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that defines an experiment; config.yaml in the run directory holds exactly this."""

    name: str = "{{ cookiecutter.project_slug }}"
    """Runs of one name share a folder and are compared side by side."""
    runs_dir: Path = Path("runs")
    """Where run directories go; show them all with `tensorboard --logdir runs`."""
    epochs: int = 60
    """At most this many passes over the training split; the learning rate falls to zero over them."""
    batch_size: Optional[int] = None
    """Samples per step: larger is faster, smaller learns more per epoch. Left out: 64, or less where there are few."""
    lr: float = {{ cookiecutter.__lr }}
    """The learning rate at the start, the first number to tune: try three times more and three times less."""
    weight_decay: float = 0.05
    """How strongly AdamW pulls weights towards zero; more of it against overfitting."""
    patience: int = 20
    """Stop after this many epochs without improvement; 0 never stops early."""
    checkpoint_every: str = "epoch"
    """Save within long epochs, too: every 500 steps (`500`), every ten minutes (`10min`). `epoch`: only at its end."""
    clip_norm: float = 0.0
    """Shorten gradients whose norm is larger than this, for training that jumps or diverges; 0 leaves them."""
    accumulate: int = 1
    """Compute each batch in this many parts: the same step in less memory (batch norm looks at each part by itself)."""
    compile: bool = False
    """Let torch.compile write code for this model: a minute or more at the start, often faster on GPUs."""
    cuda_graph: bool = True
    """Record a step on the GPU and replay it, for speed; --no-cuda-graph if the model decides anything in Python."""
    monitor: str = "val_loss"
    """What is watched for the best checkpoint and for patience: val_loss, or val_ and a metric of the task."""
    init_from: Optional[Path] = None
    """A run whose best weights to start from (fine-tuning); those that do not fit here stay random, and are named."""
    seed: int = 0
    """Decides initial weights, order of batches and dropout: the same seed gives the same run."""
    device: str = "auto"
    """auto (a GPU if there is one), cpu, cuda, cuda:1 or mps."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Format of numbers in the forward pass. `auto`: to train on newer GPUs, bf16; else fp32 (TF32 on GPUs)."""
    deterministic: bool = False
    """Make CUDA bit-reproducible too, which costs some speed. Training on one kind of CPU always is."""
    data: DataSettings = field(default_factory=DataSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    task: TaskSettings = field(default_factory=TaskSettings)

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("accumulate", 1), ("patience", 0), ("seed", 0)):
            value = getattr(self, name)
            require(value is None or least <= value < 2**31, name, value, f"{least} to 2**31 - 1")
        require(0 <= self.weight_decay < math.inf, "weight_decay", self.weight_decay, "0 or more, and finite")
        require(0 < self.lr < math.inf, "lr", self.lr, "above 0, and finite")
        require(0 <= self.clip_norm < math.inf, "clip_norm", self.clip_norm, "0 or more, and finite")
        wrong = re.search(r"^~|[\0\ud800-\udfff]", str(self.runs_dir))
        require(not wrong, "runs_dir", self.runs_dir, "a path without NUL, and without ~: write the folder out")
        rule = "epoch, a number of steps such as 500, or of minutes such as 10min"
        every = re.fullmatch(r"epoch|0*[1-9]\d{0,8}|(?=.*[1-9])\d{1,6}(\.\d{1,6})?min", self.checkpoint_every)
        require(bool(every), "checkpoint_every", self.checkpoint_every, rule)
        rule = "1 to 100 letters (85 Chinese ones), digits, '.', '_' and '-', the first one a letter or digit"
        fits = re.fullmatch(r"[^\W_][\w.-]{,99}", self.name) and len(self.name.encode()) <= 255  # as file systems count
        require(bool(fits), "name", self.name, rule)
