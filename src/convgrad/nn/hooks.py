"""Hooks of a module: functions called before and after ``forward``, and with its gradients.

A module without hooks carries None in place of a table, so that calling it costs one comparison.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any

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
    """All hooks of one module: a table per kind; entries are (hook, with_kwargs, always_call)."""

    __slots__ = ("before", "after", "backward", "backward_before")

    def __init__(self) -> None:
        self.before = Table()
        self.after = Table()
        self.backward = Table()
        self.backward_before = Table()

    def __reduce__(self) -> Any:
        return _rebuild_hooks, (self.before, self.after, self.backward, self.backward_before)


def _rebuild_hooks(*tables: Table) -> ModuleHooks:
    hooks = ModuleHooks()
    hooks.before, hooks.after, hooks.backward, hooks.backward_before = tables
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


class HookMethods:
    """The registering methods of ``Module``, and the call that runs what was registered."""

    _hooks: ModuleHooks | None
    forward: Callable[..., Any]

    def _own_hooks(self) -> ModuleHooks:
        hooks = self._hooks
        if hooks is None:
            hooks = self.__dict__["_hooks"] = ModuleHooks()
        return hooks

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
        """
        return add(self._own_hooks().backward, hook, prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the module is differentiated; may replace it."""
        return add(self._own_hooks().backward_before, hook, prepend)

    def _call_with_hooks(self, hooks: ModuleHooks, args: Any, kwargs: Any) -> Any:
        for hook, with_kwargs in tuple(hooks.before.values()):
            if with_kwargs:
                changed = hook(self, args, kwargs)
                if changed is not None:
                    if not isinstance(changed, tuple) or len(changed) != 2:
                        raise RuntimeError(
                            "forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got "
                            f"{changed}."
                        )
                    args, kwargs = changed
            else:
                changed = hook(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        watch = None
        if hooks.backward or hooks.backward_before:
            watch = self._watch_backward(hooks)
            args = watch.inputs(args)
        try:
            out = self.forward(*args, **kwargs)
        except Exception:
            for hook, with_kwargs, always in tuple(hooks.after.values()):
                if always:
                    _after(self, hook, with_kwargs, args, kwargs, None)
            raise
        for hook, with_kwargs, _ in tuple(hooks.after.values()):
            changed = _after(self, hook, with_kwargs, args, kwargs, out)
            if changed is not None:
                out = changed
        return out if watch is None else watch.outputs(out)

    def _watch_backward(self, hooks: ModuleHooks) -> Any:
        raise NotImplementedError


def _after(module: Any, hook: Any, with_kwargs: bool, args: Any, kwargs: Any, out: Any) -> Any:
    return hook(module, args, kwargs, out) if with_kwargs else hook(module, args, out)
