"""``out=``: results written into tensors that the caller has.

One mechanism for all functions. The functions that are made of methods (``functions.py``) ask here when they
get ``out=``; ``equip`` gives it to those of a namespace that are written out: one line there. What a function
does about the dtype of ``out`` stands in the table below, by PyTorch's names.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np

from ..dtypes import bool_, can_cast
from ..errors import ConvgradError, DtypeError
from ..graph.grad_mode import MODE, RECORD
from ..graph.node import cell_of
from . import return_types
from .checks import scalar_name
from .keywords import NAMES, renamed
from .tensor import Tensor
from .views import check_writable

_mode = MODE.get

#: (namespace, rule) -> functions that take ``out=``.
#: "cast": the result's dtype must be castable to that of out (of several results: be the same).
#: "each": so must that of each of several results.
#: "copied": any dtype and shape, without a word.
#: "same": it must be that of out.
#: "dtype": the dtype of out stands for the argument ``dtype``.
#: "made": so it does, and out takes the shape asked for without a warning.
DECLARED: dict[tuple[str, str], str] = {
    ("", "cast"): """
        acos acosh add addcdiv addcmul addr angle arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin
        asinh atan atan2 atanh bernoulli bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift
        bitwise_xor cat cholesky cholesky_inverse cholesky_solve clamp clamp_max clamp_min clip column_stack
        concat concatenate copysign cos cosh deg2rad diff digamma div divide dstack eq erf erfc erfinv exp
        exp2 expm1 float_power floor_divide fmax fmin fmod gcd ge ger greater greater_equal gt hstack hypot
        i0 igamma igammac kron lcm ldexp le lerp less less_equal lgamma log log10 log1p log2 logaddexp
        logaddexp2 logical_and logical_not logical_or logical_xor logit logsumexp lt max maximum min minimum
        mul multiply mvlgamma ne nextafter normal not_equal orgqr outer polygamma pow rad2deg reciprocal
        remainder row_stack rsqrt sigmoid sin sinc sinh sqrt square stack std sub subtract tan tanh
        true_divide var vstack where xlogy
    """,
    ("fft", "cast"): """
        fft fft2 fftn hfft hfft2 hfftn ifft ifft2 ifftn ihfft ihfft2 ihfftn irfft irfft2 irfftn rfft rfft2
        rfftn
    """,
    ("linalg", "cast"): """
        cond householder_product matrix_rank pinv tensorinv tensorsolve
    """,
    ("linalg", "each"): """
        lstsq
    """,
    ("nn.functional", "cast"): """
        normalize
    """,
    ("special", "cast"): """
        airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 chebyshev_polynomial_t chebyshev_polynomial_u
        chebyshev_polynomial_v chebyshev_polynomial_w digamma entr erf erfc erfcx erfinv exp2 expit expm1
        gammainc gammaincc gammaln hermite_polynomial_h hermite_polynomial_he i0 i0e i1 i1e
        laguerre_polynomial_l legendre_polynomial_p log1p log_ndtr logit logsumexp modified_bessel_i0
        modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 multigammaln ndtr ndtri polygamma psi
        scaled_modified_bessel_k0 scaled_modified_bessel_k1 shifted_chebyshev_polynomial_t
        shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w sinc
        spherical_bessel_j0 xlog1py xlogy zeta
    """,
    ("", "copied"): """
        lu
    """,
    ("", "dtype"): """
        cumprod cumsum mean nanmean nansum prod sum
    """,
    ("", "made"): """
        arange empty eye full linspace logspace ones rand randint randn randperm range zeros
    """,
    ("", "same"): """
        abs absolute addbmm addmm addmv all amax amin aminmax any argmax argmin baddbmm bitwise_not bmm
        bucketize ceil chain_matmul complex conj_physical cross cummax cummin diag dot fix floor frac frexp
        gather geqrf hardshrink hash_tensor heaviside histc histogram index_add index_copy index_reduce
        index_select inner inverse isin isneginf isposinf kthvalue log_softmax logcumsumexp lu_solve
        lu_unpack masked_select matmul matrix_power median mm mode msort multinomial mv nan_to_num nanmedian
        nanquantile neg negative nonzero nonzero_static norm ormqr polar qr quantile renorm round scatter
        scatter_add scatter_reduce searchsorted sgn sign signbit slice_scatter softmax sort svd take
        take_along_dim tensordot topk triangular_solve tril triu trunc vdot
    """,
    ("linalg", "same"): """
        cholesky cholesky_ex cross det eig eigh eigvals eigvalsh inv inv_ex ldl_factor ldl_factor_ex
        ldl_solve lu lu_factor lu_factor_ex lu_solve matmul matrix_norm matrix_power multi_dot norm qr
        slogdet solve solve_ex solve_triangular svd svdvals vecdot vector_norm
    """,
    ("nn.functional", "same"): """
        avg_pool2d avg_pool3d gelu hardshrink logsigmoid softplus softshrink
    """,
    ("special", "same"): """
        round
    """,
}

_FULL_NAMES = {
    "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float", "float64": "double",
    "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
    "int64": "long int", "bool": "bool", "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}  # fmt: skip


#: whose matrices lie by columns, as LAPACK leaves them, in an ``out`` that takes their shape
COLUMNS = frozenset(
    """
    inverse linalg.cholesky linalg.cholesky_ex linalg.eigh linalg.inv linalg.inv_ex linalg.ldl_factor
    linalg.ldl_factor_ex linalg.ldl_solve linalg.lu_factor linalg.lu_factor_ex linalg.lu_solve linalg.qr
    linalg.solve linalg.solve_ex linalg.solve_triangular linalg.svd lu_solve nonzero qr svd triangular_solve
    """.split()
)
#: so they do in an ``out`` without elements, and no other
COLUMNS_WHEN_EMPTY = frozenset(
    "cholesky_inverse linalg.eig linalg.householder_product linalg.lstsq orgqr".split()
)
#: which give another shape to ``out`` without a warning
SILENT = frozenset(("addbmm", "lu", "nn.functional.logsigmoid"))
#: which ask an ``out`` for its number of elements alone
COUNTED = frozenset(("arange", "linspace", "logspace"))
#: compositions that leave the graph when they get ``out=``; all others refuse what requires grad
LEFT_OUT = frozenset(
    """
    conj_physical diag fft.ihfft floor_divide heaviside inner linalg.cond linalg.eigvals linalg.ldl_factor
    linalg.ldl_factor_ex linalg.ldl_solve linalg.matrix_norm linalg.norm linalg.tensorinv linalg.tensorsolve
    log_softmax lu nanquantile quantile slice_scatter softmax special.ndtr tensordot
    """.split()
)

#: keywords of calls that take the long way
UNUSUAL = frozenset((*NAMES, "out"))


@cache
def rules() -> dict[str, str]:
    """The rule of each function that takes ``out=``, by its name with namespace (``linalg.norm``)."""
    return {
        f"{space}.{name}" if space else name: rule
        for (space, rule), names in DECLARED.items()
        for name in names.split()
    }


def into(
    name: str, function: Callable[..., Any], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call a function and write what it gives into ``out``.

    Args:
        name: by which ``DECLARED`` and the messages call it.
        out: a tensor, a tuple of one per result, or None for new ones.
    Returns:
        ``out`` itself, or a named tuple of its tensors.
    Raises:
        TypeError: the function takes no ``out``, or out is not of tensors, or not as many as results.
        ConvgradError: a result that requires grad, a dtype that does not fit, an expanded tensor.
    """
    rule = rules().get(name)
    short = name.rpartition(".")[2]
    if rule is None:
        raise TypeError(f"{short}() got an unexpected keyword argument 'out'")
    if out is None:
        return function(*args, **kwargs)
    targets = tuple(out) if isinstance(out, (tuple, list)) else (out,)
    for target in targets:
        if not isinstance(target, Tensor):
            wrong = target if isinstance(out, (tuple, list)) and len(targets) > 1 else out
            raise TypeError(f"{short}(): argument 'out' must be Tensor, not {type(wrong).__name__}")
    wanted = rule == "made" and kwargs.pop("requires_grad", False)
    if rule in ("dtype", "made"):
        kwargs = {**kwargs, "dtype": _dtype_of(targets[0], kwargs.get("dtype"))}
    made = function(*args, **kwargs)
    several = isinstance(made, tuple)
    results: tuple[Any, ...] = made if several else (made,)
    if several != isinstance(out, (tuple, list)):
        raise TypeError(
            f"{short}() received an invalid combination of arguments - got out={type(out).__name__}, "
            f"but it has {len(results)} result{'s' * several}: give "
            f"{'a tuple of tensors' if several else 'a Tensor'}"
        )
    if len(results) != len(targets):
        raise TypeError(f"expected tuple of {len(results)} elements but got {len(targets)} ({short}(), out=)")
    _check(name, rule, results, targets)
    for k, (result, target) in enumerate(zip(results, targets, strict=True)):
        if target._data.shape != result._data.shape:
            # torch.svd gives V, which LAPACK has as rows of its adjoint
            columns = kwargs.get("left", True) and not (name == "svd" and k)
            _reshape(name, rule, result._data, target, columns)
        else:
            cell_of(target).bump(short)
        np.copyto(target._data, result._data.reshape(target._data.shape), casting="unsafe")
    if not several:
        return out.requires_grad_() if wanted else out
    return return_types.written(type(made))(targets) if isinstance(made, return_types.Result) else targets


