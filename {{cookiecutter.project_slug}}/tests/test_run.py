"""Run directories are never shared, and always say what became of them."""

import errno
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from {{ cookiecutter.__package }} import capsule
from {{ cookiecutter.__package }} import run as run_module
from {{ cookiecutter.__package }}.capsule import write_capsule
from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.errors import ConfigError, DivergedError, Interrupted, RefusedError, StorageError
from {{ cookiecutter.__package }}.run import Run, read_json, state_of


def test_runs_of_the_same_second_have_directories_of_their_own(settings: Settings) -> None:
    folders = [Run.create(settings).folder for _ in range(50)]
    assert len({*folders}) == 50 and {folder.parent for folder in folders} == {settings.runs_dir / settings.name}


@pytest.mark.skipif(os.name != "posix", reason="elsewhere, folders cannot be flushed")
def test_a_new_run_is_found_after_a_power_cut(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is saved in a folder is lost if the folder is: its own entry must be on the disk, too."""
    flushed, flush = set(), os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (flushed.add(os.fstat(file).st_ino), flush(file)))
    run = Run.create(settings)
    assert flushed >= {folder.stat().st_ino for folder in run.folder.parents[:3]}


def test_folders_that_may_not_be_read_may_be_written(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A teacher's, where each student has a folder."""
    settings.runs_dir.mkdir()
    flush = run_module.sync_folder

    def sync_folder(folder: Path) -> None:
        if folder == settings.runs_dir:
            raise PermissionError(errno.EACCES, "Permission denied")
        flush(folder)

    monkeypatch.setattr(run_module, "sync_folder", sync_folder)
    assert Run.create(settings).folder.exists()


def test_the_newest_run_is_the_last_by_its_name(settings: Settings) -> None:
    """Even if several start within a second, as those of a loop over seeds do."""
    folders = []
    for _ in range(20):
        folders.append(Run.create(settings).folder)
        time.sleep(1e-4)
    assert folders == sorted(folders)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_run_is_never_made_through_a_link(settings: Settings, tmp_path: Path) -> None:
    settings.runs_dir.mkdir()
    (settings.runs_dir / settings.name).symlink_to(tmp_path)
    before = set(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=r"the folder for runs of this name is a link; .*; choose another --name"):
        Run.create(settings)
    assert set(tmp_path.iterdir()) == before


def test_names_in_any_letters_can_be_read_where_they_are_written(settings: Settings) -> None:
    run, content = Run.create(settings), {"f1/\u732b": 1.0, "folder": "caf\udce9"}  # the second is no text
    run.write_json("any.json", content)
    assert read_json(run.folder / "any.json") == content and "f1/\u732b" in (run.folder / "any.json").read_text("utf-8")


def test_a_run_is_locked_while_it_trains(settings: Settings) -> None:
    run = Run.create(settings)
    with run:
        run.begin()
        with pytest.raises(RefusedError, match=r"the run is being trained by process \d+ on .*; wait for it"):
            Run(run.folder, settings).__enter__()
    run.write_json("status.json", {"state": "running", "pid": 1, "host": "gone"})  # as if that one had been killed
    with Run(run.folder, settings) as again:
        with pytest.raises(RefusedError, match=f"by process {os.getpid()} on {platform.node()}; "):  # it has not begun
            Run(run.folder, settings).__enter__()
        again.begin()
        assert read_json(run.folder / "status.json")["state"] == "running"


def test_what_a_killed_process_left_unfinished_is_removed(settings: Settings) -> None:
    with Run.create(settings) as run:
        run.begin()
    run.best.with_name("best.pt.tmp").write_bytes(b"half of a checkpoint")
    with Run(run.folder, settings) as again:
        again.begin()
    assert list(run.best.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (None, "finished", 0),
        (Interrupted(signal.SIGTERM, "what", "where", "fix"), "interrupted", 143),
        (DivergedError("what", "where", "fix"), "diverged", 3),
        (StorageError("what", "where", "fix"), "failed", 4),
        (ValueError("a bug"), "failed", 1),
    ],
)
def test_the_status_says_how_it_ended(settings: Settings, error: Exception | None, state: str, code: int) -> None:
    run = Run.create(settings)
    with suppress(Exception), run:
        run.begin()
        if error:
            raise error
    status = json.loads((run.folder / "status.json").read_text())
    assert (status["state"], status["exit_code"]) == (state, code)
    assert state_of(run.folder) == state


