"""``explain``: the candidates, their figures and the reasons are the planner's; as text, and as bars."""

from __future__ import annotations

import importlib
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import convgrad as torch
from convgrad import backends, kernels, nn
from convgrad.errors import ShapeError
from convgrad.kernels import native, planner
from convgrad.kernels.algorithms import Cost
from convgrad.nn import functional as F
from convgrad.switches import switches
from convgrad.tools.explanation import PARTS, bytes_text, time_text

from ..kernels.fakes import Fake

module = importlib.import_module("convgrad.tools.explain")
explain = torch.explain
needs_native = pytest.mark.skipif(kernels.table.name != "native", reason="no compiled kernels in use")


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch):
    """Four made-up algorithms."""
    fakes = (
        Fake("winograd", Cost(0.8, 0.02, 0.18), exact=False, remark="2.25x fewer products", scratch_bytes=2**20,
             unfit=lambda p: "" if p.taps == 9 and p.stride == (1, 1, 1) else "wants 3x3 kernels and stride 1"),
        Fake("direct_lanes", Cost(1.8, 0.02, 0.0)),
        Fake("fft", Cost(0.1, 0.1, 20.0), exact=False),
        Fake("depthwise", unfit=lambda p: "wants one channel per group"),
    )  # fmt: skip
    native._forget()
    monkeypatch.setattr(planner, "ALGORITHMS", fakes)
    yield fakes
    for name in ("strict", "benchmark"):
        switches.turn(name, False)
    native._forget()


def texts(svg: str) -> str:
    """All that is written in a picture; fails if it is no sound XML."""
    root = ElementTree.fromstring(svg)
    return "\n".join([node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text")])


# ---- what is explained


@needs_native
def test_a_layer_names_what_computes_each_part_and_why(table) -> None:
    found = explain(nn.Conv2d(4, 6, 3, padding=1), (2, 4, 9, 8))
    assert found.chosen == dict.fromkeys(PARTS, "winograd")
    part = found.parts[0]
    assert [one.name for one in part.candidates] == ["winograd", "direct_lanes", "fft"]
    best, direct, fft = part.candidates
    assert best.cost == Cost(0.8, 0.02, 0.18) and best.cut == (7, 3)
    assert best.why.startswith("1.82x quicker than direct_lanes; 2.25x fewer products; 80 % arithmetic")
    assert best.memory % 2**20 == 0 and best.memory > 0
    assert direct.why == "1.82x the time, mostly for its arithmetic"
    assert fft.why.startswith("20x the time, mostly for its overhead")
    assert [(one.name, one.why) for one in part.unfit] == [("depthwise", "wants one channel per group")]
    assert best.measured is None and best.seconds == pytest.approx(1.0)
    assert [part.problem for part in found.parts] == [
        f"{what} of a convolution of (2, 4, 9, 8) with (6, 4, 3, 3), float32"
        for what in ("the output", "the input gradient", "the weight gradient")
    ]


@needs_native
def test_it_prints_a_table(table) -> None:
    found = explain(nn.Conv2d(4, 6, 3, padding=1), (2, 4, 9, 8))
    text = str(found)
    assert repr(found) == text
    lines = text.splitlines()
    assert lines[0] == "Conv2d(4, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)) on (2, 4, 9, 8)"
    assert lines[1] == f"float32, {native.machine().instruction_set}, estimates for 2 threads"
    assert lines[3] == "output: winograd"
    assert lines[4].split() == ["algorithm", "estimated", "scratch", "blocks"]
    assert lines[5].split()[:4] == [">", "winograd", "1.00", "s"] and lines[5].endswith("7 3")
    assert lines[6].strip().startswith("1.82x quicker")
    assert "  - depthwise: wants one channel per group" in lines
    assert [line for line in lines if line.startswith(PARTS)] == [f"{part}: winograd" for part in PARTS]


@needs_native
@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: explain(F.conv1d, (4, 20), (6, 2, 3), stride=2, groups=2), "(1, 4, 20) with (6, 2, 3), stride (2,), groups 2, float32"),
        (lambda: explain(torch.conv2d, torch.zeros(1, 2, 5, 5, dtype=torch.float64), torch.zeros(3, 2, 2, 2)), "(1, 2, 5, 5) with (3, 2, 2, 2), float64"),
        (lambda: explain(F.conv3d, [1, 1, 3, 4, 5], [2, 1, 2, 2, 2], dtype=torch.float64), "(1, 1, 3, 4, 5) with (2, 1, 2, 2, 2), float64"),
        (lambda: explain(F.conv1d, (1, 2, 9), (3, 2, 3), dtype=torch.float16), "(1, 2, 9) with (3, 2, 3), float32"),
        (lambda: explain(nn.Conv1d(2, 3, 3, padding=2, padding_mode="circular"), (1, 2, 9)), "(1, 2, 9) with (3, 2, 3), circular borders, float32"),
        (lambda: explain(nn.Conv1d(2, 3, 4, padding="same").double(), (2, 9)), "(1, 2, 9) with (3, 2, 4), float64"),
    ],
)  # fmt: skip
def test_functions_and_layers_of_every_kind(call: Any, problem: str) -> None:
    assert call().parts[0].problem == f"the output of a convolution of {problem}"


