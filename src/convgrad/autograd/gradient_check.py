"""``gradcheck`` and ``gradgradcheck``: a function's derivatives against finite differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import Array
from ..errors import GradError
from ..tensor.tensor import Tensor
from . import jacobian
from .derive import grad
from .grad_mode import enable_grad
from .jacobian import components, outputs_of


class GradcheckError(RuntimeError):
    """Raised by ``gradcheck`` and ``gradgradcheck`` where a derivative is wrong."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Compare the derivatives of ``func`` with central differences.

    Args:
        func: from tensors to a tensor or a tuple of tensors.
        inputs: a tensor or tuple; those that require grad are checked, and should be float64 or
            complex128. Their memory is changed while differences are taken, and restored.
        eps: step of the differences.
        atol, rtol: tolerances; wrong means ``|analytical - numerical| > atol + rtol |numerical|``.
        raise_exception: raise ``GradcheckError``, or else return False.
        nondet_tol: how far two backward passes of the same thing may differ.
        check_undefined_grad: check that outputs without a gradient count as zeros.
        check_grad_dtypes: check that gradients have their inputs' dtype.
        check_batched_grad, check_batched_forward_grad: check gradients of batched cotangents too.
        check_forward_ad, check_backward_ad: which modes to check.
        fast_mode: compare one random projection of each Jacobian rather than all of it.
        masked: accepted for PyTorch's signature; there are no sparse tensors.
    Returns:
        True if everything agrees.
    Raises:
        GradcheckError: a derivative is wrong; the message shows both Jacobians.
        ValueError: no input requires grad.
    Source: central differences; the projection is Baydin et al. 2018, JMLR 18(153).
    Example:
        >>> x = Tensor(np.array([0.5, 2.0]), None).requires_grad_()
        >>> gradcheck(lambda x: x * x, (x,))
        True
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError("Setting check_batched_forward_grad=True requires check_forward_ad to be True")
    given = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    check = _Check(func, given, eps, atol, rtol, nondet_tol, fast_mode)
    try:
        check.compare(check_forward_ad, check_backward_ad)
        if check_backward_ad:
            check.repeat()
            if check_undefined_grad:
                check.undefined()
            if check_grad_dtypes:
                check.dtypes()
            if check_batched_grad:
                check.batched()
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Compare second derivatives with central differences of the first.

    Args:
        func, inputs: as for ``gradcheck``.
        grad_outputs: cotangents of the outputs, themselves differentiated; random ones by default.
        gen_non_contig_grad_outputs: make the random cotangents non-contiguous.
        check_fwd_over_rev, check_rev_over_rev: which way to take the second derivative.
    Returns:
        True if everything agrees.
    Raises:
        GradcheckError: a second derivative is wrong.
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    given = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    outs = [t for t in outputs_of(func, given) if t.requires_grad]
    if grad_outputs is None:
        rng = np.random.default_rng(20)
        gs = [_random(rng, t._data, gen_non_contig_grad_outputs).requires_grad_() for t in outs]
    else:
        gs = list(grad_outputs) if isinstance(grad_outputs, (tuple, list)) else [grad_outputs]
    count = len(gs)

    @enable_grad
    def gradients(*args: Any) -> Any:
        tensors, cotangents = args[: len(args) - count], args[len(args) - count :]
        fresh = [t for t in outputs_of(func, tensors) if t.requires_grad]
        wanted = [t for t in tensors if isinstance(t, Tensor) and t.requires_grad]
        return grad(fresh, wanted, cotangents, create_graph=True, materialize_grads=True)

    return gradcheck(
        gradients, (*given, *gs), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        nondet_tol=nondet_tol, check_undefined_grad=check_undefined_grad, check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad, check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev, fast_mode=fast_mode,
    )  # fmt: skip


def _random(rng: np.random.Generator, like: Array, strided: bool = False) -> Tensor:
    shape = (*like.shape, 2) if strided else like.shape
    values = rng.standard_normal(shape)
    if like.dtype.kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    values = np.asarray(values).astype(like.dtype)
    return Tensor(values[..., 0] if strided else values, None)


