"""Transforms: against Pillow, against formulas written out, and the order in which random numbers are drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad.torchvision import transforms as T
from convgrad.torchvision.transforms import functional as TF

Image = pytest.importorskip("PIL.Image")


def picture(height: int = 24, width: int = 36, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Smooth random uint8 pixels (H, W, C)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x * a + y * b + c) for a, b, c in rng.uniform(0.1, 0.5, (channels, 3))]
    return np.round((np.stack(waves, -1) + 1) * 127.5).astype(np.uint8)


@pytest.fixture
def rgb():
    return Image.fromarray(picture())


# -- conversions


def test_to_tensor_scales_bytes_only() -> None:
    pixels = picture()
    for source in (Image.fromarray(pixels), pixels):
        x = TF.to_tensor(source)
        assert x.shape == (3, 24, 36) and x.dtype is torch.float32
        assert np.array_equal(x.numpy(), (pixels.astype(np.float32) / np.float32(255)).transpose(2, 0, 1))
    grey = TF.to_tensor(Image.fromarray(pixels[..., 0]))
    assert grey.shape == (1, 24, 36)
    assert TF.to_tensor(np.arange(6.0).reshape(2, 3)).tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert TF.to_tensor(Image.fromarray(np.array([[7]], np.int32))).tolist() == [[[7]]]
    bits = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert TF.to_tensor(bits).tolist() == [[[0.0, 1.0]]]
    assert TF.pil_to_tensor(Image.fromarray(pixels)).dtype is torch.uint8
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray"):
        TF.to_tensor([1])
    with pytest.raises(ValueError, match=r"pic should be 2/3 dimensional. Got 1 dimensions"):
        TF.to_tensor(np.zeros(3))


NORMALIZE: list[tuple[Any, Any, int]] = [
    ((0.1307,), (0.3081,), 1), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 3), ((0.5,), [2], 3),
    ([0.0], (1.0, 0.5, 1e-30), 3), (0.25, 0.5, 3), (np.float32([0.1]), (0.3,), 1),
    (torch.tensor([0.5, 0.1, 0.2]), torch.ones(3), 3),
]  # fmt: skip


@pytest.mark.parametrize(("mean", "std", "channels"), NORMALIZE)
@pytest.mark.parametrize("inplace", [False, True])
def test_composed_normalisation_has_the_bits_of_its_steps(
    mean: Any, std: Any, channels: int, inplace: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = T.ToTensor(), T.Normalize(mean, std, inplace)
    pixels = picture(channels=channels)
    sources = [
        pixels,
        pixels[::2, 3:],
        pixels.astype(np.float32),
        pixels[..., 0] if channels == 1 else pixels[:0],
    ]
    sources += [Image.fromarray(pixels.squeeze())] if channels in (1, 3) else []
    for source in sources:
        x = T.Compose([first, second])(source)
        assert torch.equal(x, second(first(source))) and x.dtype is torch.float32
        T.Compose([first, second])(source).mul_(2)  # its memory is nobody else's
        assert torch.equal(T.Compose([first, second])(source), x)
    monkeypatch.setattr(TF, "normalize", None)
    if isinstance(mean, (tuple, list)):  # the table is kept, nothing is normalised any more
        assert torch.equal(T.Compose([first, second])(pixels), T.Compose([first, second])(sources[0]))


def test_composed_normalisation_keeps_errors_and_hooks() -> None:
    pixels = picture()
    for mean, std in (
        ((0.5,) * 3, (1.0, 0.0, 1.0)),
        ((0.5,) * 2, (1.0,) * 2),
        ((0.5,) * 2, (1.0,) * 3),
        ((), ()),
    ):
        both, errors = (T.ToTensor(), T.Normalize(mean, std)), []
        for run in (T.Compose(both), lambda x, both=both: both[1](both[0](x))):
            with pytest.raises((RuntimeError, ValueError)) as caught:
                run(pixels)
            errors.append((type(caught.value), str(caught.value)))
        assert errors[0] == errors[1]
    seen: list[Any] = []
    normal = T.Normalize((0.5,), (0.5,))
    plain = T.Compose([T.ToTensor(), T.Lambda(lambda x: x), normal])(pixels)
    chain = T.Compose([T.ToTensor(), normal, normal])
    assert torch.equal(chain(pixels), normal(plain))
    normal.register_forward_hook(lambda m, args, out: seen.append(args[0].shape))
    assert torch.equal(chain(pixels), normal(plain)) and len(seen) == 3
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray"):
        T.Compose([T.ToTensor(), T.ToTensor()])(pixels)

    class Doubled(T.Normalize):
        def forward(self, tensor):  # type: ignore[no-untyped-def]
            return super().forward(tensor) * 2

    twice = T.Compose([T.ToTensor(), Doubled((0.5,), (0.5,))])(pixels)
    assert torch.equal(twice, plain * 2)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_come_back(channels: int) -> None:
    pixels = picture(channels=channels)
    back = TF.to_pil_image(TF.to_tensor(pixels))
    assert back.mode == ["L", "LA", "RGB", "RGBA"][channels - 1]
    assert np.array_equal(np.asarray(back).reshape(pixels.shape), pixels)
    assert np.array_equal(np.asarray(T.ToPILImage()(pixels)).reshape(pixels.shape), pixels)


def test_modes_are_checked() -> None:
    assert TF.to_pil_image(torch.zeros(3, 2, 2), mode="HSV").mode == "HSV"
    assert TF.to_pil_image(torch.full((2, 2), 0.5), mode="F").getpixel((0, 0)) == 0.5
    with pytest.raises(ValueError, match=r"should not have > 4 channels. Got 5"):
        TF.to_pil_image(torch.zeros(5, 2, 2))
    with pytest.raises(ValueError, match=r"Only modes .* are supported for 3D inputs"):
        TF.to_pil_image(torch.zeros(3, 2, 2), mode="L")
    with pytest.raises(TypeError, match="is not supported"):
        TF.to_pil_image(np.zeros((2, 2, 3), np.int64))


def test_normalize() -> None:
    x = torch.arange(8.0).reshape(2, 2, 2)
    out = T.Normalize([1.0, 2.0], [2.0, 4.0])(x)
    assert out.tolist() == [[[-0.5, 0.0], [0.5, 1.0]], [[0.5, 0.75], [1.0, 1.25]]]
    assert x[0, 0, 0] == 0 and TF.normalize(x, 0.0, 1.0, inplace=True) is x
    with pytest.raises(TypeError, match=r"should be a float tensor. Got torch.uint8"):
        TF.normalize(x.byte(), 0.0, 1.0)
    with pytest.raises(ValueError, match="std evaluated to zero"):
        TF.normalize(x, [0.0, 0.0], [1.0, 0.0])
    with pytest.raises(ValueError, match=r"size \(..., C, H, W\)"):
        TF.normalize(x[0], 0.0, 1.0)


def test_convert_image_dtype() -> None:
    x = torch.tensor([0, 128, 255], dtype=torch.uint8)
    assert TF.convert_image_dtype(x).tolist() == pytest.approx([0, 128 / 255, 1])
    assert TF.convert_image_dtype(TF.convert_image_dtype(x), torch.uint8).tolist() == x.tolist()
    assert TF.convert_image_dtype(x, torch.int16).tolist() == [0, 128 * 128, 255 * 128]
    with pytest.raises(RuntimeError, match="cannot be performed safely"):
        TF.convert_image_dtype(torch.ones(1), torch.int32)


# -- geometry: a tensor gets what the Pillow image gets


@pytest.mark.parametrize(
    "change",
    [
        TF.hflip,
        TF.vflip,
        lambda img: TF.crop(img, 3, 5, 10, 12),
        lambda img: TF.crop(img, -3, 30, 10, 12),
        lambda img: TF.center_crop(img, 9),
        lambda img: TF.center_crop(img, (30, 41)),
        lambda img: TF.pad(img, 2),
        lambda img: TF.pad(img, [1, 2, 3, 4], fill=7),
        lambda img: TF.pad(img, [3, 1], padding_mode="edge"),
        lambda img: TF.pad(img, 2, padding_mode="reflect"),
        lambda img: TF.pad(img, 2, padding_mode="symmetric"),
        lambda img: TF.rotate(img, 90),
        lambda img: TF.rotate(img, 180),
        lambda img: TF.invert(img),
    ],
    ids=range(14),
)
@pytest.mark.parametrize("channels", [1, 3])
def test_tensors_and_pictures_agree(change, channels: int) -> None:
    pixels = picture(24, 24, channels)
    img = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    out = TF.pil_to_tensor(change(img))
    assert torch.equal(change(TF.pil_to_tensor(img)), out)
    assert out.dtype is torch.uint8


@pytest.mark.parametrize("size", [(12, 18), (10, 20), (48, 72), 30, [11]])
@pytest.mark.parametrize("mode", [T.InterpolationMode.BILINEAR, T.InterpolationMode.BICUBIC])
def test_resize_is_pillows_to_one_level(rgb, size, mode) -> None:
    """Pillow rounds between the two axes, so that one level may differ."""
    out = TF.pil_to_tensor(TF.resize(rgb, size, mode)).to(torch.int64)
    mine = TF.resize(TF.pil_to_tensor(rgb), size, mode)
    assert mine.shape == out.shape and mine.dtype is torch.uint8
    assert (mine.to(torch.int64) - out).abs().max() <= 1


def test_resize_of_the_shorter_edge() -> None:
    x = torch.zeros(3, 20, 50)
    assert TF.resize(x, 10).shape == (3, 10, 25)
    assert TF.resize(x, [10]).shape == (3, 10, 25)
    assert TF.resize(x, 10, max_size=15).shape == (3, 6, 15)
    assert TF.resize(x, (10, 10), T.InterpolationMode.NEAREST).shape == (3, 10, 10)
    assert TF.resize(x, (20, 50)) is x
    with pytest.raises(ValueError, match="must be strictly greater"):
        TF.resize(x, 10, max_size=10)
    with pytest.raises(ValueError, match="max_size should only be passed"):
        TF.resize(x, (10, 10), max_size=20)
    with pytest.raises(TypeError, match="Size should be int or sequence"):
        TF.resize(x, "10")
    with pytest.raises(TypeError, match=r"img should be PIL Image or Tensor. Got <class 'numpy.ndarray'>"):
        TF.resize(np.zeros((3, 2, 2)), 1)


def test_rotation_turns_counter_clockwise_and_expands() -> None:
    x = torch.zeros(1, 5, 7)
    x[0, 2, 6] = 1.0  # the middle of the right edge goes up
    assert TF.rotate(x, 90, expand=True).shape == (1, 7, 5)
    assert TF.rotate(x, 90, expand=True).nonzero().tolist() == [[0, 0, 2]]
    img = TF.to_pil_image(x)
    assert TF.rotate(img, 90, expand=True).size == (5, 7)
    filled = TF.rotate(torch.zeros(3, 9, 9), 45, fill=[0.1, 0.2, 0.3])
    assert filled[:, 0, 0].tolist() == pytest.approx([0.1, 0.2, 0.3]) and filled[:, 4, 4].tolist() == [
        0,
        0,
        0,
    ]


@pytest.mark.parametrize("angle", [10.0, -33.0, 77.0])
def test_rotation_is_pillows_inside(angle: float) -> None:
    """Nearest pixels; a place on the border between two may fall to either side."""
    pixels = picture(41, 41, 1)[..., 0]
    mine = TF.rotate(TF.to_tensor(pixels), angle)[0].numpy() * 255
    theirs = np.asarray(TF.rotate(Image.fromarray(pixels), angle)).astype(float)
    assert np.mean(np.abs(mine - theirs) > 0.5) < 0.05


def test_affine_shifts_scales_and_shears() -> None:
    x = torch.zeros(1, 9, 9)
    x[0, 4, 4] = 1.0
    assert TF.affine(x, 0, [2, 1], 1.0, 0).nonzero().tolist() == [[0, 5, 6]]
    assert TF.affine(x, 0, [0, 0], 3.0, 0).sum() == 9
    pixels = picture(33, 33, 1)[..., 0]
    drawn = (25.0, [3, -2], 1.2, [10.0, 5.0])
    mine = TF.affine(TF.to_tensor(pixels), *drawn)[0].numpy() * 255
    theirs = np.asarray(TF.affine(Image.fromarray(pixels), *drawn)).astype(float)
    assert np.mean(np.abs(mine - theirs) > 0.5) < 0.05
    with pytest.raises(ValueError, match="scale should be positive"):
        TF.affine(x, 0, [0, 0], 0.0, 0)


def test_the_inverse_matrix_undoes_the_forward_map() -> None:
    """Forward by composition of the elementary maps, in homogeneous coordinates."""
    angle, (tx, ty), scale, (sx, sy), (cx, cy) = 30.0, (3.0, -2.0), 1.5, (12.0, -7.0), (10.0, 20.0)
    a, b, c = math.radians(angle), math.radians(sx), math.radians(sy)
    move = lambda x, y: np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])
    turn = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    along_x = np.array([[1, -math.tan(b), 0], [0, 1, 0], [0, 0, 1]])
    along_y = np.array([[1, 0, 0], [-math.tan(c), 1, 0], [0, 0, 1]])
    forward = (
        move(tx, ty) @ move(cx, cy) @ turn @ np.diag([scale, scale, 1]) @ along_y @ along_x @ move(-cx, -cy)
    )
    inverse = np.array([*TF.inverse_matrix((cx, cy), angle, (tx, ty), scale, (sx, sy)), 0, 0, 1]).reshape(
        3, 3
    )
    assert np.allclose(inverse @ forward, np.eye(3), atol=1e-12)


def test_gaussian_blur_keeps_constants_and_sums() -> None:
    assert TF.gaussian_blur(torch.full((3, 9, 9), 0.25), 5, 1.5).allclose(torch.tensor(0.25))
    x = torch.zeros(1, 15, 15)
    x[0, 7, 7] = 1.0
    out = TF.gaussian_blur(x, [5, 7], [1.0, 2.0])
    places = np.arange(-2, 3)
    window = np.exp(-0.5 * places**2.0)
    assert out.sum().item() == pytest.approx(1) and out[0, 7, 5:10].numpy() == pytest.approx(
        out[0, 7].sum().item() * window / window.sum()
    )
    with pytest.raises(ValueError, match="odd and positive"):
        TF.gaussian_blur(x, 4)


# -- colour


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.7])
@pytest.mark.parametrize("change", [TF.adjust_brightness, TF.adjust_contrast, TF.adjust_saturation])
def test_colours_are_pillows_to_two_levels(rgb, change, factor: float) -> None:
    """Pillow rounds its grey, and its mean grey, to whole levels first."""
    mine = change(TF.pil_to_tensor(rgb), factor).to(torch.int64)
    theirs = TF.pil_to_tensor(change(rgb, factor)).to(torch.int64)
    assert (mine - theirs).abs().max() <= 2


@pytest.mark.parametrize("factor", [-0.5, -0.2, 0.0, 0.3])
def test_hue_is_colorsys(factor: float) -> None:
    import colorsys  # noqa: PLC0415

    x = TF.to_tensor(picture(6, 7))
    out = TF.adjust_hue(x, factor).numpy()
    for y in range(6):
        for z in range(7):
            h, s, v = colorsys.rgb_to_hsv(*x[:, y, z].tolist())
            assert out[:, y, z] == pytest.approx(colorsys.hsv_to_rgb((h + factor) % 1, s, v), abs=1e-5)
    with pytest.raises(ValueError, match=r"is not in \[-0.5, 0.5\]"):
        TF.adjust_hue(x, 0.6)


def test_hue_of_a_picture_and_of_its_tensor_agree(rgb) -> None:
    mine = TF.adjust_hue(TF.pil_to_tensor(rgb), 0.25).to(torch.int64)
    theirs = TF.pil_to_tensor(TF.adjust_hue(rgb, 0.25)).to(torch.int64)
    assert (mine - theirs).abs().float().mean() < 3 and TF.adjust_hue(rgb.convert("L"), 0.1).mode == "L"


def test_grey() -> None:
    x = torch.tensor([100, 50, 200], dtype=torch.uint8).reshape(3, 1, 1)
    assert TF.rgb_to_grayscale(x).tolist() == [[[int(0.2989 * 100 + 0.587 * 50 + 0.114 * 200)]]]
    assert TF.rgb_to_grayscale(x, 3).shape == (3, 1, 1)
    assert T.Grayscale(3)(TF.to_pil_image(x)).mode == "RGB"
    assert T.RandomGrayscale(1.0)(x).shape == (3, 1, 1)


# -- random parameters


def test_random_crop_draws_rows_then_columns() -> None:
    x = torch.arange(8 * 10).reshape(1, 8, 10)
    torch.manual_seed(3)
    i, j = (torch.randint(0, n, (1,)).item() for n in (8 - 4 + 1, 10 - 5 + 1))
    torch.manual_seed(3)
    assert torch.equal(T.RandomCrop((4, 5))(x), x[:, i : i + 4, j : j + 5])
    state = torch.get_rng_state()
    assert torch.equal(T.RandomCrop((8, 10))(x), x) and torch.equal(torch.get_rng_state(), state)
    with pytest.raises(
        ValueError, match=r"Required crop size \(9, 5\) is larger than input image size \(8, 10\)"
    ):
        T.RandomCrop((9, 5))(x)
    assert T.RandomCrop(12, pad_if_needed=True)(x).shape == (1, 12, 12)
    assert T.RandomCrop(8, padding=4)(x).shape == (1, 8, 8)


def test_random_resized_crop_draws_area_shape_place() -> None:
    torch.manual_seed(11)
    high, wide, scale, ratio = 30, 40, (0.08, 1.0), (3 / 4, 4 / 3)
    low, most = torch.log(torch.tensor(ratio))
    for _ in range(10):
        area = high * wide * torch.empty(1).uniform_(*scale).item()
        aspect = torch.exp(torch.empty(1).uniform_(low.item(), most.item())).item()
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if w <= wide and h <= high:
            i = torch.randint(0, high - h + 1, (1,)).item()
            j = torch.randint(0, wide - w + 1, (1,)).item()
            break
    torch.manual_seed(11)
    assert T.RandomResizedCrop.get_params(torch.zeros(3, high, wide), scale, ratio) == (i, j, h, w)
    assert T.RandomResizedCrop.get_params(torch.zeros(3, 10, 100), (2.0, 3.0), ratio) == (0, 43, 10, 13)
    assert T.RandomResizedCrop(8)(torch.rand(3, high, wide)).shape == (3, 8, 8)


def test_colour_jitter_draws_the_order_first() -> None:
    jitter = T.ColorJitter(0.4, (0.5, 0.9), 0, 0.1)
    torch.manual_seed(5)
    order = torch.randperm(4).tolist()
    factors = [torch.empty(1).uniform_(*r).item() for r in ((0.6, 1.4), (0.5, 0.9))]
    hue = torch.empty(1).uniform_(-0.1, 0.1).item()
    torch.manual_seed(5)
    drawn = jitter.get_params(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
    assert drawn[0].tolist() == order and list(drawn[1:]) == [*factors, None, hue]
    x = torch.rand(3, 4, 4)
    torch.manual_seed(5)
    out = jitter(x)
    changes = {
        0: lambda v: TF.adjust_brightness(v, factors[0]),
        1: lambda v: TF.adjust_contrast(v, factors[1]),
        3: lambda v: TF.adjust_hue(v, hue),
    }
    for place in order:
        x = changes.get(place, lambda v: v)(x)
    assert torch.equal(out, x)
    for bad in ({"hue": 0.6}, {"brightness": -1}, {"contrast": (1, 0)}):
        with pytest.raises(ValueError, match=r"should be|must be"):
            T.ColorJitter(**bad)


def test_one_number_decides_whether_something_happens() -> None:
    x = torch.arange(6.0).reshape(1, 2, 3)
    for seed in range(8):
        torch.manual_seed(seed)
        happens = torch.rand(1).item() < 0.3
        for change, done in (
            (T.RandomHorizontalFlip(0.3), x.flip(-1)),
            (T.RandomVerticalFlip(0.3), x.flip(-2)),
            (T.RandomApply([T.Lambda(lambda v: v + 1)], 0.3), x + 1),
        ):
            torch.manual_seed(seed)
            assert torch.equal(change(x), done if happens else x)


def test_rotation_affine_blur_and_erasing_draw_as_documented() -> None:
    torch.manual_seed(2)
    first = torch.empty(1).uniform_(-30.0, 30.0).item()
    torch.manual_seed(2)
    assert T.RandomRotation.get_params([-30.0, 30.0]) == first
    torch.manual_seed(2)
    angle = torch.empty(1).uniform_(-30.0, 30.0).item()
    tx = round(torch.empty(1).uniform_(-4.0, 4.0).item())
    ty = round(torch.empty(1).uniform_(-6.0, 6.0).item())
    scale = torch.empty(1).uniform_(0.5, 2.0).item()
    shear = torch.empty(1).uniform_(-5.0, 5.0).item()
    torch.manual_seed(2)
    drawn = T.RandomAffine.get_params([-30.0, 30.0], (0.1, 0.2), (0.5, 2.0), [-5.0, 5.0], (40, 30))
    assert drawn == (angle, (tx, ty), scale, (shear, 0.0))
    x = torch.rand(3, 20, 20)
    out = T.RandomErasing(1.0, value=0.5)(x)
    changed = (out != x).any(0).nonzero()
    (top, left), (bottom, right) = changed.min(0).values.tolist(), changed.max(0).values.tolist()
    assert (out[:, top : bottom + 1, left : right + 1] == 0.5).all()
    share = (bottom - top + 1) * (right - left + 1) / 400
    assert 0.01 < share < 0.4
    assert T.GaussianBlur(3, (0.5, 1.0))(x).shape == x.shape
    assert T.RandomAffine(10, (0.1, 0.1), (0.9, 1.1), 5)(TF.to_pil_image(x)).size == (20, 20)


def test_representations() -> None:
    """As torchvision's documentation and its users' logs show them."""
    shown = T.Compose(
        [
            T.Resize((2, 3)),
            T.CenterCrop(2),
            T.RandomHorizontalFlip(),
            T.ToTensor(),
            T.Normalize([0.5], [0.25]),
        ]
    )
    assert repr(shown) == (
        "Compose(\n    Resize(size=(2, 3), interpolation=bilinear, max_size=None, antialias=True)\n"
        "    CenterCrop(size=(2, 2))\n    RandomHorizontalFlip(p=0.5)\n    ToTensor()\n"
        "    Normalize(mean=[0.5], std=[0.25])\n)"
    )
    assert repr(T.RandomCrop(32, padding=4)) == "RandomCrop(size=(32, 32), padding=4)"
    assert repr(T.Pad(1)) == "Pad(padding=1, fill=0, padding_mode=constant)"
    assert repr(T.RandomApply([T.ToTensor()], p=0.2)) == "RandomApply(\n    p=0.2\n    ToTensor()\n)"


def test_wrong_arguments() -> None:
    for wrong, error, words in (
        (lambda: T.Pad("a"), TypeError, "inappropriate padding"),
        (lambda: T.Pad((1, 2, 3)), ValueError, "1, 2, or 4 element tuple, not a 3"),
        (lambda: T.Resize((1, 2, 3)), ValueError, "1 or 2 values"),
        (lambda: T.CenterCrop((1, 2, 3)), ValueError, "only two dimensions"),
        (lambda: T.RandomRotation(-1), ValueError, "must be positive"),
        (lambda: T.Lambda(3), TypeError, "should be callable"),
        (lambda: T.RandomErasing(value="x"), ValueError, "'random'"),
        (lambda: T.Resize(3, interpolation="bilinear"), TypeError, "InterpolationMode"),
        (lambda: TF.five_crop(torch.zeros(1, 3, 3), 4), ValueError, "bigger than input size"),
    ):
        with pytest.raises(error, match=words):
            wrong()