def _dtype_of(target: Tensor, given: Any) -> Any:
    if given is not None and given != target.dtype:
        raise ConvgradError(
            f"dtype {scalar_name(given)} does not match dtype of out parameter ({scalar_name(target.dtype)})"
            f": Expected out tensor to have dtype {_FULL_NAMES[given.name]}, but got "
            f"{_FULL_NAMES[target.dtype.name]} instead"
        )
    return target.dtype


def _check(name: str, rule: str, results: tuple[Any, ...], targets: tuple[Any, ...]) -> None:
    """Everything that may be wrong, before anything is written."""
    short = name.rpartition(".")[2]
    recorded = any([result._node is not None for result in results])
    if (recorded and name not in LEFT_OUT) or (
        _mode() & RECORD and any([target.requires_grad for target in targets])
    ):
        raise ConvgradError(
            f"{short}(): functions with out=... arguments don't support automatic differentiation, but "
            "one of the arguments requires grad. (Leave out= away, or call it under torch.no_grad().)"
        )
    for result, target in zip(results, targets, strict=True):
        source, goal = result.dtype, target.dtype
        if source != goal and (rule == "same" or (len(results) > 1 and rule not in ("each", "copied"))):
            raise DtypeError(
                f"Expected out tensor to have dtype {_FULL_NAMES[source.name]}, but got "
                f"{_FULL_NAMES[goal.name]} instead ({short}(), result of shape {list(result._data.shape)})"
            )
        if not can_cast(source, goal) and rule != "copied" and (rule != "dtype" or goal != bool_):
            raise DtypeError(
                f"result type {scalar_name(source)} can't be cast to the desired output type "
                f"{scalar_name(goal)} ({short}(), result of shape {list(result._data.shape)})"
            )
        if name.startswith("fft.") and goal.is_complex and not source.is_complex:
            raise ConvgradError(
                f"{short} expects a floating point output tensor, but got {scalar_name(goal)} "
                f"(result of shape {list(result._data.shape)})"
            )
        check_writable(target, short)
    if recorded:
        warnings.warn(
            f"{short}(): what is written into out= carries no gradient. (Leave out= away for one, or call it "
            "under torch.no_grad().)",
            stacklevel=4,
        )


