"""`import-images`: a folder of pictures per class becomes one .npz, by `torch.stack` (lesson 9 of the notes)."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ..errors import DataError, printable
from ..memory import check_memory
from ..progress import progress
from ..storage import check_new, new_file

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


def run(folder: Path, out: Path, *, resize: str) -> None:
    """Write x (N, C, H, W) and y (N,), the names of the folders, to `out`. Raises ConfigError, DataError, OSError."""
    check_new(out, [".npz"])
    if not folder.is_dir():
        fix = "name the one with the pictures"
        raise DataError("there is no such folder", f"{folder}, seen from {Path.cwd()}", fix)
    inside = [path for each in folder.iterdir() if each.is_dir() for path in each.iterdir()]  # folders may be links
    files = sorted(path for path in inside if path.is_file() and is_picture(path))
    if not files:
        fix = f"make a folder for each class, with pictures in it ({', '.join(sorted(PICTURES))})"
        raise DataError("there are no pictures in its folders", f"in {folder}, seen from {Path.cwd()}", fix)
    height, _, width = resize.partition("x")
    size = None if resize == "none" else (int(width or height), int(height))  # Pillow has the width first
    images: list[Tensor] = []
    with progress(len(files), "reading pictures", unit=" pictures") as bar:
        for path in files:
            images.append(read(path, size))
            if len(images) == 1:
                check_memory(3 * len(files) * images[0].nbytes, f"for the pictures of {folder}")
            if images[-1].shape[1:] != images[0].shape[1:]:
                what = f"the picture has {sides(images[-1])} pixels, and the first one {sides(images[0])}"
                raise DataError(what, f"in {path}", "give all the same size with --resize, such as --resize 64x64")
            bar.update()
    channels = max(len(image) for image in images)
    x = torch.stack([image.expand(channels, -1, -1) for image in images]).numpy()  # grey among colours: three times
    with new_file(out) as file:
        np.savez(file, x=x, y=np.array([path.parent.name for path in files]))
    others = len({path for path in [*folder.rglob("*"), *inside] if path.is_file()} - set(files))
    left = f"; {others} other files were left out" if others else ""
    classes = len({path.parent for path in files})
    print(printable(f"{len(x):,} pictures of {classes} classes, {x.shape[1:]}, are in {out}{left}"))


def is_picture(path: Path) -> bool:
    """Tell whether a file looks like a picture of a class, and not like what systems and editors leave behind."""
    hidden = path.name.startswith(".") or path.parent.name.startswith((".", "__MACOSX"))
    return path.suffix.lower() in PICTURES and not hidden


def read(path: Path, size: tuple[int, int] | None) -> Tensor:
    """Return a picture as (1, H, W), or (3, H, W) if it has colours, uint8; upright, as its camera says."""
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith(("I", "F")):
                what = f"it has more than 256 grey levels (mode {upright.mode})"
                fix = "turn such pictures into arrays yourself, and save them with np.savez"
                raise DataError(what, f"in {path}", fix)
            grey = upright.mode in ("1", "L", "LA")
            upright = upright.convert("L" if grey else "RGB")
            upright = upright.resize(size, Image.Resampling.BILINEAR) if size else upright
            array = np.asarray(upright)
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"the picture cannot be read ({reason})", f"in {path}", "repair it or take it away") from error
    return torch.from_numpy(array.copy()).reshape(array.shape[0], array.shape[1], -1).permute(2, 0, 1)


def sides(image: Tensor) -> str:
    """(3, 48, 64) -> 48x64"""
    return f"{image.shape[1]}x{image.shape[2]}"
