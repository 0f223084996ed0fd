"""Image files and folders as arrays, digits made like the data, and augmentation: against Pillow, SciPy and definitions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symdl.datasets import digits
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.images import (
    Augmentation,
    augmented_batches,
    cropped,
    digit_from_image,
    flipped,
    image_folder,
    read_image,
    resized,
    rotated,
    shifted,
)

Array = np.ndarray[Any, np.dtype[Any]]
pillow = pytest.mark.usefixtures("_pillow")


@pytest.fixture
def _pillow() -> None:
    pytest.importorskip("PIL", reason="image files are read through Pillow: pip install symdl[zoo]")


def _save(path: Path, pixels: Array, mode: str | None = None, **options: Any) -> Path:
    from PIL import Image

    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path, **options)
    return path


GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)


# ---- files ----


@pillow
def test_grey_and_colour_files(tmp_path: Path) -> None:
    grey = read_image(_save(tmp_path / "grey.png", GREY))
    np.testing.assert_array_equal(grey, GREY.astype("float32") / np.float32(255))
    assert grey.dtype.name == "float32"
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png", colour=True), np.repeat(grey[None], 3, axis=0))
    colour = _save(tmp_path / "colour.png", COLOUR)
    found = read_image(colour, colour=True)
    assert (found.shape, found.flags.c_contiguous) == ((3, 6, 8), True)
    np.testing.assert_array_equal(found, COLOUR.transpose(2, 0, 1).astype("float32") / np.float32(255))
    np.testing.assert_allclose(read_image(colour), COLOUR @ [0.299, 0.587, 0.114] / 255, atol=0.6 / 255)
    smooth = np.add.outer(np.arange(32), np.arange(40)).astype(np.uint8) * 3
    np.testing.assert_allclose(read_image(_save(tmp_path / "a.jpg", smooth)), smooth / 255, atol=0.02)
    np.testing.assert_array_equal(read_image(_save(tmp_path / "palette.png", GREY, mode="P")), grey)
    np.testing.assert_array_equal(read_image(_save(tmp_path / "bits.png", GREY, mode="1")) % 1, 0)


@pillow
def test_transparency_is_white_sixteen_bits_stay_and_cameras_turn(tmp_path: Path) -> None:
    from PIL import Image

    transparent = np.dstack([COLOUR, np.zeros((6, 8), np.uint8)])
    np.testing.assert_array_equal(read_image(_save(tmp_path / "a.png", transparent)), 1)
    deep = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000
    found = read_image(_save(tmp_path / "deep.png", deep))
    np.testing.assert_array_equal(found, deep.astype("float32") / np.float32(65535))
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png", colour=True)[2], found)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held turned by 90 degrees
    _save(tmp_path / "turned.jpg", np.repeat(GREY, 8, axis=0), exif=exif)
    assert read_image(tmp_path / "turned.jpg").shape == (8, 48)


@pillow
def test_files_that_are_no_images(tmp_path: Path) -> None:
    whole = _save(tmp_path / "a.png", COLOUR).read_bytes()
    _save(tmp_path / "noise.jpg", np.tile(COLOUR, (20, 20, 1)))
    photograph = (tmp_path / "noise.jpg").read_bytes()
    _save(tmp_path / "a.gif", GREY)
    cases = [
        (b"", "is no PNG or JPEG file"),
        (b"ImageId,Label\n", "is no PNG or JPEG file"),
        ((tmp_path / "a.gif").read_bytes(), "is no PNG or JPEG file"),
        (whole[:60], "is damaged"),
        (whole[:10], "(is damaged|is no PNG or JPEG)"),
        (photograph[:2000], "is damaged"),
    ]
    for data, message in cases:
        (tmp_path / "file.png").write_bytes(data)
        with pytest.raises(DataError, match=f"read_image: .*file.png {message}"):
            read_image(tmp_path / "file.png")
    with pytest.raises(DataError, match=r"nowhere\.png cannot be read \(No such file"):
        read_image(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory"):
        read_image(tmp_path)


@pillow
def test_absurd_sizes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    file = _save(tmp_path / "a.png", GREY)  # 48 pixels
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    assert read_image(file).shape == (6, 8)  # above the limit, below twice the limit
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(DataError, match=r"a\.png is too large"):
        read_image(file)


# ---- folders ----


@pillow
def test_a_folder_for_each_class(tmp_path: Path) -> None:
    for name, count in (("dogs", 2), ("cats", 3)):
        (tmp_path / name).mkdir()
        for k in range(count):
            _save(tmp_path / name / f"{k}.{'PNG' if k else 'jpg'}", np.full((9 + k, 12, 3), 40 * k + 100, np.uint8))
    (tmp_path / "cats" / ".DS_Store").write_bytes(b"")
    (tmp_path / ".git").mkdir()
    found = image_folder(tmp_path, (5, 6))
    assert found.classes == ("cats", "dogs")
    assert found.y.tolist() == [0, 0, 0, 1, 1]
    assert [p.relative_to(tmp_path).as_posix() for p in found.paths[:2]] == ["cats/0.jpg", "cats/1.PNG"]
    assert (found.x.shape, found.x.dtype.name) == ((5, 3, 5, 6), "float32")
    np.testing.assert_allclose(found.x[:, 0, 0, 0] * 255, [100, 140, 180, 100, 140], atol=1)
    assert image_folder(tmp_path, (5, 6), colour=False, fit="stretch").x.shape == (5, 1, 5, 6)
    last = image_folder(tmp_path, (5, 6), data_format="channels_last").x
    np.testing.assert_array_equal(last, found.x.transpose(0, 2, 3, 1))


@pillow
def test_folders_name_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder"):
        image_folder(tmp_path / "nowhere", (4, 4))
    with pytest.raises(DataError, match="holds no folders\n  Images of one class"):
        image_folder(tmp_path, (4, 4))
    (tmp_path / "cats").mkdir()
    with pytest.raises(DataError, match="cats holds no images"):
        image_folder(tmp_path, (4, 4))
    (tmp_path / "cats" / "0.png").write_bytes(b"meow")
    with pytest.raises(DataError, match=r"cats/0\.png is no PNG or JPEG file"):
        image_folder(tmp_path, (4, 4))
    (tmp_path / "cats" / "0.png").rename(tmp_path / "cats" / "0.bmp")
    with pytest.raises(DataError, match=r"cats/0\.bmp is neither PNG nor JPEG by its name"):
        image_folder(tmp_path, (4, 4))
    (tmp_path / "cats" / "0.bmp").unlink()
    (tmp_path / "cats" / "small").mkdir()
    with pytest.raises(DataError, match="cats/small is a folder within a class"):
        image_folder(tmp_path, (4, 4))
    with pytest.raises(ConfigError, match="fit 'fill' one of crop, pad, stretch"):
        image_folder(tmp_path, (4, 4), fit="fill")  # type: ignore[arg-type]


# ---- sizes ----


def test_resizing_is_the_mean_over_areas(rng: np.random.Generator) -> None:
    image = rng.random((2, 12, 9))
    np.testing.assert_allclose(resized(image, (4, 3)), image.reshape(2, 4, 3, 3, 3).mean(axis=(2, 4)), rtol=1e-12)
    np.testing.assert_allclose(resized(image, (24, 27)), image.repeat(2, axis=1).repeat(3, axis=2), rtol=1e-12)
    for size in ((5, 7), (40, 2), (1, 1)):
        assert resized(image, size).mean() == pytest.approx(image.mean(), rel=1e-12)  # no light is lost
    common = resized(image.repeat(5, axis=1), (12, 9))  # 60 rows are 12 again
    np.testing.assert_allclose(common, image, rtol=1e-12)


def test_crop_and_pad_keep_proportions() -> None:
    image = np.arange(4.0) * np.ones((2, 1))  # twice as wide as high
    np.testing.assert_allclose(resized(image, (2, 2), "crop"), [[1, 2], [1, 2]])
    np.testing.assert_allclose(resized(image, (4, 4), "pad")[[0, 3]], 0)
    np.testing.assert_allclose(resized(image, (4, 4), "pad")[1:3], image)
    assert resized(np.ones((3, 5), np.uint8), (2, 2)).dtype == np.float32
    with pytest.raises(ShapeError, match="cannot become 0 x 4"):
        resized(image, (0, 4))
    with pytest.raises(ConfigError):
        resized(image, (2, 2), "cut")  # type: ignore[arg-type]


# ---- digits ----


def _arc(x: float, y: float, a: float, b: float, start: int, end: int) -> list[tuple[float, float]]:
    angles = [math.radians(start + (end - start) * k / 24) for k in range(25)]
    return [(x + a * math.cos(t), y + b * math.sin(t)) for t in angles]


STROKES: list[list[list[tuple[float, float]]]] = [
    [_arc(128, 128, 50, 85, 0, 360)],
    [[(105, 80), (135, 45), (135, 215)]],
    [[*_arc(128, 85, 45, 42, -170, 40), (85, 205), (180, 205)]],
    [_arc(122, 85, 45, 40, -150, 90) + _arc(122, 168, 50, 43, -90, 150)],
    [[(145, 45), (80, 150), (185, 150)], [(150, 100), (150, 215)]],
    [[(175, 48), (100, 48), (95, 115), *_arc(125, 160, 48, 48, -115, 150)]],
    [_arc(150, 120, 70, 80, -100, -190) + _arc(125, 168, 45, 42, -180, 180)],
    [[(80, 50), (180, 50), (115, 215)], [(95, 130), (165, 130)]],
    [_arc(128, 85, 38, 38, 90, 450) + _arc(128, 168, 44, 44, -90, 270)],
    [[*_arc(128, 90, 42, 42, 0, 360), (170, 90), (150, 215)]],
]


def _drawn(digit: int, width: int, paper: int = 255, ink: int = 0, scale: int = 1) -> Array:
    from PIL import Image, ImageDraw

    image = Image.new("L", (256 * scale, 256 * scale), paper)
    pen = ImageDraw.Draw(image)
    for stroke in STROKES[digit]:
        points = [(x * scale, y * scale) for x, y in stroke]
        pen.line(points, fill=ink, width=width)
        for x, y in points:
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=ink)
    return np.asarray(image)


@pillow
@pytest.mark.parametrize(
    ("width", "paper", "ink", "scale"),
    [(2, 255, 0, 1), (10, 255, 30, 1), (20, 20, 230, 1), (36, 200, 90, 1), (4, 240, 60, 5)],
)
def test_drawn_digits_are_recognized(width: int, paper: int, ink: int, scale: int) -> None:
    """Ten digits in thin and thick strokes, dark on bright and bright on dark, by a classifier of the UCI digits."""
    svm = pytest.importorskip("sklearn.svm", reason="the classifier is scikit-learn's: pip install symdl[zoo]")
    x, y = digits()
    classifier = svm.SVC(gamma=0.256).fit(x[::2], y[::2])
    rows = np.array([digit_from_image(_drawn(d, width, paper, ink, scale)) for d in range(10)])
    assert rows.shape == (10, 64)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows * 16 % 1, 0)  # counts
    assert 0 <= rows.min() <= rows.max() <= 1
    assert (classifier.predict(rows) == np.arange(10)).sum() >= 9


@pillow
def test_mnist_form_is_a_box_with_its_mass_in_the_middle() -> None:
    for digit in range(10):
        image = digit_from_image(_drawn(digit, 24), (28, 28)).reshape(28, 28)
        used = [np.flatnonzero(image.max(axis=axis)) for axis in (0, 1)]
        assert max(u[-1] - u[0] + 1 for u in used) == 20
        assert image.max() == 1
        for axis in (0, 1):
            middle = image.sum(axis=1 - axis) @ np.arange(28) / image.sum()
            assert abs(middle - 14) <= 0.5
        again = digit_from_image(1 - image, (28, 28)).reshape(28, 28)  # what has that form, keeps it
        assert np.abs(again - image).mean() < 0.02


@pillow
def test_spots_and_shades_of_paper_do_not_matter(rng: np.random.Generator, tmp_path: Path) -> None:
    clean = _drawn(3, 16)
    noisy = np.clip(clean * 0.6 + 60 + rng.normal(0, 4, clean.shape) + np.linspace(0, 15, 256), 0, 255).astype(np.uint8)
    for top, left in ((5, 240), (200, 8), (120, 120)):
        noisy[top : top + 5, left : left + 5] = 70  # dirt
    _save(tmp_path / "photograph.jpg", noisy)
    for size in ((8, 8), (28, 28)):
        difference = np.abs(digit_from_image(tmp_path / "photograph.jpg", size) - digit_from_image(clean, size))
        assert difference.mean() < 0.02


def test_slant_is_taken_out_and_aspect_kept() -> None:
    slanted = np.zeros((64, 64))
    for row in range(8, 56):
        slanted[row, 40 - row // 3 : 52 - row // 3] = 1
    upright = np.zeros((64, 64))
    upright[8:56, 26:38] = 1
    np.testing.assert_allclose(digit_from_image(slanted), digit_from_image(upright), atol=2 / 16)
    upright[:, 32:] = 0
    bar = digit_from_image(upright, (28, 28)).reshape(28, 28)
    assert (bar > 0.5).sum(axis=1).max() <= 3  # 6 of 48, as 2.5 of 20
    assert (digit_from_image(upright).reshape(8, 8) > 0).any(axis=0).sum() <= 4


def test_digits_of_the_data_are_themselves() -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn: pip install symdl[zoo]")
    x, _ = digits()
    np.testing.assert_array_equal(digit_from_image(x[5].reshape(8, 8)), x[5])
    np.testing.assert_array_equal(digit_from_image(1 - x[5].reshape(8, 8)), x[5])


def test_nothing_drawn_and_no_image() -> None:
    for blank in (np.ones((30, 30)), np.zeros((30, 30), np.uint8), np.full((40, 20), 0.5) + 0.01 * np.eye(40, 20)):
        with pytest.raises(DataError, match="nothing is drawn on the image"):
            digit_from_image(blank)
    for wrong in (np.zeros(64), np.zeros((2, 5, 5)), np.zeros((0, 3)), np.zeros((5, 5), complex)):
        with pytest.raises(ShapeError, match="is no image"):
            digit_from_image(wrong)
    with pytest.raises(DataError, match="not finite"):
        digit_from_image(np.full((5, 5), np.nan))
    with pytest.raises(ConfigError, match=r"size \(16, 16\) is neither"):
        digit_from_image(np.eye(9), (16, 16))


def test_one_pixel_and_a_colour_image() -> None:
    dot = np.zeros((3, 20, 20))
    dot[:, 9, 11] = 1
    for size in ((8, 8), (28, 28)):
        row = digit_from_image(dot, size)
        assert 0 < row.max() <= 1
        np.testing.assert_allclose(row, digit_from_image(dot[0], size))


# ---- augmentation ----


@pytest.fixture
def images(rng: np.random.Generator) -> Array:
    return rng.random((4, 3, 7, 9)).astype("float32")


def test_shifts_flips_and_crops(images: Array) -> None:
    down, right = np.array([1, 0, -2, 20]), np.array([-1, 3, 0, 0])
    moved = shifted(images, down, right)
    for k in range(3):
        wanted = np.zeros_like(images[k])
        for i in range(7):
            for j in range(9):
                if 0 <= i - down[k] < 7 and 0 <= j - right[k] < 9:
                    wanted[:, i, j] = images[k, :, i - down[k], j - right[k]]
        np.testing.assert_array_equal(moved[k], wanted)
    np.testing.assert_array_equal(moved[3], 0)
    np.testing.assert_array_equal(shifted(images[:, 0], down, right), moved[:, 0])
    which = np.array([True, False, True, False])
    np.testing.assert_array_equal(flipped(images, which)[2], images[2, :, :, ::-1])
    np.testing.assert_array_equal(flipped(images, which)[1], images[1])
    windows = cropped(images, (3, 4), [0, 4, 2, 1], [5, 0, 2, 1])
    np.testing.assert_array_equal(windows[1], images[1, :, 4:7, 0:4])
    for top in (-1, 5):
        with pytest.raises(ShapeError, match="a window of 3 x 4 leaves images"):
            cropped(images, (3, 4), top, 0)
    with pytest.raises(ShapeError, match="are no images"):
        shifted(images[0, 0], 1, 1)


def test_rotation_is_scipys(images: Array) -> None:
    from scipy.ndimage import rotate

    angles = np.array([0.0, 17.0, -33.0, 140.0])
    turned = rotated(images, angles)
    assert turned.dtype == np.float32
    for k in range(4):
        wanted = rotate(images[k].astype(float), angles[k], axes=(1, 2), reshape=False, order=1, mode="grid-constant")
        np.testing.assert_allclose(turned[k], wanted, atol=1e-6)
    square = images[:, :, :, :7]
    np.testing.assert_allclose(rotated(square, 90), np.rot90(square, axes=(2, 3)), atol=1e-6)
    np.testing.assert_allclose(rotated(square[:, 1], 90), np.rot90(square[:, 1], axes=(1, 2)), atol=1e-6)


def test_augmentation_is_seeded_and_stays_in_bounds(images: Array) -> None:
    augmentation = Augmentation(rotate=10, shift=1, flip=True, crop=(5, 5))
    one, same = (augmentation(images, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert (one.shape, one.dtype) == ((4, 3, 5, 5), images.dtype)
    assert not np.array_equal(one, augmentation(images, np.random.default_rng(8)))
    np.testing.assert_array_equal(Augmentation()(images, np.random.default_rng(0)), images)
    blot = np.zeros((500, 9, 9))
    blot[:, 4, 4] = 1
    moved = Augmentation(shift=2)(blot, np.random.default_rng(0))
    places = {(int(i), int(j)) for _, i, j in np.argwhere(moved)}
    assert places == {(i, j) for i in range(2, 7) for j in range(2, 7)}
    left = Augmentation(flip=True)(np.arange(3.0) * np.ones((400, 3, 1)), np.random.default_rng(0))[:, 0, 0]
    assert 150 < np.count_nonzero(left == 2) < 250


def test_augmentation_of_rows() -> None:
    rows = np.arange(2 * 64, dtype=float).reshape(2, 64)
    moved = Augmentation(shift=1, shape=(8, 8))(rows, np.random.default_rng(3))
    assert moved.shape == (2, 64)
    image = Augmentation(shift=1)(rows.reshape(2, 8, 8), np.random.default_rng(3))
    np.testing.assert_array_equal(moved, image.reshape(2, 64))
    first = np.arange(2 * 3 * 30.0).reshape(2, 3, 5, 6)
    turn = Augmentation(shift=1, rotate=9, crop=(4, 4))(first, np.random.default_rng(3))
    last = Augmentation(shift=1, rotate=9, crop=(4, 4), data_format="channels_last")
    np.testing.assert_array_equal(
        last(first.transpose(0, 2, 3, 1), np.random.default_rng(3)), turn.transpose(0, 2, 3, 1)
    )
    with pytest.raises(ShapeError, match=r"rows of shape \(64,\) are no images of shape \(7, 8\)"):
        Augmentation(shape=(7, 8))(rows, np.random.default_rng(0))
    with pytest.raises(ShapeError, match="crop"):
        Augmentation(crop=(9, 9), shape=(8, 8))(rows, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="bounds below 0"):
        Augmentation(shift=-1)


def test_batches_visit_every_image_once_an_epoch(images: Array) -> None:
    y = np.arange(4)
    batches = list(augmented_batches(images, y, 3, Augmentation(flip=True), seed=1, epochs=2))
    assert [len(b[1]) for b in batches] == [3, 1, 3, 1]
    for epoch in (batches[:2], batches[2:]):
        assert sorted(np.concatenate([labels for _, labels in epoch])) == [0, 1, 2, 3]
        for x, labels in epoch:
            for image, k in zip(x, labels, strict=True):
                assert any(np.array_equal(image, side) for side in (images[k], images[k, :, :, ::-1]))
    again = list(augmented_batches(images, y, 3, Augmentation(flip=True), seed=1, epochs=2))
    for (x, labels), (other, others) in zip(batches, again, strict=True):
        np.testing.assert_array_equal(x, other)
        np.testing.assert_array_equal(labels, others)
    ordered = next(augmented_batches(images, y, 4, Augmentation(), shuffle=False))
    np.testing.assert_array_equal(ordered[0], images)
    with pytest.raises(ShapeError, match="4 images meet 3 labels"):
        next(augmented_batches(images, y[:3], 2, Augmentation()))
    with pytest.raises(ConfigError):
        next(augmented_batches(images, y, 0, Augmentation()))