def _reshape(name: str, rule: str, result: Any, target: Tensor, columns: bool) -> None:
    """Give a target the shape of the result, and tell so where PyTorch does."""
    size, shape = target._data.size, list(target._data.shape)
    if name in COUNTED and size == result.size:
        cell_of(target).bump(name)
        return
    if size and name == "arange":
        warnings.warn(
            f"The number of elements in the out tensor of shape {shape} is {size} which does not match the "
            f"computed number of elements {result.size}. Note that this may occur as a result of rounding "
            f"error. The out tensor will be resized to a tensor of shape ({result.size},).",
            stacklevel=4,
        )
    elif size and rule != "made" and name not in SILENT:
        warnings.warn(
            f"An output with one or more elements was resized since it had shape {shape}, which does not "
            f"match the required output shape {list(result.shape)}. This behavior is deprecated, and in a "
            "future PyTorch release outputs will not be resized unless they have zero elements. You can "
            "explicitly reuse an out tensor t by resizing it, inplace, to zero elements with t.resize_(0).",
            stacklevel=4,
        )
    columns = columns and (name in COLUMNS or (not size and name in COLUMNS_WHEN_EMPTY))
    if columns and result.ndim > 1:
        target.resize_((*result.shape[:-2], result.shape[-1], result.shape[-2]))
        target._data = target._data.swapaxes(-1, -2)
    else:
        target.resize_(result.shape)


def taking_out(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which now takes ``out=`` and NumPy's names for arguments, too."""

    def with_out(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError:
            if UNUSUAL.isdisjoint(kwargs):
                raise
        kwargs = renamed(kwargs)
        if "out" in kwargs:
            return into(name, function, kwargs.pop("out"), args, kwargs)
        return function(*args, **kwargs)

    with_out.__name__ = with_out.__qualname__ = name.rpartition(".")[2]
    with_out.__doc__ = function.__doc__
    with_out.__wrapped__ = function  # type: ignore[attr-defined]  # help() and IPython show its signature
    return with_out


def equip(namespace: dict[str, Any], space: str = "", only: Iterable[str] | None = None) -> None:
    """Give ``out=`` to the functions of a module that PyTorch gives it and that do not take it themselves.

    Args:
        namespace: ``globals()`` of the module, at its end.
        space: the name PyTorch's module has behind ``torch``: ``linalg``, ``fft``, ``special``.
        only: these names instead of all that the module has.
    """
    for name in tuple(namespace) if only is None else only:
        full = f"{space}.{name}" if space else name
        found = namespace[name]
        if full not in rules() or hasattr(found, "__wrapped__") or "out" in (found.__kwdefaults__ or ()):
            continue
        wrapped = namespace[name] = taking_out(full, found)
        wrapped.__module__ = namespace["__name__"]
