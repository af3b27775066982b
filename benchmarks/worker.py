"""The worker: one process, one library, benchmark functions run on request over a pair of pipes.

Requests and answers are one line of JSON each. What the library prints goes to stderr, never into an answer.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from machine import describe_library

MAX_CALLS = 1_000_000
LONG_CALL = 0.5  # seconds: such a call needs no other one before it to warm up


class Case(NamedTuple):
    """A benchmark with more to say than a bare function.

    Attributes:
        run: what is timed. With ``prepare`` it is given what that returned. None: ``prepare`` returns the
            function to time, so that what it works on need not exist before its turn comes.
        prepare: called outside the timed part, before every call if ``once`` and else before every batch.
        once: ``run`` may be called only once for each ``prepare`` (a backward frees its graph).
        per: the time is divided by this (nodes in a chain), so that rows compare.
        unit: ``"s"``, or the unit of the number that ``run`` itself returns instead of being timed.
        rounds: at most so many rounds, for rows that take seconds.
    """

    run: Callable[..., Any] | None
    prepare: Callable[[], Any] | None = None
    once: bool = False
    per: int = 1
    unit: str = "s"
    rounds: int | None = None


Setup = Callable[[Any], dict[str, Any]]
#: further requests that a benchmark's workers answer: given the library, functions of a request by name
Requests = Callable[[Any], dict[str, Callable[[dict[str, Any]], dict[str, Any]]]]
CONTROL = "control: the same pure Python on both sides"


def control() -> int:
    """Work that neither library touches: both sides must take the same time."""
    total = 0
    for i in range(200):
        total += i * i
    return total


def as_case(value: Any) -> Case:
    """A bare function is a case without preparation."""
    return value if isinstance(value, Case) else Case(value)


def ready(case: Case) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The function to time and what to call it with."""
    if case.run is not None:
        return case.run, () if case.prepare is None else (case.prepare(),)
    assert case.prepare is not None, "a case without a function needs a prepare that makes it"
    return case.prepare(), ()


def time_batch(case: Case, calls: int) -> float:
    """Seconds (or the case's own unit) per call and per ``case.per`` in one batch of ``calls`` calls."""
    gc.collect()
    clock = time.perf_counter
    if case.once:
        return time_once_prepared(case, calls)
    run, arguments = ready(case)
    if case.unit != "s":
        return float(run(*arguments)) / case.per
    start = clock()
    run(*arguments)
    first = clock() - start
    if calls == 1 and first >= LONG_CALL:
        return first / case.per
    repeats = range(calls)
    start = clock()
    for _ in repeats:
        run(*arguments)
    return (clock() - start) / calls / case.per


def time_once_prepared(case: Case, calls: int) -> float:
    """The same where every call wants a ``prepare`` of its own."""
    run, prepare, clock = case.run, case.prepare, time.perf_counter
    assert run is not None and prepare is not None, "a case that runs once needs a prepare"
    total = 0.0
    for _ in range(calls):
        state = prepare()
        start = clock()
        run(state)
        total += clock() - start
        del state
    return total / calls / case.per


def calibrate(case: Case, seconds: float) -> int:
    """How many calls make a batch of about ``seconds``."""
    if case.unit != "s":
        return 1
    calls = 1
    while True:
        spent = time_batch(case, calls) * case.per * calls
        if spent >= seconds or calls >= MAX_CALLS:
            return calls
        grow = seconds / max(spent, 1e-9)
        calls = min(MAX_CALLS, max(calls + 1, int(calls * min(grow * 1.05, 10))))


def work(library: str, setup: Setup, requests: Requests | None = None) -> int:
    """Serve requests until the pipe closes: names, calibrate, time, about and the benchmark's own."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    module = importlib.import_module(library)
    cases = {CONTROL: Case(control)} | {name: as_case(value) for name, value in setup(module).items()}
    own = requests(module) if requests is not None else {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            serve = own.get(request["do"])
            answer = serve(request) if serve is not None else answer_to(request, cases, module)
        except Exception as error:  # reported as this row's failure; the other rows go on
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers)
    return 0


def answer_to(request: dict[str, Any], cases: dict[str, Case], module: Any) -> dict[str, Any]:
    """What one request asks for."""
    match request["do"]:
        case "names":
            return {"rows": {name: [case.unit, case.per, case.rounds] for name, case in cases.items()}}
        case "calibrate":
            return {"calls": calibrate(cases[request["name"]], request["seconds"])}
        case "time":
            return {"value": time_batch(cases[request["name"]], request["calls"])}
        case "about":
            return {"about": describe_library(module)}
    raise ValueError(f"unknown request {request}")


class WorkerError(RuntimeError):
    """A worker that ended or did not answer in time."""


class Worker:
    """The asking side of a worker process. One that ended is started anew when it is next asked.

    Args:
        python: interpreter of the environment that has ``library``.
        script: the benchmark file; it hands ``--worker`` to :func:`work`.
        library: name of the module given to ``setup``.
        environ: the process's environment.
        timeout: seconds that one answer may take.
    """

    def __init__(
        self, python: str, script: str, library: str, environ: dict[str, str], timeout: float
    ) -> None:
        self.library = library
        self._timeout, self._environ = timeout, environ
        self._command = [python, script, "--worker", library]
        self._told: list[tuple[str, dict[str, Any]]] = []
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True, env=self._environ)

    @property
    def pid(self) -> int:
        """Number of the process that answers now."""
        return self._process.pid

    def tell(self, do: str, **request: Any) -> None:
        """Ask for something that changes the worker: asked again of every process that replaces it."""
        self._told.append((do, request))
        self.ask(do, **request)

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            WorkerError: the process ended, or did not answer in time and was ended.
        """
        if self._process.poll() is not None:
            self.close()
            self._process = self._start()
            for told, details in self._told:
                self._answer(told, details)
        return self._answer(do, request)

    def _answer(self, do: str, request: dict[str, Any]) -> dict[str, Any]:
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None and pipe_out is not None
        guard = threading.Timer(self._timeout, self._process.kill)
        start = time.perf_counter()
        guard.start()
        try:
            print(json.dumps({"do": do, **request}), file=pipe_in, flush=True)
            line = pipe_out.readline()
        except BrokenPipeError:
            line = ""
        finally:
            guard.cancel()
        if not line:
            code = self._process.wait()
            late = time.perf_counter() - start >= self._timeout
            what = f"gave no answer within {self._timeout:g} s" if late else f"ended with code {code}"
            raise WorkerError(
                f"the worker of {self.library} {what} at {do} {request.get('name', '')}".rstrip()
            )
        return json.loads(line)

    def close(self) -> None:
        """End the worker by closing its pipe; kill it if it does not go."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
