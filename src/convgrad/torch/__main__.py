"""``python -m convgrad.torch``: run a program that imports torch, with convgrad in its place."""

from __future__ import annotations

import code
import os
import runpy
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

from convgrad.torch import install, public_names
from convgrad.torch.gaps import WHERE

USAGE = """\
usage: python -m convgrad.torch SCRIPT [ARGUMENTS ...]
       python -m convgrad.torch -m MODULE [ARGUMENTS ...]
       python -m convgrad.torch -c CODE [ARGUMENTS ...]
       python -m convgrad.torch                     (a prompt; or a program on standard input)
       python -m convgrad.torch --names [TEXT]      (lists what there is, with TEXT in its name)

Runs a program that imports torch, torchvision or torchviz, with convgrad in their place.
"""


class Call(NamedTuple):
    """What was asked for: ``what`` is "script", "module", "code", "prompt", "names" or "help"."""

    what: str
    target: str
    arguments: tuple[str, ...]


def parse(words: Sequence[str]) -> Call:
    """The meaning of the words behind ``python -m convgrad.torch``.

    Raises:
        SystemExit: an option without its argument, or an unknown one.
    Example:
        >>> parse(["-m", "train", "--lr", "1"])
        Call(what='module', target='train', arguments=('--lr', '1'))
    """
    if not words:
        return Call("prompt", "", ())
    first, rest = words[0], tuple(words[1:])
    if first in ("-h", "--help"):
        return Call("help", "", ())
    if first == "--names":
        return Call("names", rest[0] if rest else "", ())
    if first in ("-m", "-c"):
        if not rest:
            sys.exit(f"python -m convgrad.torch: argument expected for the {first} option\n{USAGE}")
        return Call("module" if first == "-m" else "code", rest[0], rest[1:])
    if first.startswith("-") and first != "-":
        sys.exit(f"python -m convgrad.torch: unknown option {first}\n{USAGE}")
    return Call("script", first, rest)


def fresh_main() -> dict[str, Any]:
    """The names of an empty ``__main__``, in the place of this one."""
    module = sys.modules["__main__"] = ModuleType("__main__")
    return vars(module)


def run(call: Call) -> None:
    """Run the program as Python would: ``sys.argv``, ``sys.path[0]`` and ``__main__`` are its own."""
    if call.what == "module":
        sys.argv = [call.target, *call.arguments]  # runpy puts the file's name in the first place
        runpy.run_module(call.target, run_name="__main__", alter_sys=True)
    elif call.what == "code":
        sys.argv = ["-c", *call.arguments]
        exec(compile(call.target, "<string>", "exec"), fresh_main())
    elif call.what == "prompt" or call.target == "-":
        sys.argv = [call.target, *call.arguments]
        space = fresh_main()
        if call.what == "prompt" and sys.stdin.isatty():
            code.interact(f"Python {sys.version}\ntorch is convgrad", local=space, exitmsg="")
        else:
            exec(compile(sys.stdin.read(), "<stdin>", "exec"), space)
    else:
        sys.argv = [call.target, *call.arguments]
        if not sys.flags.safe_path and os.path.isfile(call.target):
            sys.path[0] = os.path.dirname(os.path.realpath(call.target))  # `-m` has put another folder there
        runpy.run_path(call.target, run_name="__main__")


def list_names(text: str) -> None:
    """Print the names with ``text`` in them; whoever reads them may stop early, as ``head`` does.

    Raises:
        SystemExit: there are none.
    """
    names = public_names(text)
    if not names:
        sys.exit(f"no name has {text!r} in it (names are compared letter by letter)")
    try:
        print("\n".join(names), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at the end


def main(words: Sequence[str]) -> None:
    """Install the alias and do what was asked for."""
    call = parse(words)
    if call.what == "help":
        print(USAGE, end="")
        return
    install()
    if call.what == "names":
        list_names(call.target)
        return
    try:
        run(call)
    except ImportError as error:
        if str(error.name).startswith("convgrad") and WHERE not in str(error):
            error.add_note(f"convgrad stands in for torch here and lacks this name: {WHERE}")
        raise


if __name__ == "__main__":
    main(sys.argv[1:])
