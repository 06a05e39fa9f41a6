"""Free memory is what the machine has free and what the limits of control groups leave, whichever is less."""

import platform
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from {{ cookiecutter.__package }} import memory
from {{ cookiecutter.__package }}.errors import DataError

GIB = 2**30


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of control groups, of which this process is in /job/task; the folders are there, and no limits yet."""
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8 * GIB))
    (tmp_path / "membership").write_text("4:cpu,cpuacct:/job\n0::/job/task\n")
    (tmp_path / "job/task").mkdir(parents=True)
    return tmp_path


def limit(folder: Path, most: str, used: int, *files: int, version: int = 2) -> None:
    limit_name, used_name, file_names = memory.VERSIONS[2 - version]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / limit_name).write_text(f"{most}\n")
    (folder / used_name).write_text(f"{used}\n")
    numbers = zip(file_names, files or (0, 0), strict=True)
    (folder / "memory.stat").write_text("cache 1\n" + "".join(f"{name} {number}\n" for name, number in numbers))


def test_without_limits_it_is_that_of_the_machine(group: Path) -> None:
    limit(group / "job/task", "max", 5)
    assert memory.free_memory() == 8 * GIB


def test_files_that_were_read_count_as_free(group: Path) -> None:
    limit(group / "job/task", str(4 * GIB), 3 * GIB, GIB, GIB // 2)
    assert memory.free_memory() == 2.5 * GIB


def test_the_limit_of_a_whole_job_counts_too(group: Path) -> None:
    limit(group / "job/task", str(4 * GIB), 0)
    limit(group / "job", str(3 * GIB), 1 * GIB)
    assert memory.free_memory() == 2 * GIB


def test_a_container_sees_its_own_group_as_the_root(group: Path) -> None:
    (group / "membership").write_text("0::/of/the/host\n")
    limit(group, str(2 * GIB), 1 * GIB)
    assert memory.free_memory() == 1 * GIB


def test_version_1_keeps_them_elsewhere(group: Path) -> None:
    (group / "membership").write_text("4:memory:/slurm/job\n3:cpuset:/\n")
    limit(group / "memory/slurm", str(2**63 - 4096), 3 * GIB, version=1)
    assert memory.free_memory() == 8 * GIB
    limit(group / "memory/slurm/job", str(2 * GIB), 3 * GIB, version=1)
    assert memory.free_memory() == 0
    with pytest.raises(DataError, match=r"it needs 1.0 GiB of memory, and 0.0 are free; in x.npy; use fewer samples"):
        memory.check_memory(GIB, "in x.npy")


def test_processes_on_one_machine_share_it(group: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a copy of the data: that all of them find it small enough must not end them all."""
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")  # as torchrun says
    assert memory.free_memory() == 8 * GIB  # but did it start this one?
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "mine")
    assert memory.free_memory() == 2 * GIB


def test_other_systems_have_none(group: Path) -> None:
    (group / "membership").unlink()
    assert memory.free_memory() == 8 * GIB


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library decides itself what it keeps")
def test_freed_memory_is_kept_for_the_next_step() -> None:
    """What Linux would have to give again, in pages of 4 KiB, would be counted as faults."""
    import resource

    memory.keep_freed()
    faults = []
    for _ in range(60):  # in the first ones, what is kept may not lie side by side; other tests' threads may take some
        torch.ones(2**24)  # 64 MiB
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    assert min(after - before for before, after in zip(faults, faults[10:], strict=False)) < 2**14  # pages of one
