"""Takes the pictures of the README: what TensorBoard shows of runs, looked at in a headless Chromium.

    python scripts/take_pictures.py RUNS pictures/name.png [images|hparams|timeseries]

Those of the README are of runs of the defaults: of a cnn for classification, and a unet for segmentation. Needs
tensorboard, and Chromium as `chromium` (Debian's package); on other systems name it by the variable CHROMIUM.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1280,860", "--virtual-time-budget=20000",
]  # fmt: skip


def wait_for(address: str, seconds: float = 60) -> None:
    """Return once somebody answers at the address."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.read() not in (b"", b"[]"):
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"no answer from {address}")


def take(runs: Path, picture: Path, tab: str) -> None:
    """Serve the runs, and save what a tab looks like."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    host, port = address.split(":")
    command = [sys.executable, "-m", "tensorboard.main", f"--logdir={runs.name}", f"--host={host}", f"--port={port}"]
    server = subprocess.Popen(command, cwd=runs.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    browser = os.environ.get("CHROMIUM", "chromium")
    try:
        wait_for(f"http://{address}/data/runs")
        with tempfile.TemporaryDirectory() as profile:
            flags = [*FLAGS, f"--user-data-dir={profile}", f"--screenshot={picture.resolve()}"]
            subprocess.run([browser, *flags, f"http://{address}/#{tab}"], check=True, stderr=subprocess.DEVNULL)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, help="the folder `runs` of a rendered project that has been trained")
    parser.add_argument("picture", type=Path)
    parser.add_argument("tab", nargs="?", default="images", choices=["images", "hparams", "timeseries"])
    given = parser.parse_args()
    take(given.runs.resolve(), given.picture, given.tab)
