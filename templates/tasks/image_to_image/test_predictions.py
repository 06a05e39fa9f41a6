"""What comes out of a training, by the real commands, is what this task promises."""

import json
from pathlib import Path

import numpy as np

from .conftest import learn, predict
from .example import bundled


def test_predictions_are_in_the_units_of_the_file(tmp_path: Path) -> None:
    """Two channels on other scales, which the file has last."""
    data = bundled()
    y = np.concatenate([data["y"], 1e4 - 20.0 * data["y"]], axis=1)
    run = learn(tmp_path, "--epochs=15", "--batch-size=16", x=data["x"], y=np.moveaxis(y, 1, -1))
    out = np.load(predict(run, tmp_path / "out.npz"))["prediction"]
    assert out.shape == y.shape and out.dtype == np.float32
    for channel in range(2):
        errors = np.abs(out[:, channel] - y[:, channel]).mean()
        assert errors < 0.6 * np.abs(y[:, channel] - y[:, channel].mean()).mean()


def test_resized_samples_become_images_of_their_own_size(tmp_path: Path) -> None:
    run = learn(tmp_path, "--epochs=1", "--data.resize=24", **bundled())
    assert np.load(predict(run, tmp_path / "out.npz"))["prediction"].shape == (180, 1, 16, 16)
    assert {"psnr", "ssim", "mae"} <= set(json.loads((run / "evaluation.json").read_text()))


def test_signals_have_no_ssim(tmp_path: Path) -> None:
    data = bundled()
    run = learn(tmp_path, "--epochs=1", "--data.channels=first", x=data["x"][:, 0], y=data["y"][:, 0])
    assert "ssim" not in json.loads((run / "evaluation.json").read_text())
