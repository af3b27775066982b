"""From a pickle stream to objects, without calling anything but the constructors of a closed list.

A pickle is a program for a small stack machine. This is such a machine; its instructions that name classes
and call them (GLOBAL, REDUCE, NEWOBJ, BUILD) know the types of ``builders.py`` and what the user trusts, and
refuse the rest by name. Every item that a call copies is paid for from a budget of the stream's length, so
work and memory stay in proportion to the file. Source: PEP 307, PEP 3154, and CPython's pickletools.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from . import builders
from .errors import RefusedError
from .keys import Keys
from .names import MAX_INTEGER_BYTES, Global
from .standin import StandIn

_STOP = 0x2E
_DICTS = builders.DICTS


class Decoder:
    """Reads one object from ``data``.

    Args:
        data: the stream, of any protocol from 2 on.
        load_storage: gives the storage for a persistent name (a tuple).
        known: name -> object for what the user trusts.
        encoding: of texts that Python 2 wrote, as in ``pickle.loads``; "bytes" leaves them bytes.
        scan: what would be refused becomes a ``StandIn``, and unknown names are noted in ``unknown``.
        start: where in ``data`` the stream begins; ``end`` is then the place after it.
    """

    def __init__(
        self,
        data: bytes,
        load_storage: Callable[[Any], Any],
        known: dict[str, Any],
        encoding: str = "utf-8",
        scan: bool = False,
        start: int = 0,
    ) -> None:
        self._data = data
        self.end = start
        self._load_storage = load_storage
        self._known = known
        self._trusted = {id(value) for value in known.values()}
        self._encoding = encoding
        self.unknown: set[str] | None = set() if scan else None
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._budget = 4 * len(data) + 1000  # an honest stream needs less than one byte for one
        self.keys = Keys(self.charge)

    def decode(self) -> Any:
        """The object.

        Raises:
            RefusedError: the stream names what is not let in, or is no valid pickle.
        """
        try:
            while True:
                at = self.end
                code = self._data[at]
                self.end = at + 1
                if code == _STOP:
                    return self._pop()
                run = _INSTRUCTIONS.get(code)
                if run is None:
                    raise RefusedError(
                        f"Unsupported operand {code} at byte {at}: no instruction of protocols 2 to 5"
                    )
                run(self)
        except (IndexError, KeyError, struct.error, UnicodeError, OverflowError) as error:
            raise RefusedError(
                f"the pickle stream is damaged at byte {self.end} of {len(self._data)}"
            ) from error

    def charge(self, count: int) -> None:
        """Take from the budget what an instruction copies.

        Raises:
            RefusedError: more than a file of this size could need.
        """
        self._budget -= count
        if self._budget < 0:
            raise RefusedError(f"the stream copies out of proportion to its {len(self._data)} bytes")

    # ------------------------------------------------------------------ reading

    def _take(self, count: int) -> bytes:
        at = self.end
        if count < 0 or at + count > len(self._data):
            raise RefusedError(f"the pickle stream is truncated: {count} bytes at {at} of {len(self._data)}")
        self.end = at + count
        return self._data[at : self.end]

    def _number(self, form: str) -> Any:
        size = struct.calcsize(form)
        return struct.unpack(form, self._take(size))[0]

    def _line(self) -> str:
        at = self._data.index(b"\n", self.end) if b"\n" in self._data[self.end : self.end + 1000] else -1
        if at < 0:
            raise RefusedError(f"the pickle stream is damaged: a name at byte {self.end} does not end")
        return self._take(at + 1 - self.end)[:-1].decode()

    def _pop(self) -> Any:
        return self._stack.pop()

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._marks.pop()
        return items

    # ------------------------------------------------------------------ plain values

    def _proto(self) -> None:
        version = self._number("<B")
        if not 2 <= version <= 5:
            raise RefusedError(f"pickle protocol {version}; 2 to 5 are read")

    def _frame(self) -> None:
        self._take(8)  # its length: for readers of streams

    def _integer(self, form: str) -> None:
        size = self._number(form)
        if size > MAX_INTEGER_BYTES:
            raise RefusedError(f"an integer of {size} bytes, {MAX_INTEGER_BYTES} at most")
        self._push(int.from_bytes(self._take(size), "little", signed=True))

    def _text(self, form: str) -> None:
        self._push(self._take(self._number(form)).decode("utf-8", "surrogatepass"))

    def _blob(self, form: str) -> None:
        self._push(self._take(self._number(form)))

    def _old_text(self, form: str) -> None:
        data = self._take(self._number(form))
        self._push(data if self._encoding == "bytes" else data.decode(self._encoding))

    def _bytearray(self) -> None:
        self._push(bytearray(self._take(self._number("<Q"))))

    # ------------------------------------------------------------------ containers

    def _mark(self) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _tuple_of(self, count: int) -> None:
        if len(self._stack) < count:
            raise IndexError
        items = tuple(self._stack[len(self._stack) - count :])
        del self._stack[len(self._stack) - count :]
        self._push(items)

    def _append(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is list or id(type(target)) in self._trusted:
            target.extend(values)
        elif type(target) is StandIn:
            target.items += values
        else:
            raise RefusedError(f"items appended to a {type(target).__qualname__}")

    def _set_items(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if len(values) % 2:
            raise RefusedError("a key without a value")
        if type(target) is StandIn:
            target.pairs += zip(values[::2], values[1::2])
            return
        if type(target) not in _DICTS and id(type(target)) not in self._trusted:
            raise RefusedError(f"items set in a {type(target).__qualname__}")
        for key, value in zip(values[::2], values[1::2]):
            self.keys.check(key)
            target[key] = value

    def _new_dict(self) -> None:
        values = self._pop_mark()
        self._push({})
        self._set_items(values)

    def _add_items(self) -> None:
        values = self._pop_mark()
        target = self._stack[-1]
        if type(target) is not set:
            raise RefusedError(f"members added to a {type(target).__qualname__}")
        for value in values:
            self.keys.check(value)
        target.update(values)

    def _frozenset(self) -> None:
        values = self._pop_mark()
        for value in values:
            self.keys.check(value)
        self._push(frozenset(values))

    # ------------------------------------------------------------------ memory

    def _put(self, number: int) -> None:
        self._memo[number] = self._stack[-1]

    def _get(self, number: int) -> None:
        self._push(self._memo[number])

    # ------------------------------------------------------------------ names and calls

    def _global(self) -> None:
        self._find(Global(self._line(), self._line()))

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        if type(name) is not str or type(module) is not str:
            raise RefusedError("a name that is no text")
        self._find(Global(module, name))

    def _find(self, name: Global) -> None:
        full = str(name)
        known = self._known.get(full)
        if known is not None:
            self._push(known)
            return
        try:
            self._push(builders.find(name))
        except RefusedError:
            if self.unknown is None:
                raise
            self.unknown.add(full)
            self._push(StandIn(full))

    def _reduce(self) -> None:
        args, call = self._pop(), self._pop()
        if type(args) is not tuple:
            raise RefusedError(f"a call with a {type(args).__qualname__} in place of arguments")
        if type(call) is StandIn:
            self._push(StandIn(call.name, args))
        elif id(call) in self._trusted:
            self._push(call(*args))
        else:
            try:
                self._push(builders.build(self, call, args))
            except RefusedError:
                if self.unknown is None:
                    raise
                self._push(StandIn(getattr(call, "__qualname__", "value"), args))

    def _new_object(self) -> None:
        args, kind = self._pop(), self._pop()
        if id(kind) in self._trusted and isinstance(kind, type) and type(args) is tuple:
            self._push(kind.__new__(kind, *args))
            return
        self._stack += [kind, args]
        self._reduce()

    def _build(self) -> None:
        state, target = self._pop(), self._stack[-1]
        if type(target) is StandIn:
            target.state = state
        elif id(type(target)) in self._trusted:
            builders.set_state(target, state)
        else:
            try:
                builders.restore(self, target, state)
            except RefusedError:
                if self.unknown is None:
                    raise

    def _storage(self) -> None:
        name = self._pop()
        if self.unknown is not None and type(name) is tuple and name[:1] == ("module",) and len(name) == 4:
            self._push(name[1])  # before PyTorch 1.6: the class of a network, with its source text
        else:
            self._push(self._load_storage(name))


def _with(run: Callable[[Decoder, str], None], form: str) -> Callable[[Decoder], None]:
    return lambda machine: run(machine, form)


#: pickle's instructions by their byte
_INSTRUCTIONS: dict[int, Callable[[Decoder], Any]] = {
    ord(code): run
    for code, run in {
        "\x80": Decoder._proto,
        "\x95": Decoder._frame,
        "N": lambda m: m._push(None),
        "\x88": lambda m: m._push(True),
        "\x89": lambda m: m._push(False),
        "K": lambda m: m._push(m._number("<B")),
        "M": lambda m: m._push(m._number("<H")),
        "J": lambda m: m._push(m._number("<i")),
        "G": lambda m: m._push(m._number(">d")),
        "\x8a": _with(Decoder._integer, "<B"),
        "\x8b": _with(Decoder._integer, "<i"),
        "\x8c": _with(Decoder._text, "<B"),
        "X": _with(Decoder._text, "<I"),
        "\x8d": _with(Decoder._text, "<Q"),
        "C": _with(Decoder._blob, "<B"),
        "B": _with(Decoder._blob, "<I"),
        "\x8e": _with(Decoder._blob, "<Q"),
        "U": _with(Decoder._old_text, "<B"),
        "T": _with(Decoder._old_text, "<i"),
        "\x96": Decoder._bytearray,
        "(": Decoder._mark,
        "0": Decoder._pop,
        "1": Decoder._pop_mark,
        ")": lambda m: m._push(()),
        "\x85": lambda m: m._tuple_of(1),
        "\x86": lambda m: m._tuple_of(2),
        "\x87": lambda m: m._tuple_of(3),
        "t": lambda m: m._push(tuple(m._pop_mark())),
        "]": lambda m: m._push([]),
        "l": lambda m: m._push(m._pop_mark()),
        "a": lambda m: m._append([m._pop()]),
        "e": lambda m: m._append(m._pop_mark()),
        "}": lambda m: m._push({}),
        "d": Decoder._new_dict,
        "s": lambda m: m._set_items([m._pop(), m._pop()][::-1]),
        "u": lambda m: m._set_items(m._pop_mark()),
        "\x8f": lambda m: m._push(set()),
        "\x90": Decoder._add_items,
        "\x91": Decoder._frozenset,
        "q": lambda m: m._put(m._number("<B")),
        "r": lambda m: m._put(m._number("<I")),
        "\x94": lambda m: m._put(len(m._memo)),
        "h": lambda m: m._get(m._number("<B")),
        "j": lambda m: m._get(m._number("<I")),
        "c": Decoder._global,
        "\x93": Decoder._stack_global,
        "R": Decoder._reduce,
        "\x81": Decoder._new_object,
        "b": Decoder._build,
        "Q": Decoder._storage,
    }.items()
}
