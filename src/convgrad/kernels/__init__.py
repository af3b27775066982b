"""The kernels in use: one table, rebound by ``convgrad.backends.use``.

Operators call ``table.convolve(x, w, geometry)`` and never import a kernel file, so another set of
kernels with the same signatures takes over at once. A family of kernels is loaded when the first of
them is called: programs that convolve nothing do not wait for a planner.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from convgrad.dtypes import Array
from convgrad.kernels import machine, threads

Kernel = Callable[..., Any]

__all__ = ["FAMILIES", "Table", "register", "registered", "table"]


class Family(NamedTuple):
    """Kernels that are defined in one module of this folder, in NumPy, and their compiled forms in another.

    ``compiled`` names those of ``kernels`` that ``native`` has; the rest come from the definition.
    """

    native: str
    kernels: tuple[str, ...]
    compiled: tuple[str, ...]


_RECURRENT = ("gru", "gru_grad", "lstm", "lstm_grad", "rnn", "rnn_grad")
_STEPS = ("adagrad", "adam", "clamp_all", "fill_all", "rmsprop", "scale_all", "sgd", "sum_of_squares")
_CONVOLUTIONS = ("convolve", "convolve_input_grad", "convolve_weight_grad")
_NORMS = (
    "batch_norm", "batch_norm_eval", "batch_norm_grad", "channel_sum", "group_norm", "group_norm_grad",
    "layer_norm", "layer_norm_grad", "move_statistics", "rms_norm", "rms_norm_grad",
)  # fmt: skip
_ROWS = (
    "add_along", "add_rows", "extreme_along", "fold", "least_over", "likelihood_grad", "likelihood_loss",
    "log_softmax", "log_softmax_grad", "log_sum_exp_over", "moments_over", "most_over", "move_rows",
    "pair_loss_grad", "pair_loss_sum", "pair_losses", "scan", "softmax", "softmax_grad", "squares_over",
    "sum_over", "take_along", "take_rows", "variance_along",
)  # fmt: skip
_MAPS = (
    "absolute", "absolute_grad", "add_product", "add_quotient", "add_scaled", "arithmetic", "cast", "clamp",
    "clamp_grad", "compare", "contiguous", "copy", "cube", "divisor_grad", "elu", "elu_grad", "erf",
    "erf_grad", "exp", "gelu", "gelu_grad", "gelu_tanh", "gelu_tanh_grad", "hardsigmoid",
    "hardsigmoid_grad", "hardswish", "hardswish_grad", "hardtanh", "hardtanh_grad", "leaky_relu",
    "leaky_relu_grad", "lerp", "log", "log_sigmoid", "log_sigmoid_grad", "lookup", "mapped",
    "maximum_grad", "minimum_grad", "mish", "mish_grad", "negative", "reciprocal",
    "reciprocal_grad", "relu", "relu_grad", "rsqrt", "rsqrt_grad", "select", "sigmoid", "sigmoid_grad",
    "sign", "silu", "silu_grad", "softplus", "softplus_grad", "sqrt", "sqrt_grad", "square", "square_grad",
    "tanh", "tanh_grad",
)  # fmt: skip

#: the module that defines them -> kernels; their functions document them
FAMILIES = {
    "attention": Family(
        "native_attention", ("attention", "attention_grad"), ("attention", "attention_grad")
    ),
    "maps": Family("native_maps", _MAPS, _MAPS),
    "reference": Family("native", _CONVOLUTIONS, _CONVOLUTIONS),
    "norms": Family("native_norms", _NORMS, _NORMS),
    "pooling": Family(
        "native_pooling",
        (
            "adaptive_avg_pool", "adaptive_avg_pool_grad", "adaptive_max_pool", "avg_pool", "avg_pool_grad",
            "max_pool", "max_pool_choice", "max_pool_choice_gather", "max_pool_choice_grad",
            "max_pool_gather", "max_pool_grad", "sums_along",
        ),
        (
            "adaptive_avg_pool", "adaptive_avg_pool_grad", "adaptive_max_pool", "avg_pool", "avg_pool_grad",
            "max_pool", "max_pool_choice", "max_pool_choice_grad", "max_pool_grad", "sums_along",
        ),
    ),
    "products": Family("native_products", ("product",), ("product",)),
    "recurrent": Family("native_recurrent", _RECURRENT, _RECURRENT),
    "steps": Family("native_steps", _STEPS, _STEPS),
    "sampling": Family(
        "native_sampling",
        ("grid_sample", "grid_sample_grad", "grid_slopes"),
        ("grid_sample", "grid_sample_grad", "grid_slopes"),
    ),
    "padding": Family("native_padding", ("pad",), ("pad",)),
    "random": Family("native_random", ("twister",), ("twister",)),
    "rows": Family("native_rows", _ROWS, _ROWS),
}  # fmt: skip
_FAMILY_OF = {kernel: module for module, family in FAMILIES.items() for kernel in family.kernels}

#: the sets that were registered: kernels by name
_sets: dict[str, Mapping[str, Kernel]] = {}


class Table:
    """One attribute per kernel of ``FAMILIES``, bound when it is first read."""

    name: str

    attention: Callable[..., tuple[Array, Array | None]]
    attention_grad: Callable[..., tuple[Array | None, ...]]

    absolute: Callable[..., Array]
    absolute_grad: Callable[..., Array]
    add_product: Callable[..., Array]
    add_quotient: Callable[..., Array]
    add_scaled: Callable[..., Array]
    arithmetic: Callable[..., Any]
    cast: Callable[..., Array]
    clamp: Callable[..., Any]
    clamp_grad: Callable[..., Array]
    compare: Callable[..., Any]
    contiguous: Callable[..., Array]
    copy: Callable[..., Array]
    cube: Callable[..., Array]
    divisor_grad: Callable[..., Array]
    elu: Callable[..., Array]
    elu_grad: Callable[..., Array]
    erf: Callable[..., Array]
    erf_grad: Callable[..., Array]
    exp: Callable[..., Array]
    gelu: Callable[..., Array]
    gelu_grad: Callable[..., Array]
    gelu_tanh: Callable[..., Array]
    gelu_tanh_grad: Callable[..., Array]
    hardsigmoid: Callable[..., Array]
    hardsigmoid_grad: Callable[..., Array]
    hardswish: Callable[..., Array]
    hardswish_grad: Callable[..., Array]
    hardtanh: Callable[..., Array]
    hardtanh_grad: Callable[..., Array]
    leaky_relu: Callable[..., Array]
    leaky_relu_grad: Callable[..., Array]
    lerp: Callable[..., Array]
    log: Callable[..., Array]
    log_sigmoid: Callable[..., Array]
    log_sigmoid_grad: Callable[..., Array]
    lookup: Callable[..., Array]
    mapped: Callable[..., Any]
    maximum_grad: Callable[..., Array]
    minimum_grad: Callable[..., Array]
    mish: Callable[..., Array]
    mish_grad: Callable[..., Array]
    negative: Callable[..., Array]
    reciprocal: Callable[..., Array]
    reciprocal_grad: Callable[..., Array]
    relu: Callable[..., Array]
    relu_grad: Callable[..., Array]
    rsqrt: Callable[..., Array]
    rsqrt_grad: Callable[..., Array]
    select: Callable[..., Array]
    sigmoid: Callable[..., Array]
    sigmoid_grad: Callable[..., Array]
    sign: Callable[..., Array]
    silu: Callable[..., Array]
    silu_grad: Callable[..., Array]
    softplus: Callable[..., Array]
    softplus_grad: Callable[..., Array]
    sqrt: Callable[..., Array]
    sqrt_grad: Callable[..., Array]
    square: Callable[..., Array]
    square_grad: Callable[..., Array]
    tanh: Callable[..., Array]
    tanh_grad: Callable[..., Array]
    convolve: Callable[..., Array]
    convolve_input_grad: Callable[..., Array]
    convolve_weight_grad: Callable[..., Array]
    batch_norm: Callable[..., tuple[Array, Array, Array, Array]]
    batch_norm_eval: Callable[..., tuple[Array, Array]]
    batch_norm_grad: Callable[..., tuple[Array | None, Array, Array, Array | None]]
    channel_sum: Callable[..., Array]
    group_norm: Callable[..., tuple[Array, Array, Array]]
    group_norm_grad: Callable[..., tuple[Array | None, ...]]
    layer_norm: Callable[..., tuple[Array, Array, Array]]
    layer_norm_grad: Callable[..., tuple[Array | None, ...]]
    move_statistics: Callable[..., None]
    rms_norm: Callable[..., tuple[Array, Array]]
    rms_norm_grad: Callable[..., tuple[Array | None, ...]]
    product: Callable[..., Array]

    # recurrent layers: results, what backward reads
    gru: Callable[..., tuple[Array, ...]]
    gru_grad: Callable[..., tuple[Array, ...]]
    lstm: Callable[..., tuple[Array, ...]]
    lstm_grad: Callable[..., tuple[Array, ...]]
    rnn: Callable[..., tuple[Array, ...]]
    rnn_grad: Callable[..., tuple[Array, ...]]

    # steps of optimisers and clipping: all arrays at once, in place
    adagrad: Callable[..., None]
    adam: Callable[..., None]
    clamp_all: Callable[..., None]
    fill_all: Callable[..., None]
    rmsprop: Callable[..., None]
    scale_all: Callable[..., None]
    sgd: Callable[..., None]
    sum_of_squares: Callable[..., float]

    adaptive_avg_pool: Callable[..., Array]
    adaptive_avg_pool_grad: Callable[..., Array]
    adaptive_max_pool: Callable[..., tuple[Array, Array]]
    avg_pool: Callable[..., Array]
    avg_pool_grad: Callable[..., Array]
    max_pool: Callable[..., tuple[Array, Array]]
    max_pool_choice: Callable[..., tuple[Array, Array]]
    max_pool_choice_gather: Callable[..., Array]
    max_pool_choice_grad: Callable[..., Array]
    max_pool_gather: Callable[..., Array]
    max_pool_grad: Callable[..., Array]
    sums_along: Callable[..., Array]

    grid_sample: Callable[..., Array]
    grid_sample_grad: Callable[..., Array]
    grid_slopes: Callable[..., Array]

    pad: Callable[..., Array]

    twister: Callable[[int], Any]

    add_along: Callable[..., Array]
    add_rows: Callable[..., Array]
    extreme_along: Callable[..., tuple[Array, Array]]
    fold: Callable[..., Array]
    least_over: Callable[..., Array]
    likelihood_grad: Callable[..., Array]
    likelihood_loss: Callable[..., tuple[Array, Array, Array] | None]
    log_softmax: Callable[..., Array]
    log_softmax_grad: Callable[..., Array]
    log_sum_exp_over: Callable[..., Array]
    moments_over: Callable[..., tuple[Array, Array]]
    most_over: Callable[..., Array]
    move_rows: Callable[..., Array]
    pair_loss_grad: Callable[..., Array]
    pair_loss_sum: Callable[..., Array]
    pair_losses: Callable[..., Array]
    scan: Callable[..., Array]
    softmax: Callable[..., Array]
    softmax_grad: Callable[..., Array]
    squares_over: Callable[..., Array]
    sum_over: Callable[..., Array]
    take_along: Callable[..., Array]
    take_rows: Callable[..., Array | None]
    variance_along: Callable[..., Array]

    def fill(self, name: str) -> None:
        """Use the set called ``name``; what it lacks comes from the definitions in NumPy."""
        self.__dict__.clear()
        self.__dict__.update(_sets.get(name, {}))
        self.name = name

    def __getattr__(self, kernel: str) -> Kernel:
        if kernel not in _FAMILY_OF:
            raise AttributeError(f"the kernel table has no slot {kernel}")
        name, module = self.name, _FAMILY_OF[kernel]
        if name == "native" and kernel in FAMILIES[module].compiled:
            module = FAMILIES[module].native
            threads.get_num_threads()  # decided now: the pool would ask the system at every call
        found: Kernel = getattr(importlib.import_module(f"convgrad.kernels.{module}"), kernel)
        if self.name is name:  # else another thread chose a set meanwhile: this one is for the call under way
            setattr(self, kernel, found)
        return found


def register(name: str, kernels: Mapping[str, Kernel]) -> None:
    """Offer a set of kernels under ``name``; it may cover only some of the table.

    Args:
        name: what ``convgrad.backends.use`` calls it.
        kernels: function by slot name, with the signatures of the definitions.
    Raises:
        KeyError: a name that is no slot of the table.
    """
    unknown = sorted(set(kernels) - set(_FAMILY_OF))
    if unknown:
        raise KeyError(f"the kernel table has no slot {', '.join(unknown)}")
    _sets[name] = dict(kernels)


def registered() -> tuple[str, ...]:
    """Names of the kernel sets there are."""
    built_in = ("reference",) if machine.why_not_native() else ("reference", "native")
    return (*built_in, *_sets)


table = Table()
table.fill(machine.first_kernels(registered()))
