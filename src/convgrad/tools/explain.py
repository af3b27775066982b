"""``explain``: which algorithm computes a convolution, what it should cost, and why the others do not."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import numpy as np

from convgrad import dtypes, kernels
from convgrad.autograd import no_grad
from convgrad.dtypes import F32, F64
from convgrad.kernels import borders, native, planner, reference, timings
from convgrad.kernels.algorithms import Machine
from convgrad.kernels.geometry import ConvPlan, Geometry, Ints, plan_conv, plan_conv_transpose
from convgrad.kernels.machine import _native, why_not_native
from convgrad.kernels.planner import REFERENCE, Plan, UnfitError
from convgrad.kernels.problem import FORWARD, INPUT_GRAD, WEIGHT_GRAD, Problem, in_words
from convgrad.nn import functional as F
from convgrad.nn.functional.conv import plan_border
from convgrad.nn.module import Module
from convgrad.nn.modules.conv import _ConvNd
from convgrad.tensor.tensor import Tensor
from convgrad.tools.explanation import PARTS, Candidate, Explanation, ModelExplanation, Part
from convgrad.tools.values import shape_text

#: the functions that are convolutions: (spatial dimensions, transposed)
_FUNCTIONS: dict[Any, tuple[int, bool]] = {
    F.conv1d: (1, False), F.conv2d: (2, False), F.conv3d: (3, False),
    F.conv_transpose1d: (1, True), F.conv_transpose2d: (2, True), F.conv_transpose3d: (3, True),
}  # fmt: skip
_NUMPY_RUNS, _NUMPY_SECONDS = 3, 0.3


class _Shapes(NamedTuple):
    """One convolution: shapes, and where its windows lie. ``size`` is the spatial size of what it is of."""

    x: Ints  # as the convolution proper sees it: of a transposed one, its result
    w: Ints
    y: Ints
    geometry: Geometry
    transposed: bool
    dtype: np.dtype[Any]


def explain(
    target: Any, input_shape: Any, weight_shape: Any = None, *, measure: bool = False, dtype: Any = None,
    **options: Any,
) -> Explanation | ModelExplanation:  # fmt: skip
    """Say how convolutions are computed: the algorithms that could, their costs, which is used and why.

    What is shown is what would happen now, with the kernels in use and the switches of
    ``backends.convolution`` as they are.

    Args:
        target: a convolution layer; a module that holds some, which is then run once in evaluation mode on an
            input of that shape; or one of the functions ``nn.functional.conv1d`` to ``conv_transpose3d``.
        input_shape: ``(N, C, *S)`` or ``(C, *S)``, or an input to take the shape of. For a module also an
            example input where zeros of the shape would not do.
        weight_shape: of the weight (or the weight itself), for a function.
        measure: time every candidate too, on random numbers.
        dtype: of the input; by default that of the layer's weight, and float32 for a function.
        options: the function's other arguments: stride, padding, dilation, groups, output_padding.
    Returns:
        An object that prints as text and shows as bars in a notebook; ``picture()`` gives the bars,
        ``parts`` (for a module: ``layers``) the figures.
    Raises:
        ShapeError: the shapes do not fit, in the words of the convolution itself.
        TypeError: the target is none of these.
    Example:
        >>> explained = explain(F.conv2d, (8, 64, 56, 56), (64, 64, 3, 3), padding=1)
        >>> list(explained.chosen)
        ['output', 'input gradient', 'weight gradient']
    """
    if isinstance(target, _ConvNd):
        return _explain_layer(target, _shape(input_shape), _dtype(dtype, target.weight), measure)
    if isinstance(target, Module):
        return _explain_module(target, input_shape, dtype, measure)
    ndim, transposed = _FUNCTIONS.get(target, (0, False)) if isinstance(target, Hashable) else (0, False)
    if not ndim:
        raise TypeError(
            "explain: takes a convolution layer, a module that holds some, or one of the functions "
            f"nn.functional.conv1d to conv_transpose3d, but got {target!r}"
        )
    if weight_shape is None:
        raise TypeError(f"explain: {target.__name__} needs weight_shape, the shape of its weight")
    x, w = _shape(input_shape), _shape(weight_shape)
    plan = (plan_conv_transpose if transposed else plan_conv)(ndim, x, w, None, **options)
    words = "".join([f", {name}={value}" for name, value in options.items()])
    title = f"{target.__name__} of {x} with {w}{words}"
    return _explanation(title, _shapes(ndim, x, w, plan, transposed, _dtype(dtype, input_shape)), measure)


def _shape(value: Any) -> Ints:
    return tuple([int(n) for n in (value._data.shape if isinstance(value, Tensor) else value)])


def _dtype(wanted: Any, example: Any) -> np.dtype[Any]:
    """The dtype that is computed in: half precision is computed in float32."""
    if wanted is not None:
        found = wanted.np if isinstance(wanted, dtypes.dtype) else np.dtype(wanted)
    else:
        found = example._data.dtype if isinstance(example, Tensor) else F32
    return reference.WIDE.get(found, found)


# ---- what is computed


def _shapes(
    ndim: int, x: Ints, w: Ints, plan: ConvPlan, transposed: bool, dtype: np.dtype[Any]
) -> _Shapes:  # fmt: skip
    batched = x if len(x) == ndim + 2 else (1, *x)
    channels = w[1] * plan.geometry.groups if transposed else w[0]
    out = (batched[0], channels, *plan.output_size)
    first, last = (out, batched) if transposed else (batched, out)
    return _Shapes(first, w, last, plan.geometry, transposed, dtype)


def _explain_layer(layer: _ConvNd, x: Ints, dtype: np.dtype[Any], measure: bool) -> Explanation:
    n, w = layer.ndim, layer.weight._data.shape
    plan: ConvPlan
    if layer.transposed:
        plan = plan_conv_transpose(
            n, x, w, None, layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation
        )
    elif layer.padding_mode == "zeros":
        plan = plan_conv(n, x, w, None, layer.stride, layer.padding, layer.dilation, layer.groups)
    else:
        widths = tuple(layer._reversed_padding_repeated_twice)
        plan = plan_border(
            n, x, w, None, layer.stride, widths, layer.dilation, layer.groups, layer.padding_mode
        )
    title = f"{type(layer).__name__}({layer.extra_repr()}) on {x}"
    return _explanation(title, _shapes(n, x, w, plan, layer.transposed, dtype), measure)


def _explain_module(module: Module, example: Any, dtype: Any, measure: bool) -> ModelExplanation:
    """Run the module once and explain each convolution layer on the shape that it was given."""
    names = {
        layer: name or "(itself)" for name, layer in module.named_modules() if isinstance(layer, _ConvNd)
    }
    seen: dict[tuple[str, Ints], Explanation] = {}

    def note(layer: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        input = arguments[0] if arguments else named["input"]
        place = names[layer], _shape(input)
        if place not in seen:
            seen[place] = _explain_layer(layer, place[1], _dtype(None, input), measure)

    handles = [layer.register_forward_pre_hook(note, with_kwargs=True) for layer in names]
    modes = [(each, each.training) for each in module.modules()]
    if not isinstance(example, Tensor):
        weight = next(iter(module.parameters()), None)
        kind = _dtype(dtype, weight) if dtype is not None or weight is None else weight._data.dtype
        example = Tensor(np.zeros(_shape(example), kind), None)
    try:
        module.eval()
        with no_grad():
            module(example)
    finally:
        for handle in handles:
            handle.remove()
        for each, mode in modes:
            each.training = mode
    layers: dict[str, Explanation] = {}
    for (name, shape), found in seen.items():
        layers[name if name not in layers else f"{name} on {shape_text(shape)}"] = found
    return ModelExplanation(f"{type(module).__name__} on {_shape(example)}", layers)


# ---- what computes it


def _explanation(title: str, shapes: _Shapes, measure: bool) -> Explanation:
    """Explain the three things that are computed of a convolution."""
    primitives = [FORWARD, INPUT_GRAD, WEIGHT_GRAD]
    if (
        shapes.transposed
    ):  # its output is the adjoint of a convolution, whose own output is its input gradient
        primitives = [INPUT_GRAD, FORWARD, WEIGHT_GRAD]
    parts = [
        _part(name, primitive, shapes, measure) for name, primitive in zip(PARTS, primitives, strict=True)
    ]
    return Explanation(title, _settings(shapes.dtype), parts)


def _settings(dtype: np.dtype[Any]) -> str:
    """What plans are made for, in a line."""
    if kernels.table.name != "native":
        missing = "" if native.available() else f"; there are no compiled ones: {why_not_native()}"
        return f"{dtype}, {kernels.table.name} kernels{missing}"
    here, wish = native.machine(), native.wish()
    words = [str(dtype), here.instruction_set, f"estimates for {here.threads} threads"]
    words += ["strict"] if wish.strict else []
    words += [f"algorithm {wish.forced!r} asked for"] if wish.forced is not None else []
    words += ["benchmark"] if native.timed() else []
    return ", ".join(words)


def _part(title: str, primitive: str, shapes: _Shapes, measure: bool) -> Part:
    """The candidates for one primitive, the one in use first."""
    geometry, size = shapes.geometry, shapes.x[2:]
    if primitive == INPUT_GRAD and geometry.border != "zeros":  # computed for the padded input, then folded
        geometry, size = borders.unbordered(geometry, size)
    first, second, rest = {
        FORWARD: (shapes.x, shapes.w, None),
        INPUT_GRAD: (shapes.y, shapes.w, size),
        WEIGHT_GRAD: (shapes.x, shapes.y, shapes.w[2:]),
    }[primitive]
    problem, _ = native.problem_of_call(primitive, first, second, geometry, shapes.dtype, rest)
    x = (*shapes.x[:2], *size)
    words = in_words(primitive, x, shapes.w, geometry, shapes.dtype)
    numpy_way = reference.route(shapes.dtype, shapes.w, shapes.y[2:], geometry)
    measured = _numpy_seconds(primitive, first, second, geometry, shapes.dtype, rest) if measure else None
    last = Candidate(REFERENCE, numpy_way, None, measured)
    if kernels.table.name != "native":
        return Part(title, words, [last], [])
    if problem.dtype not in (F32, F64) or problem.empty:
        why = f"{numpy_way}; the compiled kernels take float32 and float64, and no empty arrays"
        return Part(title, words, [last._replace(why=why)], [])
    return Part(title, words, *_planned(problem, native.machine(), last, measure))


def _planned(
    problem: Problem, here: Machine, last: Candidate, measure: bool
) -> tuple[list[Candidate], list[Candidate]]:
    """The candidates that the planner weighed, the one in use first, and those that cannot."""
    wish = native.wish()
    plans = [plan for plan in planner.candidates(problem, here) if not wish.forbids(plan.algorithm)]
    try:
        winner = native.best_plan(problem, here, wish)
    except UnfitError as error:  # an algorithm was asked for that cannot: a call would end so
        return [Candidate("none", f"a call fails: {error}")], []
    unfit = [Candidate(name, why) for name, why in planner.refusals(problem, here, wish).items()]
    found = [_candidate(plan, plans, winner, measure) for plan in plans]
    found.sort(key=lambda candidate: (winner is None or candidate.name != winner.name, candidate.seconds))
    if winner is None:
        asked = f"{REFERENCE!r} was asked for" if wish.forced else "no compiled algorithm fits"
        return [last._replace(why=f"{asked}; {last.why}"), *found], unfit
    return [*found, last] if measure else found, unfit


def _candidate(plan: Plan, plans: list[Plan], winner: Plan | None, measure: bool) -> Candidate:
    if winner is None:
        why = plan.remark
    elif plan.name == winner.name:
        why = planner.why_chosen(plan, [other for other in plans if other.name != plan.name])
        if native.wish().forced is not None:
            why = f"asked for; {why}"
        elif native.timed():
            why = f"the quickest by the clock; {why}"
    elif not plan.fits_memory:
        why = "its scratch is more than 16 MB and the operands"
    else:
        why = planner.why_not_chosen(plan, winner)
    memory = plan.memory(_native.get_num_threads())
    return Candidate(plan.name, why, plan.cost, timings.clock(plan) if measure else None, memory, plan.cut)


def _numpy_seconds(
    primitive: str, first: Ints, second: Ints, geometry: Geometry, dtype: np.dtype[Any], rest: Ints | None
) -> float:
    """Seconds of the reference on random numbers: the least of a few runs."""
    kernels: dict[str, Callable[..., Any]] = {
        FORWARD: reference.convolve,
        INPUT_GRAD: reference.convolve_input_grad,
        WEIGHT_GRAD: reference.convolve_weight_grad,
    }
    random = np.random.default_rng(0)
    a, b = [random.standard_normal(shape).astype(dtype) for shape in (first, second)]
    best, begin = float("inf"), time.perf_counter()
    for _ in range(_NUMPY_RUNS):
        start = time.perf_counter()
        kernels[primitive](a, b, geometry, *([rest] if rest is not None else []))
        best = min(best, time.perf_counter() - start)
        if time.perf_counter() - begin > _NUMPY_SECONDS:
            break
    return best