@needs_native
def test_a_transposed_convolution_is_the_adjoint_of_one() -> None:
    for found in (
        explain(nn.ConvTranspose1d(4, 6, 3, stride=2, output_padding=1), (2, 4, 10)),
        explain(F.conv_transpose1d, (2, 4, 10), (4, 6, 3), stride=2, output_padding=1),
    ):
        assert [part.problem for part in found.parts] == [
            f"{what} of a convolution of (2, 6, 22) with (4, 6, 3), stride (2,), float32"
            for what in ("the input gradient", "the output", "the weight gradient")
        ]


@needs_native
def test_the_input_gradient_under_a_border_is_that_of_the_padded_input() -> None:
    found = explain(nn.Conv1d(2, 3, 3, padding=2, padding_mode="reflect"), (1, 2, 9))
    assert (
        found.parts[1].problem == "the input gradient of a convolution of (1, 2, 13) with (3, 2, 3), float32"
    )


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect")
        self.norm = nn.BatchNorm2d(4)
        self.shared = nn.Conv2d(4, 4, 3)
        self.unused = nn.Conv2d(4, 4, 3)
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)

    def forward(self, x: Any) -> Any:
        x = self.norm(self.stem(x))
        return self.up(self.shared(input=self.shared(x)))


def test_a_network_is_run_once_and_left_as_it_was() -> None:
    net = Net()
    net.norm.eval()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    found = explain(net, (2, 1, 9, 8))
    assert list(found.layers) == ["stem", "shared", "shared on 2 × 4 × 7 × 6", "up"]
    assert (
        found.layers["up"].title == "ConvTranspose2d(4, 2, kernel_size=(2, 2), stride=(2, 2)) on (2, 4, 5, 4)"
    )
    assert net.training and net.stem.training and not net.norm.training
    assert all(np.array_equal(value.numpy(), state[name].numpy()) for name, value in net.state_dict().items())
    net(torch.zeros(2, 1, 9, 8))
    assert len(found.layers) == 4  # the hooks are gone
    lines = str(found).splitlines()
    assert lines[0] == "Net on (2, 1, 9, 8)"
    assert lines[3].split() == ["layer", "output", "input", "gradient", "weight", "gradient", "convolution"]
    assert lines[4].startswith("stem ") and lines[4].endswith("padding_mode=reflect) on (2, 1, 9, 8)")


def test_a_network_that_fails_loses_its_hooks_too() -> None:
    net = Net()
    with pytest.raises(ShapeError):
        explain(net, (2, 3, 9, 8))
    assert net.training
    net(torch.zeros(2, 1, 9, 8))


def test_a_network_without_convolutions() -> None:
    found = explain(nn.Linear(3, 2), torch.ones(4, 3))
    assert str(found) == "Linear on (4, 3)\nno convolution ran"
    assert "no convolution ran" in texts(found.picture().svg)


# ---- under switches, and without compiled kernels


@needs_native
def test_what_is_not_allowed_says_so(table) -> None:
    layer, shape = nn.Conv2d(4, 6, 3), (2, 4, 9, 8)
    backends.convolution.strict = True
    found = explain(layer, shape)
    assert found.chosen["output"] == "direct_lanes" and "strict" in found.settings
    assert {one.name: one.why.partition(":")[0] for one in found.parts[0].unfit} == {
        "winograd": "strict", "fft": "strict", "depthwise": "wants one channel per group",
    }  # fmt: skip
    backends.convolution.strict = False
    with backends.convolution.algorithm("fft"):
        found = explain(layer, shape)
    assert found.chosen["output"] == "fft" and found.settings.endswith("algorithm 'fft' asked for")
    assert found.parts[0].candidates[0].why.startswith("asked for; the only one that fits")
    with backends.convolution.algorithm("depthwise"):
        found = explain(layer, shape)
    assert found.chosen["output"] == "none"
    assert (
        "a call fails: depthwise wants one channel per group. These can: winograd, direct_lanes, fft"
        in str(found)
    )
    with backends.convolution.algorithm("reference"):
        part = explain(layer, shape).parts[0]
    assert part.chosen.name == "reference" and part.chosen.why.startswith(
        "'reference' was asked for; NumPy: windows"
    )


@needs_native
def test_one_that_wants_too_much_scratch_is_not_chosen(table) -> None:
    table[0]._scratch = 2**30
    part = explain(nn.Conv2d(4, 6, 3), (2, 4, 9, 8)).parts[0]
    assert [one.name for one in part.candidates] == ["direct_lanes", "winograd", "fft"]
    assert part.candidates[1].why == "its scratch is more than 16 MB and the operands"


