"""A progress bar for whatever takes longer than a person likes to wait without one."""

import sys
from typing import Any

from tqdm import tqdm

from .torchrun import is_follower


def progress(total: int, what: str, *, unit: str, done: int = 0, delay: float = 0.5, over: Any = None) -> "tqdm[Any]":
    """Return a bar, shown after a while, on a terminal, for one process, that leaves nothing; or is iterated `over`."""
    hidden = None if sys.stderr and not is_follower() else True  # None: shown on a terminal only
    numbers: dict[str, Any] = {"total": total, "initial": done, "unit": unit, "unit_scale": unit == "B"}
    return tqdm(over, desc=what, **numbers, delay=delay, leave=False, dynamic_ncols=True, disable=hidden)
