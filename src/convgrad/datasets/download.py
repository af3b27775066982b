"""Fetch one file from the first mirror that gives it whole: resumed, checked, in place only when right."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..errors import ConvgradError, has, optional
from .files import CHUNK

TIMEOUT = 30.0
"""Seconds without a byte after which a server counts as silent."""

_ATTEMPTS = 3
_FAILURES = (urllib.error.URLError, http.client.HTTPException, OSError)


class Checksum(NamedTuple):
    """The digest that a file must have.

    ``of`` is ``'file'`` for the bytes of the file, ``'content'`` for what a gzipped file holds unpacked: that
    stays the same when somebody compresses it again.
    """

    algorithm: str
    digest: str
    of: str = "file"

    def holds(self, path: Path) -> bool:
        """Whether the file has this digest; a damaged gzip file has not."""
        found = hashlib.new(self.algorithm, usedforsecurity=False)
        try:
            with gzip.open(path, "rb") if self.of == "content" else open(path, "rb") as file:
                while piece := file.read(CHUNK):
                    found.update(piece)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            return False
        return found.hexdigest() == self.digest


def fetch(urls: Sequence[str], target: Path, checksum: Checksum, progress: bool = True) -> Path:
    """Download ``target`` unless it is there already with the right checksum.

    What an interrupted transfer has brought is kept in ``<target>.part`` and continued next time, by an HTTP
    range request where the server knows them. The file appears under its name after the check.

    Args:
        urls: where to look, in this order.
        target: the file to be written; its folder must exist.
        checksum: what the file must have.
        progress: show a progress bar, if tqdm is installed.
    Returns:
        ``target``.
    Raises:
        ConvgradError: no mirror gave the file; the message has one line for each.
    """
    if target.exists() and checksum.holds(target):
        return target
    part = target.with_name(target.name + ".part")
    complaints = []
    for url in urls:
        complaint = _try_mirror(url, part, checksum, progress)
        if complaint is None:
            os.replace(part, target)
            return target
        complaints.append(f"  {url}: {complaint}")
    raise ConvgradError(f"download: no mirror gave {target.name}\n" + "\n".join(complaints))


def _try_mirror(url: str, part: Path, checksum: Checksum, progress: bool) -> str | None:
    """Bring ``part`` to its end from one server; None, or why that failed."""
    complaint = "nothing received"
    for _ in range(_ATTEMPTS):
        start = part.stat().st_size if part.exists() else 0
        try:
            missing = _transfer(url, part, start, progress)
        except urllib.error.HTTPError as error:
            complaint = f"the server answered {error.code} {error.reason}"
            error.close()
            if error.code != 416:  # our part is longer than the file: start over
                return complaint
            part.unlink(missing_ok=True)
            continue
        except _FAILURES as error:
            complaint = f"{type(error).__name__}: {error}"
            continue
        if missing:
            complaint = f"the connection ended {missing} bytes early; what came is kept in {part.name}"
            continue
        if checksum.holds(part):
            return None
        complaint = f"the {checksum.algorithm} of the {checksum.of} is not {checksum.digest}"
        part.unlink()
        if start == 0:
            return complaint  # a whole transfer that is wrong will be wrong again
    return complaint


def _transfer(url: str, part: Path, start: int, progress: bool) -> int:
    """Append to ``part`` from byte ``start`` on; returns how many bytes are still missing."""
    headers = {"User-Agent": "convgrad", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        resumed = answer.status == 206 and _first_byte(answer.headers.get("Content-Range")) == start
        if not resumed:
            start = 0
        length = answer.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else None
        with (
            open(part, "ab" if resumed else "wb") as file,
            _Progress(part.stem, start, total, progress) as bar,
        ):
            received = start + _copy(answer, file, bar.update)
    return 0 if total is None else max(total - received, 0)


def _first_byte(content_range: str | None) -> int | None:
    found = re.match(r"bytes (\d+)-", content_range or "")
    return int(found[1]) if found else None


def _copy(answer: Any, file: BinaryIO, report: Callable[[int], object]) -> int:
    """Copy to the end; what came before a broken connection is written all the same."""
    copied = 0
    while True:
        try:
            piece = answer.read1(CHUNK)
        except http.client.IncompleteRead as error:
            piece = error.partial
        if not piece:
            return copied
        file.write(piece)
        copied += len(piece)
        report(len(piece))


class _Progress:
    """A tqdm bar in bytes, or nothing where tqdm is missing or not wanted."""

    def __init__(self, name: str, start: int, total: int | None, wanted: bool) -> None:
        self._bar: Any = None
        if wanted and has("tqdm"):
            tqdm = optional("tqdm", extra="data").tqdm
            self._bar = tqdm(desc=name, initial=start, total=total, unit="B", unit_scale=True)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, n: int) -> None:
        if self._bar is not None:
            self._bar.update(n)
