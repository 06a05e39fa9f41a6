"""A disk that fails once, at any time of a run, costs nothing: the command says so, and resumed, ends with the bits."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.reliability.harness import final, run_folder, same

from .conftest import Render, environment, run

CC = os.environ.get("CC", "cc")
pytestmark = pytest.mark.skipif(sys.platform != "linux" or not shutil.which(CC), reason="needs Linux and a C compiler")
# Stands before the C library, whose `fsync` and `rename` it calls, but for one of them.
FAILS_ONCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

static int fails(void) {
    static int calls = 0;
    if (__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) != atoi(getenv("FAILS_AT")))
        return 0;
    errno = EIO;
    return 1;
}
int fsync(int file) {
    return fails() ? -1 : ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
}
int rename(const char *from, const char *to) {
    return fails() ? -1 : ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}
"""
FLAGS = (
    "--epochs=4",
    "--patience=0",
    "--checkpoint-every=10",
)  # of 20 steps an epoch: half of the saves are not the best
FIRST, LAST = 12, 70  # calls: those before belong to a run that has not begun, those after to nobody
ON_PUSH = {14, 21, 22, 23, 33}  # among them those of the first best checkpoint, of which the last one tells


@pytest.fixture(scope="module")
def project(render: Render, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An mlp, a run of it that was left alone, and the library that fails."""
    project = render(model="mlp")
    run(project, "train", "--name=whole", *FLAGS)
    (project / "fails.c").write_text(FAILS_ONCE)
    subprocess.run([CC, "-shared", "-fPIC", "-o", "fails.so", "fails.c", "-ldl"], cwd=project, check=True)
    return project


@pytest.mark.parametrize(
    "call", [pytest.param(call, marks=() if call in ON_PUSH else pytest.mark.matrix) for call in range(FIRST, LAST)]
)
def test_one_failure_is_said_and_changes_nothing(project: Path, call: int) -> None:
    name = f"failed-{call}"
    failing = environment(project, LD_PRELOAD=str(project / "fails.so"), FAILS_AT=str(call))
    _, errors = run(project, "train", f"--name={name}", *FLAGS, code=4, env=failing)
    assert "Input/output error" in errors.splitlines()[-1] and "Traceback" not in errors
    run(project, "train", "--resume=auto", f"--name={name}", *FLAGS)
    assert same(final(run_folder(project, name)), final(run_folder(project, "whole")))
