"""What torchrun tells the processes that it starts. One that it has not started is alone, whatever its environment."""

import os


def by_torchrun() -> bool:
    """Return whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def told(name: str, *, alone: int) -> int:
    """Return the number that torchrun gives this process under a name; or the one of a process that is `alone`."""
    return int(os.environ.get(name, alone)) if by_torchrun() else alone


def has_partners() -> bool:
    """Return whether it has started others, too."""
    return told("WORLD_SIZE", alone=1) > 1


def is_follower() -> bool:
    """Return whether one of them, and not this process, writes and speaks for all."""
    return told("RANK", alone=0) > 0
