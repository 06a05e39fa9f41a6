"""A progress bar for whatever takes longer than a person likes to wait without one."""

from typing import Any

from tqdm import tqdm

from .torchrun import is_follower


def progress(total: int, what: str, *, unit: str, done: int = 0, delay: float = 0.5, over: Any = None) -> "tqdm[Any]":
    """Return a bar, shown after a while, on a terminal (`disable=None`), by one process; or it is iterated `over`."""
    numbers: dict[str, Any] = {"total": total, "initial": done, "unit": unit, "unit_scale": unit == "B"}
    return tqdm(over, desc=what, **numbers, delay=delay, leave=False, dynamic_ncols=True, disable=is_follower() or None)
