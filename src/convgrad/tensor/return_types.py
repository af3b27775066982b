"""The named tuples that operators with several results give, printing as ``torch.return_types.max(...)``."""

from __future__ import annotations

from functools import cache
from operator import itemgetter
from typing import Any, ClassVar


class Result(tuple[Any, ...]):
    """A tuple whose places have names; subclasses come from ``_named``."""

    __slots__ = ()

    _fields: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        inside = ",\n".join([f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True)])
        return f"torch.return_types.{type(self).__name__}(\n{inside})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (tuple(self),)


def _named(name: str, *fields: str) -> type[Result]:
    """A class of results with the given field names."""
    body: dict[str, Any] = {
        f: property(itemgetter(i), doc=f"{f} of the result") for i, f in enumerate(fields)
    }
    return type(name, (Result,), {"__slots__": (), "_fields": fields, "__module__": __name__, **body})


@cache
def written(kind: type[Result]) -> type[Result]:
    """The class of results written into ``out``: ``max_out`` where it is ``max`` otherwise."""
    return _named(f"{kind.__name__}_out", *kind._fields)


aminmax = _named("aminmax", "min", "max")
cummax = _named("cummax", "values", "indices")
cummin = _named("cummin", "values", "indices")
histogram = _named("histogram", "hist", "bin_edges")
histogramdd = _named("histogramdd", "hist", "bin_edges")
frexp = _named("frexp", "mantissa", "exponent")
kthvalue = _named("kthvalue", "values", "indices")
max = _named("max", "values", "indices")
median = _named("median", "values", "indices")
min = _named("min", "values", "indices")
mode = _named("mode", "values", "indices")
nanmedian = _named("nanmedian", "values", "indices")
sort = _named("sort", "values", "indices")
topk = _named("topk", "values", "indices")

#: of functions that are loaded when they are first used, as these are: name -> fields
_ON_USE = {
    "linalg_inv_ex": "inverse info",
    "linalg_solve_ex": "result info",
    "linalg_cholesky_ex": "L info",
    "linalg_ldl_factor": "LD pivots",
    "linalg_ldl_factor_ex": "LD pivots info",
    "linalg_lu": "P L U",
    "linalg_lu_factor": "LU pivots",
    "linalg_lu_factor_ex": "LU pivots info",
    "linalg_slogdet": "sign logabsdet",
    "linalg_qr": "Q R",
    "linalg_svd": "U S Vh",
    "linalg_eigh": "eigenvalues eigenvectors",
    "linalg_eig": "eigenvalues eigenvectors",
    "linalg_lstsq": "solution residuals rank singular_values",
    "slogdet": "sign logabsdet",
    "qr": "Q R",
    "svd": "U S V",
    "triangular_solve": "solution cloned_coefficient",
    "lu_unpack": "P L U",
}


def __getattr__(name: str) -> type[Result]:
    if name not in _ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()[name] = _named(name, *_ON_USE[name].split())
    return made
