"""`import-images`: a folder of pictures per class becomes one .npz, by `torch.stack` (lesson 9 of the notes)."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError, printable
from ..memory import check_memory
from ..pictures import ENDINGS, LITTER, pictures_among, read_picture
from ..progress import progress
from ..storage import check_new, new_file


def run(folder: Path, out: Path, *, resize: str, colours: str) -> None:
    """Write x (N, C, H, W), y (N,), the names of the folders, and files (N,), which picture is which, to `out`.

    Pictures that lie in the folder itself have no y, and are taken only if no others are there. Raises ConfigError,
    DataError, OSError.
    """
    check_new(out, [".npz"])
    if not folder.is_dir():
        raise DataError("there is no such folder", f"{folder}, seen from {Path.cwd()}", "name the one with pictures")
    classes = [each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(LITTER)]
    inside = [path for each in classes for path in each.iterdir()]  # not rglob: a folder may be a link
    in_classes = pictures_among(inside)
    without = sorted({each.name for each in classes} - {path.parent.name for path in in_classes})
    if in_classes and without:  # it would be lost
        fix = "put its pictures directly into it, or move it somewhere else"
        raise DataError("the folder of a class has no pictures", f"in {folder / without[0]}", fix)
    files = in_classes or pictures_among(folder.iterdir())
    if not files:
        fix = f"name a folder of class folders, or of pictures ({', '.join(sorted(ENDINGS))}); train and test apart"
        raise DataError("there are no pictures, nor in its folders", f"in {folder}, seen from {Path.cwd()}", fix)
    height, _, width = resize.partition("x")
    size = None if resize == "none" else (int(width or height), int(height))  # Pillow has the width first
    check_memory(3 * len(files) * int(np.prod(size or 0)), f"for the pictures of {folder}", "give a smaller --resize")
    images: list[Tensor] = []
    for path in progress(len(files), "reading pictures", unit=" pictures", over=files):
        images.append(read_picture(path, size, colours))
        if len(images) == 1:
            check_memory(3 * len(files) * images[0].nbytes, f"for the pictures of {folder}")
        if images[-1].shape[1:] != images[0].shape[1:]:
            this, first = ("x".join(map(str, image.shape[1:])) for image in (images[-1], images[0]))
            what = f"the picture has {this} pixels, and the first one {first}"
            raise DataError(what, f"in {path}", "give all the same size with --resize, such as --resize 64x64")
    channels = max(len(image) for image in images)
    check_memory(len(images) * channels * images[0][0].nbytes, f"for the pictures of {folder}")
    x = torch.stack([image.expand(channels, -1, -1) for image in images]).numpy()  # grey among colours: three times
    arrays = {"x": x, "files": np.array([path.relative_to(folder).as_posix() for path in files])}
    if in_classes:
        arrays["y"] = np.array([path.parent.name for path in files])
    others = len({path for path in [*folder.rglob("*"), *inside] if path.is_file()} - set(files))
    left = f"; other files, left out: {others}" if others else ""
    with new_file(out) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    of = f"of {len({*arrays['y']})} classes" if in_classes else "without classes"
    print(printable(f"{len(x):,} pictures {of}, {x.shape[1:]}, are in {out}{left}"))