class _Check:
    """One run of ``gradcheck``: the function, its inputs and outputs, and the tolerances."""

    def __init__(
        self, func: Callable[..., Any], given: tuple[Any, ...], eps: float, atol: float, rtol: float,
        nondet: float, fast: bool,
    ) -> None:  # fmt: skip
        self.func = func
        self.given = given
        self.eps = eps
        self.atol = atol
        self.rtol = rtol
        self.nondet = nondet
        self.fast = fast
        self.targets = [(i, t) for i, t in enumerate(given) if isinstance(t, Tensor) and t.requires_grad]
        if not self.targets:
            raise ValueError(
                "gradcheck expects at least one input tensor to require gradient, but none of them have "
                "requires_grad=True."
            )
        for i, t in self.targets:
            if t._data.dtype.name not in ("float64", "complex128"):
                warnings.warn(
                    f"Input #{i} requires gradient and is not a double precision floating point or "
                    "complex. This "
                    "check will likely fail if all the inputs are not of double precision floating "
                    "point or complex.",
                    UserWarning,
                    stacklevel=4,
                )
            t.retain_grad()
        self.outs = outputs_of(func, given)

    def compare(self, forward: bool, backward: bool) -> None:
        """Every Jacobian against its differences, in the modes asked for."""
        for position, target in self.targets:
            if self.fast:
                self._compare_projected(position, target, forward, backward)
                continue
            expected = jacobian.numerical(self.func, self.given, target, self.eps)
            if backward:
                for k, out in enumerate(self.outs):
                    self._match(jacobian.by_reverse(out, [target])[0], expected[k], k, position, "")
            if forward:
                for k, found in enumerate(jacobian.by_forward(self.func, self.given, target)):
                    self._match(found, expected[k], k, position, " while computing forward AD")

    def _compare_projected(self, position: int, target: Tensor, forward: bool, backward: bool) -> None:
        """One number per Jacobian: u J v for random unit vectors u, v."""
        rng = np.random.default_rng(11 + position)
        direction = _random(rng, target._data)._data
        direction = np.asarray(direction / max(1e-300, float(np.linalg.norm(components(direction)))))
        slopes = jacobian.difference(self.func, self.given, target, direction, self.eps)
        pushes = jacobian.pushed(self.func, self.given, target, direction) if forward else []
        for k, (out, slope) in enumerate(zip(self.outs, slopes, strict=True)):
            cotangent = _random(rng, out._data)._data
            u = components(cotangent)
            expected = float(u @ slope)
            if backward and out.requires_grad:
                g = jacobian.pulled(out, [target], cotangent)[0]
                self._match_projected(
                    float(components(direction) @ components(g._data)), expected, k, position, ""
                )
            if forward:
                self._match_projected(
                    float(u @ pushes[k]), expected, k, position, " while computing forward AD"
                )

    def _match_projected(self, found: float, expected: float, k: int, position: int, where: str) -> None:
        if _close(np.asarray(found), np.asarray(expected), self.atol, self.rtol):
            return
        slow = jacobian.numerical(self.func, self.given, self.given[position], self.eps)[k]
        exact = jacobian.by_reverse(self.outs[k], [self.given[position]])[0]
        raise GradcheckError(
            f"Jacobian mismatch for output {k} with respect to input {position}{where},\n"
            f"numerical:{expected}\nanalytical:{found}\n\n"
            "The above quantities are a random projection of the Jacobians (fast mode). In "
            f"slow mode:\n\nNumerical:\n {_show(slow)}\nAnalytical:\n{_show(exact)}\n\n"
            f"The max per-element difference (slow mode) is: {np.abs(slow - exact).max(initial=0.0)}.\n"
        )

    def _match(self, found: Array, expected: Array, k: int, position: int, where: str) -> None:
        if _close(found, expected, self.atol, self.rtol):
            return
        note = ""
        if self.outs[k]._data.dtype.kind == "c" or self.given[position]._data.dtype.kind == "c":
            note = "(complex numbers as pairs of real and imaginary part) "
        raise GradcheckError(
            f"{note}Jacobian mismatch for output {k} with respect to input {position}{where},\n"
            f"numerical:{_show(expected)}\nanalytical:{_show(found)}\n"
        )

    def repeat(self) -> None:
        """Two backward passes of the same thing must agree to ``nondet_tol``."""
        targets = [t for _, t in self.targets]
        rng = np.random.default_rng(5)
        for out in self.outs:
            if not out.requires_grad:
                continue
            cotangent = _random(rng, out._data)._data
            first = jacobian.pulled(out, targets, cotangent)
            for a, b in zip(first, jacobian.pulled(out, targets, cotangent), strict=True):
                if np.abs(a._data - b._data).max(initial=0.0) > self.nondet:
                    raise GradcheckError(
                        "Backward is not reentrant, i.e., running backward with same input and "
                        "grad_output multiple "
                        "times gives different values, although analytical gradient matches "
                        "numerical gradient. The "
                        f"tolerance for nondeterminism was {self.nondet}."
                    )

    def undefined(self) -> None:
        """With several outputs, those that get no gradient count as zeros."""
        outs = [t for t in self.outs if t.requires_grad]
        targets = [t for _, t in self.targets]
        for out in outs if len(outs) > 1 else ():
            try:
                grad(
                    (out,),
                    targets,
                    (Tensor(np.zeros_like(out._data), None),),
                    retain_graph=True,
                    allow_unused=True,
                )
            except GradError:
                raise
            except (RuntimeError, TypeError, AttributeError) as error:
                raise GradcheckError(
                    "Expected backward function to handle undefined output grads. Please look at the "
                    "notes of "
                    f"Function.set_materialize_grads. (It raised {type(error).__name__}: {error})"
                ) from error

    def dtypes(self) -> None:
        """Each gradient has the dtype of its input."""
        for position, target in self.targets:
            for out in self.outs:
                g = (
                    jacobian.pulled(out, [target], np.ones_like(out._data))[0]
                    if out.requires_grad
                    else target
                )
                if g._data.dtype != target._data.dtype:
                    raise GradcheckError(
                        f"the gradient of input {position} has dtype {g.dtype}, not {target.dtype}"
                    )

    def batched(self) -> None:
        """A batch of cotangents gives the batch of gradients."""
        targets = [t for _, t in self.targets]
        rng = np.random.default_rng(6)
        for out in self.outs:
            if not out.requires_grad:
                continue
            rows = [_random(rng, out._data)._data for _ in range(2)]
            batch = Tensor(np.stack(rows), None)
            together = grad(
                (out,), targets, (batch,), retain_graph=True, is_grads_batched=True, materialize_grads=True
            )
            for i, row in enumerate(rows):
                for whole, single in zip(together, jacobian.pulled(out, targets, row), strict=True):
                    if not _close(whole._data[i], single._data, self.atol, self.rtol):
                        raise GradcheckError("a batched gradient differs from the gradients one by one")


def _close(found: Array, expected: Array, atol: float, rtol: float) -> bool:
    return found.shape == expected.shape and bool(
        np.allclose(found, expected, rtol=rtol, atol=atol, equal_nan=False)
    )


def _show(matrix: Array) -> str:
    return repr(Tensor(matrix, None))


__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]
