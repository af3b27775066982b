"""Hooks of a module: functions called before and after ``forward``, and with its gradients.

A module without hooks carries None in place of tables, so that calling it costs one comparison (and one
look at whether any hook was registered for all modules).
"""

from __future__ import annotations

import itertools
import warnings
import weakref
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from ..errors import ConvgradError

_ids = itertools.count()


class RemovableHandle:
    """Takes a hook away again: ``handle.remove()``, or leaving a ``with`` block."""

    __slots__ = ("id", "_table", "__weakref__")

    def __init__(self, table: Any) -> None:
        self.id = next(_ids)
        self._table = weakref.ref(table)

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        table = self._table()
        if table is not None:
            table.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


class Table(dict[int, Any]):
    """Hooks by handle id, in the order in which they run; weakly referenced by their handles."""

    __slots__ = ("__weakref__",)

    def __reduce__(self) -> Any:
        return Table, (dict(self),)


class ModuleHooks:
    """All hooks of one module: a table per kind; entries are (hook, with_kwargs, always_call).

    ``full`` says which kind the backward hooks are: None before the first, False for the old ones.
    """

    __slots__ = ("before", "after", "backward", "backward_before", "full")

    def __init__(self) -> None:
        self.before = Table()
        self.after = Table()
        self.backward = Table()
        self.backward_before = Table()
        self.full: bool | None = None

    def __reduce__(self) -> Any:
        return _rebuild_hooks, (self.before, self.after, self.backward, self.backward_before, self.full)


def _rebuild_hooks(before: Table, after: Table, backward: Table, early: Table, full: Any) -> ModuleHooks:
    hooks = ModuleHooks()
    hooks.before, hooks.after, hooks.backward, hooks.backward_before = before, after, backward, early
    hooks.full = full
    return hooks


def add(table: Table, entry: Any, prepend: bool = False) -> RemovableHandle:
    """Register an entry, last or first."""
    handle = RemovableHandle(table)
    if prepend:
        rest = dict(table)
        table.clear()
        table[handle.id] = entry
        table.update(rest)
    else:
        table[handle.id] = entry
    return handle


class HookView(MutableMapping[int, Any]):
    """The hooks of one kind as PyTorch shows them, handle id -> function; what is deleted here is gone."""

    def __init__(self, table: Table, wrap: Callable[[Any], Any] | None) -> None:
        self._table = table
        self._wrap = wrap

    def __getitem__(self, key: int) -> Any:
        entry = self._table[key]
        return entry if self._wrap is None else entry[0]

    def __setitem__(self, key: int, hook: Any) -> None:
        self._table[key] = hook if self._wrap is None else self._wrap(hook)

    def __delitem__(self, key: int) -> None:
        del self._table[key]

    def __iter__(self) -> Iterator[int]:
        return iter(tuple(self._table))

    def __len__(self) -> int:
        return len(self._table)

    def __repr__(self) -> str:
        return repr(dict(self))


# ---------------------------------------------------------------- hooks of all modules

#: those that run for every module, and on what every module registers
EVERYWHERE = ModuleHooks()
REGISTRATION = {"parameter": Table(), "buffer": Table(), "module": Table()}


class _Count(dict[int, Any]):
    """The ids of hooks of all modules; empty in most programs."""


ACTIVE = _Count()


class _GlobalHandle(RemovableHandle):
    __slots__ = ()

    def remove(self) -> None:
        super().remove()
        ACTIVE.pop(self.id, None)


