"""A disk that is really full, a folder that two hosts share, a job that may only take so much memory.

Linux lets root make them, and mounts also whoever may have a namespace of his own; elsewhere the tests are skipped.
"""

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reliability.harness import final, run_folder, same

from .conftest import Render, environment, newest_run, run, start, wait_for

TRAIN = f"{shlex.quote(sys.executable)} -m my_experiment train"
FLAGS = "--device=cpu --epochs=4 --patience=0"
UNSHARE = ["unshare", "--mount", "--uts"]
if getattr(os, "geteuid", lambda: 0)() != 0:
    UNSHARE.append("--map-root-user")
TRY = [*UNSHARE, "sh", "-euc", "mount -t tmpfs none /mnt && hostname another-host"]
MAY_MOUNT = shutil.which("unshare") and subprocess.run(TRY, capture_output=True).returncode == 0
mounts = pytest.mark.skipif(not MAY_MOUNT, reason="nothing can be mounted here, or no host be named")


def shell(project: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script that sees mounts and a host name of its own."""
    command = [*UNSHARE, "sh", "-euc", script]
    return subprocess.run(command, cwd=project, env=environment(project), capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def trained(render: Render) -> Path:
    """A project with a run of the name `whole`, that nobody disturbed."""
    project = render(model="mlp")
    run(project, "train", "--name=whole", *FLAGS.split())
    return project


@mounts
@pytest.mark.parametrize("room", [0, 0.5, 1.5, 2.5, 3.5])
def test_a_full_disk_costs_nothing_that_was_saved(trained: Path, room: float) -> None:
    """The disk holds so many checkpoints. From three on, the oldest one makes room for each new one."""
    size = (run_folder(trained, "whole") / "checkpoints/last.pt").stat().st_size
    blocks = int((room * size + 2**17) // 2**12)  # and 128 KiB for all else that a run writes
    name = f"full-{room}"
    result = shell(
        trained,
        f"""
        mkdir -p small
        mount -t tmpfs -o size={blocks * 4}k none small
        code=0
        {TRAIN} --runs-dir=small --name={name} {FLAGS} || code=$?
        echo "code $code"
        cat small/{name}/*/status.json
        mount -o remount,size=64m small
        {TRAIN} --runs-dir=small --name={name} {FLAGS} --resume=auto
        cp -r small/{name} runs
        """,
    )
    assert result.returncode == 0, result.stderr
    if room > 3:
        assert "code 0" in result.stdout and result.stderr == ""
    else:
        last = result.stderr.removesuffix("note: the run had not saved anything: it begins anew\n").splitlines()[-1]
        assert "code 4" in result.stdout and '"exit_code": 4' in result.stdout
        assert last.startswith("error: cannot write ") and f"bytes (No space left on device); small/{name}/" in last
    assert same(final(run_folder(trained, name)), final(run_folder(trained, "whole")))


@mounts
def test_a_run_in_a_shared_folder_is_locked_for_other_hosts(digits: Path) -> None:
    """Another name of the host, and another path of the folder: what a second kernel would do is not shown here."""
    first = start(digits, "train", "--epochs=500", "--patience=0")
    try:
        wait_for(first, "epoch")
        folder = newest_run(digits)
        result = shell(
            digits,
            f"""
            hostname another-host
            mkdir elsewhere
            mount --bind runs elsewhere
            exec {TRAIN} --resume=elsewhere/my-experiment/{folder.name}
            """,
        )
    finally:
        first.kill()
        first.communicate()
    holder = f"error: the run is being trained by process {first.pid} on {platform.node()}; elsewhere/my-experiment/"
    assert result.returncode == 5 and result.stderr.splitlines()[-1].startswith(holder)


@pytest.fixture
def small_job() -> Iterator[Path]:
    """A control group whose processes may take a GiB."""
    for line in Path("/proc/self/cgroup").read_text().splitlines() if sys.platform == "linux" else ():
        _, controllers, path = line.split(":", 2)
        group = Path("/sys/fs/cgroup", controllers, path.strip("/"), f"job-{os.getpid()}")
        limit = group / ("memory.limit_in_bytes" if controllers else "memory.max")
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if limit.exists() and os.access(limit, os.W_OK):
                limit.write_text(str(2**30))
                yield group
                return
        finally:
            group.rmdir()
    pytest.skip("no control group can be made here")


def test_data_that_a_job_may_not_hold_is_refused(digits: Path, small_job: Path) -> None:
    """Though the machine could: the kernel would kill the process, without a word."""
    (digits / "large").mkdir()
    x = np.lib.format.open_memmap(digits / "large/x.npy", "w+", np.uint8, (2**21, 2**10))
    np.save(digits / "large/y.npy", np.arange(len(x)) % 2)
    script = f"echo $$ > {small_job}/cgroup.procs && exec {TRAIN} --data.path=large --data.resident=yes"
    result = subprocess.run(["sh", "-c", script], cwd=digits, env=environment(digits), capture_output=True, text=True)
    assert result.returncode == 2, result.stderr
    assert re.match(r"error: it needs 2.0 GiB of memory, and [01]\.\d are free; ", result.stderr)
    assert not (digits / "runs").exists()
