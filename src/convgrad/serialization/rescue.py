"""The tensors of files that hold more than tensors: whole networks, checkpoints with objects in them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ..tensor.tensor import Tensor
from .errors import RefusedError
from .loading import read
from .standin import StandIn

#: how long the names of all tensors of a file may be; networks that share parts can have exponentially many
_LETTERS = 10_000_000


def load_state(
    f: Any, map_location: Any = None, *, mmap: bool | None = None, verify: bool | None = None
) -> Any:
    """Load a file with networks or other objects in it; each network becomes its ``state_dict``.

    For files that ``torch.save(model, path)`` wrote, and others that ``load`` refuses. As with ``load``,
    nothing is run: a network's parameters and buffers are found by the names under which every network
    keeps them. An object of any other class becomes a ``StandIn``, which shows what it consists of.

    Args:
        f, map_location, mmap, verify: as for ``load``.
    Returns:
        What the file holds, with an ``OrderedDict`` of tensors for each network.
    Raises:
        RefusedError, CheckpointError: a damaged file.
    Example:
        >>> import io; f = io.BytesIO(); torch.save({"a": x}, f); _ = f.seek(0)
        >>> load_state(f)["a"].shape
        torch.Size([3, 2])
    """
    found = read(f, map_location, mmap=mmap, verify=verify, scan=True)[0]
    try:
        return _Plain().of(found)
    except RecursionError:
        raise RefusedError("load_state: the objects of this file are nested too deeply") from None


class _Plain:
    """Replaces networks by their states, each object once."""

    def __init__(self) -> None:
        self._done: dict[int, Any] = {}
        self._letters = 0

    def of(self, obj: Any) -> Any:
        """The same object without networks in it."""
        kind = type(obj)
        if kind not in (list, tuple, dict, OrderedDict, StandIn):
            return obj
        if id(obj) in self._done:
            return self._done[id(obj)]
        if kind is StandIn:
            if is_network(obj):
                state = self._done[id(obj)] = OrderedDict[str, Tensor]()
                self._gather(obj, "", state, [])
                return state
            self._done[id(obj)] = obj
            obj.args, obj.state = self.of(obj.args), self.of(obj.state)
            obj.items = [self.of(item) for item in obj.items]
            obj.pairs = [(key, self.of(value)) for key, value in obj.pairs]
        elif kind is list:
            self._done[id(obj)] = obj
            obj[:] = [self.of(item) for item in obj]
        elif kind is tuple:
            self._done[id(obj)] = obj  # one that contains itself stays as it is
            self._done[id(obj)] = tuple([self.of(item) for item in obj])
        else:
            self._done[id(obj)] = obj
            for key, value in obj.items():
                obj[key] = self.of(value)
        return self._done[id(obj)]

    def _gather(self, network: StandIn, prefix: str, out: OrderedDict[str, Any], above: list[int]) -> None:
        """Add the tensors of a network and its parts, in the order of ``state_dict``."""
        state = network.state
        hidden = state.get("_non_persistent_buffers_set")
        hidden = hidden if isinstance(hidden, set) else set()
        buffers = {name: tensor for name, tensor in state["_buffers"].items() if name not in hidden}
        above = [*above, id(network)]
        for parts in (state["_parameters"], buffers, state["_modules"]):
            for name, part in parts.items():
                if type(name) is not str:
                    continue
                self._letters += len(prefix) + len(name) + 1
                if self._letters > _LETTERS:
                    raise RefusedError("load_state: the names of the tensors in this file have no end")
                if parts is state["_modules"]:
                    if is_network(part) and id(part) not in above:
                        self._gather(part, f"{prefix}{name}.", out, above)
                elif isinstance(part, Tensor):
                    out[f"{prefix}{name}"] = part.detach()


def is_network(obj: Any) -> bool:
    """Whether an object that was not built has what every network has."""
    state = obj.state if type(obj) is StandIn else None
    return isinstance(state, dict) and all(
        [isinstance(state.get(name), dict) for name in ("_parameters", "_buffers", "_modules")]
    )