def test_what_ended_the_training_is_said_even_if_the_status_cannot_be_written(settings: Settings) -> None:
    with pytest.raises(DivergedError, match="what; where; fix"), Run.create(settings) as run:
        run.begin()
        shutil.rmtree(run.folder)
        raise DivergedError("what", "where", "fix")
    with pytest.raises(StorageError, match=r"cannot write .* bytes .*status.json"), Run.create(settings) as run:
        run.begin()
        shutil.rmtree(run.folder)


def test_the_names_of_runs_are_in_the_order_of_time_everywhere(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In summer and winter, on a login node and in a container: they are in UTC."""
    if not hasattr(time, "tzset"):
        pytest.skip("only POSIX changes the time zone of a process")
    names = []
    for zone in ("Asia/Tokyo", "UTC", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        names.append(Run.create(settings).folder.name)
    monkeypatch.undo()
    time.tzset()
    times = [datetime.strptime(name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC) for name in names]
    assert times == sorted(times) and times[2] - times[0] < timedelta(minutes=5)


def test_a_run_is_exact_only_if_every_start_of_it_was(settings: Settings) -> None:
    run = Run.create(settings)
    run.last.parent.mkdir()
    run.last.touch()
    starts = [(True, {}), (True, {}), (True, {"data_sha256": "other"}), (True, {})]
    changes = [write_capsule(run, exact=exact, **{"data_sha256": "a", **facts}) for exact, facts in starts]
    assert changes == [[], [], ["data_sha256"], []]
    told = read_json(run.folder / "capsule.json")
    assert not told["exact"] and len(told["starts"]) == 4 and told["data_sha256"] == "a"
    assert [start.get("data_sha256") for start in told["starts"]] == [None, None, "other", None]
    run.write_json("capsule.json", {**told, "cpu": "of another kind", "threads": 99})
    assert write_capsule(run, exact=True, data_sha256="a") == ["threads", "cpu"]
    run.last.unlink()  # nothing is left of what was trained: it begins anew
    assert write_capsule(run, exact=True, data_sha256="b") == []
    told = read_json(run.folder / "capsule.json")
    assert told["exact"] and told["data_sha256"] == "b" and len(told["starts"]) == 6
    run.last.touch()
    (run.folder / "capsule.json").unlink()  # how it began, nobody knows any more
    assert write_capsule(run, exact=True, data_sha256="b") == []
    assert not read_json(run.folder / "capsule.json")["exact"]
    run.write_json("capsule.json", {"exact": True, "starts": 5})  # somebody has edited it
    assert write_capsule(run, exact=True, data_sha256="b") == []
    told = read_json(run.folder / "capsule.json")
    assert not told["exact"] and len(told["starts"]) == 1


@pytest.mark.skipif(not shutil.which("git"), reason="there is no git")
def test_the_diff_of_the_capsule_can_be_applied(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends in a line that is empty but for its space, another ends as on Windows, and git was told to colour."""
    package = tmp_path / "package"
    package.mkdir()

    def git(*command: str, text: str | None = None) -> str:
        named = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false", *command]
        done = subprocess.run(named, cwd=package, input=text and text.encode(), capture_output=True, check=True)
        return done.stdout.decode()

    git("init", "-q")
    git("config", "color.ui", "always")
    git("config", "diff.noprefix", "true")
    (package / "a.py").write_bytes(b"a = 1\r\n\n")
    git("add", ".")
    git("commit", "-qm", "first")
    (package / "a.py").write_bytes(b"a = 2\r\n\n")
    monkeypatch.setattr(capsule, "__file__", str(package / "a.py"))
    run = Run.create(settings)
    write_capsule(run, exact=True)
    told = read_json(run.folder / "capsule.json")
    assert told["git_commit"] == git("rev-parse", "HEAD").strip()
    git("apply", "-R", "-", text=told["git_diff"])
    assert (package / "a.py").read_bytes() == b"a = 1\r\n\n"


def test_what_is_refused_leaves_the_run_as_it_was(settings: Settings) -> None:
    with Run.create(settings) as run:
        run.begin()
    before = {file: file.read_bytes() for file in run.folder.rglob("*") if file.is_file()}
    with suppress(RefusedError), Run(run.folder, replace(settings, epochs=9)):
        raise RefusedError("what", "where", "fix")
    assert {file: file.read_bytes() for file in run.folder.rglob("*") if file.is_file()} == before


def test_a_folder_that_cannot_be_made_is_a_storage_error(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot create a run directory"):
        Run.create(replace(settings, runs_dir=tmp_path / "file"))
