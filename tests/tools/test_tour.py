"""The tour: its rows hold, each notices when what it shows is broken; the page; the command line."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import wave
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convgrad
from convgrad import __main__ as command_line
from convgrad import datasets, nn, tools
from convgrad.datasets import PACKAGED, read_wav
from convgrad.ops.elementwise import Mul, Pow, Sub
from convgrad.tensor.tensor import Tensor
from convgrad.tools import tour
from convgrad.tools.tour import by_hand, command
from convgrad.tools.tour.progress import progress
from convgrad.tools.tour.row import (
    PREAMBLE,
    Check,
    Result,
    Row,
    Settings,
    Spec,
    Talk,
    compare,
    in_order,
    tally,
)
from convgrad.tools.tour.screen import Screen
from convgrad.tools.tour.snippet import Snippet, prompted
from convgrad.tools.tour.threads import one_blas_thread, openblas_switches

KEYS = [f"L{n}" for n in range(1, 15)]


class Quick:
    """One quick run, for all tests that only look at it."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.settings = Settings(out, quick=True, seed=0)
        stream = io.StringIO()
        self.results = tour.run_tour(self.settings, stream)
        self.printed = stream.getvalue()
        self.page = (out / "tour.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Quick:
    return Quick(tmp_path_factory.mktemp("tour"))


# ---- the rows


def test_the_rows_are_the_lectures() -> None:
    assert [spec.key for spec in in_order()] == KEYS


@pytest.mark.parametrize("key", KEYS)
def test_row_holds(quick: Quick, key: str) -> None:
    result = quick.results[key]
    assert result.error == ""
    assert [check for check in result.checks if not check.ok] == []
    assert len(result.checks) >= 3


@pytest.mark.parametrize("key", [key for key in KEYS if key != "L14"])
def test_shown_code_runs_as_it_stands(quick: Quick, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Copied out of the page into an empty namespace it prints the same again."""
    talks = [part for part in quick.results[key].parts if isinstance(part, Talk)]
    names: dict[str, Any] = {}
    exec(PREAMBLE.format(seed=0), names)
    again = [
        pair for talk in talks for pair in Snippet("\n".join(s for s, _ in talk.pairs), key).transcript(names)
    ]
    printed = [output for talk in talks for _, output in talk.pairs]
    address = re.compile("0x[0-9a-f]+")
    assert [address.sub("0x", out) for _, out in again] == [address.sub("0x", out) for out in printed]
    assert capsys.readouterr().out == ""


def printed_by(quick: Quick, key: str) -> str:
    talks = [part for part in quick.results[key].parts if isinstance(part, Talk)]
    return "".join(output for talk in talks for _, output in talk.pairs)


LECTURE = {
    "L5": [
        "torch.Size([16, 2, 3])",
        "torch.Size([16])",
        "torch.Size([1, 16, 62])",
        "torch.Size([1, 16, 60])",
    ],
    "L6": ["torch.Size([16, 20, 3, 5])", "torch.Size([1, 16, 62, 124])", "torch.Size([1, 16, 64, 128])"],
    "L7": ["<SubBackward0 object at 0x", "tensor(4.5000, grad_fn=<MeanBackward0>)"],
    "L9": ["tensor([[-1.5000,  0.0000],\n        [ 1.5000,  3.0000]])"],
    "L10": ["tensor([1.0240e+02, 1.0240e+03, 1.0240e-01])\n9\n"],
    "L11": ["tensor([1., 1., 1.])\ntensor([1., 2., 3.])", "RuntimeError!!! >:["],
    "L12": ["RuntimeError!!! >:["],
}


@pytest.mark.parametrize("key", LECTURE)
def test_row_prints_what_the_lecture_prints(quick: Quick, key: str) -> None:
    printed = printed_by(quick, key)
    assert [text for text in LECTURE[key] if text not in printed] == []


# ---- every row notices what breaks it


def scaled(vjp: Callable[..., Any]) -> Callable[..., Any]:
    """The same formula, wrong by 1 %, with the parameters that the recorder looks at."""
    names = ", ".join(vjp.__code__.co_varnames[: vjp.__code__.co_argcount])
    space: dict[str, Any] = {"vjp": vjp}
    exec(f"def wrong({names}): return 1.01 * vjp({names})", space)
    return space["wrong"]


def wrong_vjp(patch: pytest.MonkeyPatch, op: Any) -> None:
    patch.setattr(op, "vjps", tuple([vjp and scaled(vjp) for vjp in op.vjps]))


def changed(patch: pytest.MonkeyPatch, owner: Any, name: str, change: Callable[..., Any]) -> None:
    """``owner.name`` gives ``change(result, *arguments)``."""
    original = getattr(owner, name)
    patch.setattr(owner, name, lambda *args, **options: change(original(*args, **options), *args))


def break_matrix(patch: pytest.MonkeyPatch) -> None:
    changed(patch, nn.Conv1d, "as_matrix", lambda matrix, *_: matrix * 1.001)


def break_figures(patch: pytest.MonkeyPatch) -> None:
    original = tools.stacked_kernels
    patch.setattr(tools, "stacked_kernels", lambda w, x: original(w.detach().numpy()[:, :, ::-1], x))


def break_sound(patch: pytest.MonkeyPatch) -> None:
    original = datasets.write_wav
    patch.setattr(datasets, "write_wav", lambda path, data, rate: original(path, data[::-1], rate))


def break_arguments(patch: pytest.MonkeyPatch) -> None:
    """One padding mode, off by a little."""
    bad = {"circular": 1.001}
    changed(patch, nn.Conv1d, "forward", lambda y, layer, _: y * bad.get(layer.padding_mode, 1.0))


def break_width(patch: pytest.MonkeyPatch) -> None:
    changed(patch, nn.Conv1d, "forward", lambda y, *_: y[..., 1:])


def break_size(patch: pytest.MonkeyPatch) -> None:
    changed(patch, nn.Conv2d, "forward", lambda y, *_: y.transpose(2, 3))


def break_node_name(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Sub, "backward_name", "SubtractBackward0")


def break_chart(patch: pytest.MonkeyPatch) -> None:
    original = tools.draw_graph
    patch.setattr(tools, "draw_graph", lambda root, names: original(root, names=names, show_values=False))


def break_power(patch: pytest.MonkeyPatch) -> None:
    wrong_vjp(patch, Pow)


def break_product(patch: pytest.MonkeyPatch) -> None:
    wrong_vjp(patch, Mul)


def break_dot(patch: pytest.MonkeyPatch) -> None:
    w = convgrad.ones(3, requires_grad=True)
    wrong_vjp(patch, (w @ w).grad_fn.op)


def break_no_grad(patch: pytest.MonkeyPatch) -> None:
    class Useless(contextlib.ContextDecorator):
        def __enter__(self) -> None: ...
        def __exit__(self, *error: object) -> None: ...

    patch.setattr(convgrad, "no_grad", Useless)


def break_one_hot(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tensor, "scatter_", lambda self, *_: self)


def break_permutation(patch: pytest.MonkeyPatch) -> None:
    """Pixels that stay where they are: the convnet keeps its lead."""
    patch.setattr(convgrad, "randperm", convgrad.arange)


BREAKS = dict(
    zip(
        KEYS,
        [
            break_matrix,
            break_figures,
            break_sound,
            break_arguments,
            break_width,
            break_size,
            break_node_name,
            break_chart,
            break_power,
            break_product,
            break_dot,
            break_no_grad,
            break_one_hot,
            break_permutation,
        ],
        strict=True,
    )
)


@pytest.mark.parametrize("key", KEYS)
def test_broken_row_is_named_and_the_exit_code_is_1(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "in_order", lambda: [tour.ROWS[key]])
    BREAKS[key](monkeypatch)
    code = command_line.main(["tour", "--quick", "--no-html", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert code == 1
    assert f"FAILED  {key} " in printed
    assert f"0 of 1 rows hold; FAILED: {key};" in printed


def rows(*functions: Callable[[Row], None]) -> list[Spec]:
    return [Spec(f"L{n}", f"row {n}", "A claim.", function) for n, function in enumerate(functions, 1)]


def good(r: Row) -> None:
    r.check("one and one", 1 + 1, 2)


def test_error_in_a_row_leaves_the_others_running(tmp_path: Path) -> None:
    def failing(r: Row) -> None:
        r.run("x = 1\ny = x / 0")

    stream = io.StringIO()
    results = tour.run_tour(Settings(tmp_path), stream, rows(failing, good))
    assert [result.ok for result in results.values()] == [False, True]
    assert "ZeroDivisionError: division by zero" in stream.getvalue()
    assert "line 2: y = x / 0" in stream.getvalue()
    assert tally(results) == "1 of 2 rows hold; FAILED: L1"
    assert "ZeroDivisionError" in (tmp_path / "tour.html").read_text(encoding="utf-8")


def test_row_without_a_check_does_not_hold(tmp_path: Path) -> None:
    results = tour.run_tour(Settings(tmp_path), io.StringIO(), rows(lambda r: r.say("Nothing.")))
    assert not results["L1"].ok
    assert "nothing was checked" in (tmp_path / "tour.html").read_text(encoding="utf-8")


def test_rows_do_not_see_each_others_names(tmp_path: Path) -> None:
    def first(r: Row) -> None:
        r.run("secret = 1")
        good(r)

    def second(r: Row) -> None:
        r.check("unknown", "secret" in r.names, False)

    assert all(
        result.ok for result in tour.run_tour(Settings(tmp_path), io.StringIO(), rows(first, second)).values()
    )


# ---- the page and the sounds


def test_page_is_well_formed(quick: Quick) -> None:
    text = quick.page.removeprefix("<!DOCTYPE html>\n").replace("<audio controls ", "<audio ")
    root = ET.fromstring(text)
    assert [section.get("id") for section in root.iter("section")] == ["summary", *KEYS]
    assert len(list(root.iter("audio"))) == 3
    assert len(list(root.iter("{http://www.w3.org/2000/svg}svg"))) >= 14


def test_page_loads_nothing_from_elsewhere(quick: Quick) -> None:
    resources = re.findall(r"""(?:src|href|action|data)\s*=\s*["']([^"']{0,40})""", quick.page)
    assert resources
    assert [place for place in resources if not place.startswith(("#", "data:"))] == []
    assert not re.search(r"<script|<link|<iframe|@import|url\((?!#|data:)", quick.page)
    assert set(re.findall(r"https?://[^\s\"'<)]+", quick.page)) <= {"http://www.w3.org/2000/svg"}


def test_page_shows_code_output_and_checks(quick: Quick) -> None:
    assert "checks hold" in quick.page
    assert "✗ fails" not in quick.page
    for text in ("torch.Size([16, 2, 3])", "SubBackward0", "Kernels stacked and shifted", "Learned kernels"):
        assert text in quick.page


def test_no_half_written_files_are_left(quick: Quick) -> None:
    assert sorted(path.name for path in quick.out.iterdir()) == [
        "tour-echo.wav",
        "tour-smooth.wav",
        "tour.html",
    ]


@pytest.mark.parametrize(("name", "longer"), [("tour-smooth.wav", 0.0), ("tour-echo.wav", 0.6)])
def test_wav_can_be_read(quick: Quick, name: str, longer: float) -> None:
    before, rate = read_wav(PACKAGED / "ambi_choir.wav")
    with wave.open(str(quick.out / name), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, rate)
        assert file.getnframes() == before.shape[1] + 5 * int(longer / 5 * rate)
        loudest = np.abs(np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(int)).max()
    assert 3000 < loudest < 32000


def test_terminal_text_is_plain(quick: Quick) -> None:
    assert "\33" not in quick.printed
    assert "14 of 14 rows hold" in quick.printed
    assert ">>> conv = nn.Conv1d(2, 16, 3)" in quick.printed


# ---- the command line


def test_without_arguments_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main([]) == 0
    assert "tour" in capsys.readouterr().out


def test_module_can_be_run() -> None:
    source = {**os.environ, "PYTHONPATH": str(Path(convgrad.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "convgrad"], capture_output=True, text=True, env=source, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: convgrad" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (["tour", "--seed", "x"], "expected a whole number from 0 to 2**32 - 1, got 'x'"),
        (["tour", "--seed", "-1"], "expected a whole number"),
        (["tour", "--seed", "4294967296"], "expected a whole number"),
        (["tour", "--fast"], "unrecognized arguments: --fast"),
        (["tour", "--out"], "expected one argument"),
        (["turo"], "invalid choice: 'turo'"),
    ],
)
def test_bad_arguments(arguments: list[str], phrase: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command_line.main(arguments)
    assert stop.value.code == 2
    assert phrase in capsys.readouterr().err


def test_folder_that_cannot_be_written_is_refused_before_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "run_tour", lambda *_: pytest.fail("it began to work"))
    (tmp_path / "file").write_text("in the way")
    assert command_line.main(["tour", "--out", str(tmp_path / "file" / "sub")]) == 2
    assert "cannot write to --out" in capsys.readouterr().err
    assert command_line.main(["tour", "--out", str(tmp_path / "file")]) == 2


def test_folder_is_made_and_html_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "in_order", lambda: rows(good))
    assert command_line.main(["tour", "--no-html", "--out", str(tmp_path / "a" / "b")]) == 0
    assert list((tmp_path / "a" / "b").iterdir()) == []
    assert command_line.main(["tour", "--out", str(tmp_path / "a" / "b")]) == 0
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["tour.html"]


def test_seed_reaches_the_rows(tmp_path: Path) -> None:
    drawn = []

    def draw(r: Row) -> None:
        r.run("x = torch.rand(3)")
        drawn.append(r["x"].tolist())
        good(r)

    for seed in (1, 1, 2):
        tour.run_tour(Settings(tmp_path, html=False, seed=seed), io.StringIO(), rows(draw))
    assert drawn[0] == drawn[1] != drawn[2]


def test_interrupt_and_closed_pipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(_: Row) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "in_order", lambda: rows(interrupt))
    assert command_line.main(["tour", "--out", str(tmp_path)]) == 130
    assert list(tmp_path.iterdir()) == []


# ---- what the rows are made of


def test_snippet_shows_each_statement_with_its_output() -> None:
    names: dict[str, Any] = {}
    pairs = Snippet(
        "\n  # a comment\n  x = 2\n  x + 1  # three\n  for i in range(2):\n      print(i)\n", "t"
    ).transcript(names)
    assert pairs == [
        ("# a comment\nx = 2\nx + 1  # three", "3\n"),
        ("for i in range(2):\n    print(i)", "0\n1\n"),
    ]
    assert names["x"] == 2


def test_prompts() -> None:
    assert prompted("# note\nif x:\n    y") == ">>> # note\n>>> if x:\n...     y\n"


def test_output_is_passed_on_while_it_is_printed() -> None:
    heard: list[str] = []
    Snippet("print(1)\nprint(2)", "t").transcript({}, heard.append)
    assert "".join(heard) == ">>> print(1)\n1\n>>> print(2)\n2\n"


@pytest.mark.parametrize(
    ("got", "want", "rel", "ok"),
    [
        (1.0, 1.0, 0.0, True),
        (1.0, 1.001, 1e-4, False),
        (1.0, 1.001, 1e-2, True),
        ([1.0, np.nan], [1.0, 2.0], 1e-2, False),
        ([1.0], [1.0, 1.0], 1.0, False),
        ("a", "a", 0.0, True),
        ("a", "b", 0.0, False),
        ((1, 2), (1, 2), 0.0, True),
        (True, False, 0.0, False),
        (np.zeros((0, 3)), np.zeros((0, 3)), 0.0, True),
        (5, 4, 0.0, False),
    ],
)
def test_compare(got: Any, want: Any, rel: float, ok: bool) -> None:
    same, detail = compare(got, want, rel)
    assert (same, bool(detail)) == (ok, True)


def test_result_needs_checks_that_hold() -> None:
    spec = rows(good)[0]
    assert Result(spec, [Check("a", True)], 0.0).ok
    assert not Result(spec, [Check("a", True), Check("b", False)], 0.0).ok
    assert not Result(spec, [Check("a", True)], 0.0, "ValueError").ok
    assert not Result(spec, [], 0.0).ok


def test_one_blas_thread_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    switches = openblas_switches()
    if not switches:
        pytest.skip("NumPy has no OpenBLAS here")
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GOTO_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    get, put = switches[0]
    before = get()
    put(2)
    with one_blas_thread():
        assert get() == 1
    assert get() == 2
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    with one_blas_thread():
        assert get() == 2
    put(before)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_screen_uses_colour_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    seen = {}
    for stream in (Terminal(), io.StringIO()):
        screen = Screen(stream)
        screen.heading("L1", "Title")
        screen.raw(">>> x = 1\n")
        screen.check("name", True, "detail")
        seen[type(stream)] = stream.getvalue()
    assert "\33[" in seen[Terminal] and "\33[" not in seen[io.StringIO]
    assert re.sub("\33\\[\\d+m", "", seen[Terminal]) == seen[io.StringIO]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_yields_everything(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(progress([1, 2, 3], "counting")) == [1, 2, 3]
    assert "counting" in stream.getvalue()
    assert ("counting: 3 batches in" in stream.getvalue()) is not terminal


def convolve_slowly(x: np.ndarray, w: np.ndarray, stride: int, dilation: int) -> Iterator[float]:
    for start in range(0, x.shape[1] - dilation * (w.shape[2] - 1), stride):
        yield sum(
            x[c, start + k * dilation] * w[0, c, k] for c in range(x.shape[0]) for k in range(w.shape[2])
        )


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 3), (3, 2)])
def test_the_other_route_is_right(stride: int, dilation: int) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 15)), rng.standard_normal((1, 2, 3))
    got = by_hand.cross_correlate(x, w, stride=stride, dilation=dilation)
    np.testing.assert_allclose(got[0], list(convolve_slowly(x, w, stride, dilation)), rtol=1e-12)


def test_the_other_route_in_two_dimensions() -> None:
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((1, 2, 4, 5)), rng.standard_normal((3, 2, 2, 3)), rng.standard_normal(3)
    want = [
        [[(x[0, :, i : i + 2, j : j + 3] * w[o]).sum() + b[o] for j in range(3)] for i in range(3)]
        for o in range(3)
    ]
    np.testing.assert_allclose(by_hand.cross_correlate_2d(x, w, b)[0], want, rtol=1e-12)
