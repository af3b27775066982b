"""The named tuples that operators with several results give, printing as ``torch.return_types.max(...)``."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, ClassVar


class Result(tuple[Any, ...]):
    """A tuple whose places have names; subclasses come from ``named``."""

    __slots__ = ()

    _fields: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        inside = ",\n".join([f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True)])
        return f"torch.return_types.{type(self).__name__}(\n{inside})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (tuple(self),)


def named(name: str, *fields: str) -> type[Result]:
    """A class of results with the given field names."""
    body: dict[str, Any] = {
        f: property(itemgetter(i), doc=f"{f} of the result") for i, f in enumerate(fields)
    }
    return type(name, (Result,), {"__slots__": (), "_fields": fields, "__module__": __name__, **body})


aminmax = named("aminmax", "min", "max")
cummax = named("cummax", "values", "indices")
cummin = named("cummin", "values", "indices")
kthvalue = named("kthvalue", "values", "indices")
max = named("max", "values", "indices")
median = named("median", "values", "indices")
min = named("min", "values", "indices")
mode = named("mode", "values", "indices")
nanmedian = named("nanmedian", "values", "indices")
sort = named("sort", "values", "indices")
topk = named("topk", "values", "indices")
