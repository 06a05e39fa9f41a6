"""What comes out of a training, by the real commands, is what this task promises."""

import json
from pathlib import Path

import numpy as np

from .conftest import learn, predict
from .example import bundled


def test_predictions_are_masks_of_the_original_values(tmp_path: Path) -> None:
    data = bundled()
    y = np.where(data["y"] > 0, 200, 7)[:, None]  # with an axis for one channel
    run = learn(tmp_path, "--epochs=15", "--batch-size=16", x=data["x"], y=y)
    out = np.load(predict(run, tmp_path / "out.npz"))["prediction"]
    assert out.shape == data["y"].shape and out.dtype == np.uint8 and set(np.unique(out)) == {7, 200}
    assert np.mean(out == y[:, 0]) > 0.9
    scores = json.loads((run / "evaluation.json").read_text())
    assert {"iou/7", "iou/200"} <= set(scores)


def test_resized_samples_get_masks_of_their_own_size(tmp_path: Path) -> None:
    run = learn(tmp_path, "--epochs=1", "--data.resize=24x20", **bundled())
    assert np.load(predict(run, tmp_path / "out.npz"))["prediction"].shape == (180, 16, 16)


def test_what_is_ignored_counts_nowhere(tmp_path: Path) -> None:
    data = bundled()
    unknown = data["y"].copy()
    unknown[:, 8:] = 99
    run = learn(tmp_path, "--epochs=1", "--task.ignore-index=99", x=data["x"], y=unknown)
    scores = json.loads((run / "evaluation.json").read_text())
    assert set(scores) >= {"iou/0", "iou/1"} and "iou/99" not in scores
    assert set(np.unique(np.load(predict(run, tmp_path / "out.npz"))["prediction"])) <= {0, 1}
