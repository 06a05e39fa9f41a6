"""How much memory may still be taken, with the limits of a job or a container; and what is freed, is kept."""

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from .errors import DataError
from .torchrun import told

MEMBERSHIP, CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
# Where a control group of Linux tells its limit, what is used, and which part of that only keeps files at hand.
VERSIONS = [
    ("memory.max", "memory.current", ("active_file", "inactive_file")),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_active_file", "total_inactive_file")),
]

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # as glibc numbers them: mallopt(3)


def keep_freed() -> None:
    """Keep freed memory for the next step, which needs as much: the peak is up to half higher.

    glibc gives large blocks back to Linux, which fills new ones with zeros: up to half of the time of a step on images.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):  # other libraries do not have it
        libc.mallopt(M_TRIM_THRESHOLD, -1)
        libc.mallopt(M_MMAP_MAX, 0)


def check_memory(nbytes: int, where: str, fix: str = "use fewer samples, or a smaller type such as uint8") -> None:
    """Raise DataError unless so many bytes can be had, before they are taken: too many would end the process."""
    if nbytes > (free := free_memory()):
        raise DataError(f"it needs {nbytes / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} are free", where, fix)


def free_memory() -> int:
    """Return how many bytes this process may still take: its share, if torchrun has started others on this machine."""
    return max(0, min([psutil.virtual_memory().available, *left_by_limits()])) // told("LOCAL_WORLD_SIZE", alone=1)


def left_by_limits() -> Iterator[int]:
    """Yield what is left by each limit that a cluster's job or a container has; there may be several, or none."""
    try:
        lines = MEMBERSHIP.read_text(errors="replace").splitlines()
    except OSError:  # not Linux
        return
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers in ("", "memory"):  # version 2 of control groups, or version 1
            root = CGROUPS / controllers
            group = root / path.strip("/")  # a container sees the root only, with its limit
            for each in [group, *group.parents]:  # the limit of a group holds for all groups in it
                if each.is_relative_to(root):
                    yield from left_in(each)


def left_in(group: Path) -> Iterator[int]:
    """Yield how many bytes the limit of a control group leaves, if it has one."""
    for limit, used, files in VERSIONS:
        try:
            most, taken = (int((group / name).read_text()) for name in (limit, used))
            numbers = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            yield most - taken + sum(int(numbers[name]) for name in files)
        except (OSError, ValueError, KeyError):  # no such file, or "max"
            continue
