"""The functions of the public namespace that are methods of their first argument.

One table of names; each function checks that its first argument is a Tensor and calls the method,
so that a function and its method can never differ. Functions of several tensors, or of none, stand
in ``functions_<family>.py`` and ``creation.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .keywords import renamed
from .out import UNUSUAL, into
from .overriding import ask, overriding
from .tensor import Tensor

METHODS = """
abs absolute acos acosh add addbmm addcdiv addcmul addmm addmv addr all allclose amax amin aminmax angle any
arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin argsort argwhere asin asinh atan atan2
atanh baddbmm bincount bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor
bmm broadcast_to ceil chunk clamp clamp_max clamp_min clip clone conj copysign cos cosh count_nonzero cross
cummax cummin cumprod cumsum deg2rad detach diag diag_embed diagonal diff digamma div divide dot eq equal
erf erfc erfinv exp exp2 expm1 fix flatten flip fliplr flipud float_power floor floor_divide fmax fmin fmod
frac gather ge ger greater greater_equal gt hardshrink histc hypot imag index_add index_copy
index_fill index_put index_select inner isclose isfinite isinf isnan isneginf isposinf isreal is_complex
is_floating_point is_nonzero kron kthvalue le lerp less less_equal lgamma log log10 log1p log2 logaddexp
logaddexp2 logcumsumexp logical_and logical_not logical_or logical_xor logit logsumexp lt masked_fill
masked_scatter masked_select matmul matrix_power max maximum mean median min minimum mm movedim moveaxis mul
multiply mv nan_to_num nanmean nanmedian nansum narrow ne neg negative nonzero norm not_equal numel outer
permute positive pow prod put rad2deg ravel real reciprocal relu remainder repeat_interleave
reshape rot90 roll round rsqrt rsub scatter scatter_add scatter_reduce select sgn sigmoid sign signbit sin
sinc sinh softmax log_softmax sort split sqrt square squeeze std sub subtract sum swapaxes swapdims t take
take_along_dim tan tanh tensor_split tile topk trace transpose tril triu true_divide trunc unbind unflatten
unique unique_consecutive unsqueeze var vdot xlogy split_with_sizes addcdiv_ view_as reshape_as adjoint
hsplit vsplit dsplit diagflat select_scatter slice_scatter diagonal_scatter as_strided is_same_size
is_signed relu_ exp_ sigmoid_ tanh_ log_ sqrt_ abs_ neg_ clamp_ zero_ fill_ square_ reciprocal_ sin_ cos_
floor_ ceil_ round_
""".split()


def function(name: str) -> Callable[..., Any]:
    """The function ``name(input, ...)`` that calls ``input.name(...)``."""
    method = getattr(Tensor, name)
    method = getattr(method, "__wrapped__", method)

    def of_tensor(input: Any = None, *args: Any, **kwargs: Any) -> Any:
        call = method
        if isinstance(input, Tensor):
            if type(input) is not Tensor:  # a subclass may have a method of its own
                if not input._overrides:
                    call = getattr(type(input), name)
                elif asked := overriding((input, *args, *kwargs.values())):
                    return ask(of_tensor, asked, (input, *args), kwargs)
            try:
                return call(input, *args, **kwargs)
            except TypeError:
                if UNUSUAL.isdisjoint(kwargs) and not overriding((*args, *kwargs.values())):
                    raise
        if asked := overriding((input, *args, *kwargs.values())):
            return ask(of_tensor, asked, (input, *args), kwargs)
        return unusual(name, call, input, args, kwargs)

    of_tensor.__name__ = of_tensor.__qualname__ = name
    of_tensor.__doc__ = method.__doc__
    of_tensor.__wrapped__ = method  # type: ignore[attr-defined]  # help() and IPython show its signature
    return of_tensor


def unusual(
    name: str, method: Callable[..., Any], input: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """A call with ``out=``, with NumPy's names for arguments, or without a tensor, which is an error."""
    kwargs = renamed(kwargs)
    if input is None and "input" in kwargs:
        input = kwargs.pop("input")
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    if "out" in kwargs:
        return into(name, method, kwargs.pop("out"), (input, *args), kwargs)
    return method(input, *args, **kwargs)


def method_functions() -> dict[str, Callable[..., Any]]:
    """All of them by name."""
    return {name: function(name) for name in METHODS}