def _add_everywhere(table: Table, entry: Any) -> RemovableHandle:
    handle = _GlobalHandle(table)
    table[handle.id] = ACTIVE[handle.id] = entry
    return handle


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, args)`` before the forward of every module, ahead of its own hooks."""
    return _add_everywhere(EVERYWHERE.before, (hook, False))


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after the forward of every module, ahead of its own hooks."""
    return _add_everywhere(EVERYWHERE.after, (hook, with_kwargs, always_call))


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` for every module when its gradients are known.

    Raises:
        ConvgradError: hooks of the old kind are registered for all modules.
    """
    _choose_kind(EVERYWHERE, True, "globally")
    return _add_everywhere(EVERYWHERE.backward, hook)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` for every module before it is differentiated."""
    return _add_everywhere(EVERYWHERE.backward_before, hook)


def register_module_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """The old form of ``register_module_full_backward_hook``: it sees the last node's gradients alone."""
    _choose_kind(EVERYWHERE, False, "globally")
    return _add_everywhere(EVERYWHERE.backward, hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, parameter)`` when any module registers one; a result takes its place."""
    return add(REGISTRATION["parameter"], hook)


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` when any module registers one; a result takes its place."""
    return add(REGISTRATION["buffer"], hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, child)`` when any module registers one; a result takes its place."""
    return add(REGISTRATION["module"], hook)


def registered(kind: str, module: Any, name: str, value: Any) -> Any:
    """What the hooks on registration make of a parameter, buffer or module."""
    for hook in tuple(REGISTRATION[kind].values()):
        changed = hook(module, name, value)
        if changed is not None:
            value = changed
    return value


def _choose_kind(hooks: ModuleHooks, full: bool, where: str) -> None:
    if hooks.full is not None and hooks.full is not full and hooks.backward:
        raise ConvgradError(
            f"Cannot use both regular backward hooks and full backward hooks {where}. Please use only one of "
            "them."
        )
    hooks.full = full


# ---------------------------------------------------------------- hooks of one module


class HookMethods:
    """The registering methods of ``Module``, and the call that runs what was registered."""

    _hooks: ModuleHooks | None
    forward: Callable[..., Any]

    def _own_hooks(self) -> ModuleHooks:
        hooks = self._hooks
        if hooks is None:
            hooks = self.__dict__["_hooks"] = ModuleHooks()
        return hooks

    @property
    def _forward_pre_hooks(self) -> HookView:
        return HookView(self._own_hooks().before, lambda hook: (hook, False))

    @property
    def _forward_hooks(self) -> HookView:
        return HookView(self._own_hooks().after, lambda hook: (hook, False, False))

    @property
    def _backward_hooks(self) -> HookView:
        return HookView(self._own_hooks().backward, None)

    @property
    def _backward_pre_hooks(self) -> HookView:
        return HookView(self._own_hooks().backward_before, None)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before each forward; what it returns replaces the arguments.

        Args:
            hook: returns None, one value, or a tuple of arguments; ``with_kwargs`` gives it kwargs too and
                expects None or ``(args, kwargs)``.
            prepend: run before the hooks registered so far.
        """
        return add(self._own_hooks().before, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after each forward; what it returns replaces the output.

        Args:
            hook: returns None or the new output; ``with_kwargs`` gives it kwargs before the output.
            prepend: run before the hooks registered so far.
            always_call: run also when forward raised (the output is None then).
        """
        return add(self._own_hooks().after, (hook, with_kwargs, always_call), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the inputs are known.

        What it returns replaces ``grad_input``. Tensors among the positional arguments count.

        Raises:
            ConvgradError: hooks of the old kind are registered.
        """
        _choose_kind(self._own_hooks(), True, "on a single Module")
        return add(self._own_hooks().backward, hook, prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the module is differentiated; may replace it."""
        return add(self._own_hooks().backward_before, hook, prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """The old form of ``register_full_backward_hook``: it sees the gradients of the last node alone.

        Raises:
            ConvgradError: full backward hooks are registered.
        """
        _choose_kind(self._own_hooks(), False, "on a single Module")
        return add(self._own_hooks().backward, hook)

    def _call_with_hooks(self, hooks: ModuleHooks | None, args: Any, kwargs: Any) -> Any:
        own = ModuleHooks() if hooks is None else hooks
        for hook, with_kwargs in (*EVERYWHERE.before.values(), *own.before.values()):
            args, kwargs = _before(self, hook, with_kwargs, args, kwargs)
        full = _merged(own, True)
        watch = None
        if full.backward or full.backward_before:
            watch = self._watch_backward(full)
            args = watch.inputs(args)
        done: set[int] = set()
        out = None
        try:
            out = self.forward(*args, **kwargs)
            for key, (hook, with_kwargs, _) in (*EVERYWHERE.after.items(), *own.after.items()):
                done.add(key)
                changed = _after(self, hook, with_kwargs, args, kwargs, out)
                if changed is not None:
                    out = changed
        except Exception:
            self._call_always(own, done, args, kwargs, out)
            raise
        if watch is not None:
            out = watch.outputs(out)
        old = _merged(own, False)
        if old.backward:
            _watch_last_node(self, old.backward, out)
        return out

    def _call_always(self, own: ModuleHooks, done: set[int], args: Any, kwargs: Any, out: Any) -> None:
        """After an error: the hooks that are called in any case, if they have not been."""
        for key, (hook, with_kwargs, always) in (*EVERYWHERE.after.items(), *own.after.items()):
            if always and key not in done:
                try:
                    _after(self, hook, with_kwargs, args, kwargs, out)
                except Exception as error:
                    warnings.warn(
                        "module forward hook with ``always_call=True`` raised an exception that was silenced "
                        f"as another error was raised in forward: {error}",
                        stacklevel=2,
                    )

    def _watch_backward(self, hooks: ModuleHooks) -> Any:
        raise NotImplementedError


def _merged(own: ModuleHooks, full: bool) -> ModuleHooks:
    """The backward hooks of one kind of all modules and of one."""
    both = ModuleHooks()
    for hooks in (EVERYWHERE, own):
        if hooks.full is full:
            both.backward.update(hooks.backward)
        if full:
            both.backward_before.update(hooks.backward_before)
    return both


def _before(module: Any, hook: Any, with_kwargs: bool, args: Any, kwargs: Any) -> tuple[Any, Any]:
    if not with_kwargs:
        changed = hook(module, args)
        if changed is None:
            return args, kwargs
        return changed if isinstance(changed, tuple) else (changed,), kwargs
    changed = hook(module, args, kwargs)
    if changed is None:
        return args, kwargs
    if not isinstance(changed, tuple) or len(changed) != 2:
        raise ConvgradError(
            f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
        )
    return changed


def _after(module: Any, hook: Any, with_kwargs: bool, args: Any, kwargs: Any, out: Any) -> Any:
    return hook(module, args, kwargs, out) if with_kwargs else hook(module, args, out)


def _watch_last_node(module: Any, hooks: Table, out: Any) -> None:
    """Hang hooks of the old kind on the node of the first tensor of a result."""
    while not hasattr(out, "grad_fn"):
        if not out or not isinstance(out, dict | tuple | list):
            return
        out = next(iter(out.values())) if isinstance(out, dict) else out[0]
    if out.grad_fn is not None:
        for hook in tuple(hooks.values()):
            out.grad_fn.register_hook(lambda gi, go, hook=hook: hook(module, gi, go))