@needs_native
def test_what_the_clock_chose_says_so(table, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVGRAD_CACHE", str(tmp_path))
    monkeypatch.setattr(module.timings, "_stores", {})
    monkeypatch.setattr(module.timings, "clock", lambda plan: {"fft": 1.0}.get(plan.name, 2.0))
    backends.convolution.benchmark = True
    found = explain(nn.Conv2d(4, 6, 3), (2, 4, 9, 8))
    assert found.chosen["output"] == "fft" and found.settings.endswith("benchmark")
    assert found.parts[0].candidates[0].why.startswith("the quickest by the clock; ")


@needs_native
def test_measured_times_stand_beside_the_estimates(table) -> None:
    found = explain(nn.Conv2d(4, 6, 3), (2, 4, 9, 8), measure=True)
    part = found.parts[0]
    assert part.candidates[0].name == "winograd"
    assert sorted(one.name for one in part.candidates) == ["direct_lanes", "fft", "reference", "winograd"]
    assert all(one.measured > 0 for one in part.candidates)
    assert "measured" in str(found).splitlines()[4]
    assert "measured" in texts(found.picture().svg)


@pytest.mark.parametrize("kernel", [3, 300])
def test_without_compiled_kernels_the_route_of_numpy_is_told(
    kernel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = backends.info()["kernels"]
    monkeypatch.setattr(native, "available", lambda: False)
    monkeypatch.setattr(module, "why_not_native", lambda: "not built")
    backends.use("reference")
    try:
        found = explain(F.conv1d, (1, 2, 2000), (4, 2, kernel), measure=kernel == 3)
    finally:
        backends.use(before)
    assert found.settings == "float32, reference kernels; there are no compiled ones: not built"
    assert found.chosen == dict.fromkeys(PARTS, "reference")
    why = "Fourier transforms of overlapping frames" if kernel == 300 else "windows copied into columns"
    assert all(why in part.chosen.why for part in found.parts)
    assert why in texts(found.picture().svg)


@needs_native
def test_other_dtypes_and_empty_arrays_are_numpys() -> None:
    for found in (
        explain(F.conv1d, (1, 2, 9), (3, 2, 3), dtype=torch.complex64),
        explain(F.conv1d, (0, 2, 9), (3, 2, 3)),
    ):
        assert found.chosen["output"] == "reference"
        assert "the compiled kernels take float32 and float64, and no empty arrays" in str(found)


# ---- refused


def test_other_targets_are_refused() -> None:
    for target in (F.relu, 3, [nn.Conv1d(1, 1, 1)], "conv2d"):
        with pytest.raises(
            TypeError, match="explain: takes a convolution layer, a module that holds some, or one of"
        ):
            explain(target, (1, 2, 3))
    with pytest.raises(TypeError, match="conv2d needs weight_shape"):
        explain(F.conv2d, (1, 2, 3, 3))
    with pytest.raises(ShapeError, match="to have 4 channels, but got 3 channels"):
        explain(nn.Conv1d(4, 4, 3), (1, 3, 9))


# ---- pictures


@needs_native
def test_the_picture_shows_every_candidate_and_reason(table) -> None:
    found = explain(nn.Conv2d(4, 6, 3), (2, 4, 9, 8))
    written = texts(found.picture().svg)
    for word in (
        "✓ winograd",
        "direct_lanes",
        "fft",
        "depthwise",
        "1.00 s, scratch",
        "wants one channel per group",
    ):
        assert written.count(word) >= 3
    assert "estimated arithmetic" in written
    assert found._repr_html_().startswith("<div") and "<svg" in found._repr_html_()
    root = ElementTree.fromstring(found.picture().svg)
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert (
            left <= float(rect.attrib["x"])
            and float(rect.attrib["x"]) + float(rect.attrib["width"]) <= left + width
        )
        assert top <= float(rect.attrib["y"]) <= top + height


@needs_native
def test_bars_are_as_long_as_times_and_a_hopeless_one_is_broken_off(table) -> None:
    svg = explain(nn.Conv2d(4, 6, 3), (2, 4, 9, 8)).picture().svg
    root = ElementTree.fromstring(svg)
    bars: dict[str, float] = {}
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        if rect.attrib["height"] == "13":
            bars[rect.attrib["y"]] = bars.get(rect.attrib["y"], 0.0) + float(rect.attrib["width"])
    first, second, third = list(bars.values())[:3]
    assert second / first == pytest.approx(1.82, rel=0.01)
    assert third / first == pytest.approx(4.0, rel=0.01)  # 20, cut off
    assert svg.count("l-paper") >= 2


def test_the_picture_of_a_network_has_a_bar_for_each_layer() -> None:
    found = explain(Net(), (2, 1, 9, 8))
    written = texts(found.picture().svg)
    for word in ("stem", "shared", "up", *PARTS):
        assert word in written
    html = found._repr_html_()
    assert html.count("<details>") == html.count("</details>") == 4


def test_texts_of_times_and_sizes() -> None:
    assert [time_text(t) for t in (None, 0.9996, 9.996e-4, 123.4, 1e-10)] == [
        "",
        "1.00 s",
        "1.00 ms",
        "123 s",
        "0.100 ns",
    ]
    assert [bytes_text(n) for n in (None, 0, 1024, 5 * 2**30)] == ["", "0 B", "1.0 KB", "5.0 GB"]


def test_it_is_at_the_top_and_loaded_late() -> None:
    assert "explain" in dir(torch)
    assert torch.explain is module.explain
