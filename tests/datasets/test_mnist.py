"""MNIST: the packaged digits, local folders, and downloads from a server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from convgrad.datasets import download, load_digits, load_mnist, mnist, write_idx
from convgrad.datasets.download import Checksum, fetch
from convgrad.datasets.files import PACKAGED
from convgrad.errors import ConvgradError, has


def test_packaged_digits() -> None:
    images, labels = load_digits()
    assert images.shape == (5000, 28, 28) and images.dtype == np.uint8 and images.max() == 255
    assert labels.shape == (5000,) and labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(labels).tolist() == [479, 563, 488, 493, 535, 434, 501, 550, 462, 495]
    images, labels = load_digits(train=False)
    assert images.shape == (1000, 28, 28) and labels[:5].tolist() == [7, 2, 1, 0, 4]


def test_the_notice_has_the_checksum_of_every_packaged_file() -> None:
    rows = dict(
        re.findall(r"\| `(\S+)` \| [\d,]+ \| ([0-9a-f]{64}) \|", (PACKAGED / "NOTICE.md").read_text("utf-8"))
    )
    files = {path.name: path for path in PACKAGED.iterdir() if path.suffix in (".gz", ".wav")}
    assert rows == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def test_packaged_digits_are_the_first_of_mnist(real_data: Path) -> None:
    for train, count in ((True, 5000), (False, 1000)):
        for few, all_of_them in zip(load_digits(train), load_mnist(real_data, train=train), strict=True):
            np.testing.assert_array_equal(few, all_of_them[:count])


def test_complete_files(real_data: Path) -> None:
    for kind, count in (("mnist", 60000), ("fashion-mnist", 20000)):
        assert load_mnist(real_data / kind, kind)[0].shape == (count, 28, 28)
        assert np.bincount(load_mnist(real_data, kind, train=False)[1]).size == 10
    for stem, checksum in mnist.CHECKSUMS["mnist"].items():
        assert checksum.holds(real_data / "mnist" / f"{stem}.gz")
    assert mnist.CHECKSUMS["fashion-mnist"]["t10k-labels-idx1-ubyte"].holds(
        real_data / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz"
    )


def folder_with(folder: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    write_idx(folder / "train-images-idx3-ubyte", images)
    write_idx(folder / "train-labels-idx1-ubyte.gz", labels)
    return folder


def test_plain_and_gzipped_files_in_one_folder(tmp_path: Path) -> None:
    expected = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28)
    images, labels = load_mnist(folder_with(tmp_path, expected, np.array([3, 9], np.uint8)))
    np.testing.assert_array_equal(images, expected)
    assert labels.tolist() == [3, 9]


IMAGES, LABELS = np.zeros((2, 28, 28), np.uint8), np.zeros(2, np.uint8)
BAD = {
    "size": (
        np.zeros((2, 27, 28), np.uint8),
        LABELS,
        r"expected uint8 \(N, 28, 28\), found uint8 \(2, 27, 28\)",
    ),
    "image type": (IMAGES.astype(np.float32), LABELS, "found float32"),
    "count": (IMAGES, np.zeros(3, np.uint8), r"expected uint8 \(2,\) to go with train-images"),
    "label type": (IMAGES, np.zeros(2, np.int32), "found int32"),
    "label": (IMAGES, np.array([1, 10], np.uint8), "labels from 0 to 9, found 10"),
}


@pytest.mark.parametrize("case", BAD)
def test_files_that_do_not_go_together(case: str, tmp_path: Path) -> None:
    images, labels, phrase = BAD[case]
    with pytest.raises(ValueError, match=phrase):
        load_mnist(folder_with(tmp_path, images, labels))


def test_missing_files_and_unknown_kinds(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"found neither train-images.*download\(root, kind='mnist'\)"
    ):
        load_mnist(tmp_path)
    with pytest.raises(ValueError, match="kind must be one of mnist, fashion-mnist, but got 'cifar'"):
        load_mnist(tmp_path, "cifar")
    with pytest.raises(ValueError, match="kind must be one of"):
        download(tmp_path, "cifar")


# ---------------------------------------------------------------------- downloads

FILE = np.random.default_rng(0).bytes(300_000)


class Site(ThreadingHTTPServer):
    """A server on this machine that can break off, answer wrongly, or know no ranges."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.break_after: list[int] = []
        self.ranges = True
        self.wrong_range = False

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        site, asked = self.server, self.headers.get("Range")
        site.asked.append((self.path[1:], asked))
        body = site.files.get(self.path[1:])
        if body is None:
            return self.send_error(404)
        start = int(re.findall(r"\d+", asked)[0]) if asked and site.ranges else 0
        if start >= len(body):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if start:
            shown = 0 if site.wrong_range else start
            self.send_header("Content-Range", f"bytes {shown}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        end = start + site.break_after.pop(0) if site.break_after else len(body)
        self.wfile.write(body[start:end])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


RIGHT = Checksum("sha256", hashlib.sha256(FILE).hexdigest())


def test_a_plain_download(site: Site, tmp_path: Path) -> None:
    site.files["a"] = FILE
    target = tmp_path / "a"
    assert fetch([site.url("a")], target, RIGHT, progress=False) == target
    assert target.read_bytes() == FILE and list(tmp_path.iterdir()) == [target]
    fetch([site.url("a")], target, RIGHT, progress=False)
    assert len(site.asked) == 1  # the second call found the file right and asked nobody


def test_a_broken_transfer_is_continued_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.files["a"] = FILE
    site.break_after = [100_000, 50_000]
    fetch([site.url("a")], tmp_path / "a", RIGHT, progress=False)
    assert (tmp_path / "a").read_bytes() == FILE
    assert site.asked == [("a", None), ("a", "bytes=100000-"), ("a", "bytes=150000-")]


def test_a_part_is_kept_for_the_next_call(site: Site, tmp_path: Path) -> None:
    site.files["a"] = FILE
    site.break_after = [1000, 1000, 1000]
    with pytest.raises(ConvgradError, match=r"297000 bytes early; what came is kept in a\.part"):
        fetch([site.url("a")], tmp_path / "a", RIGHT, progress=False)
    assert not (tmp_path / "a").exists() and (tmp_path / "a.part").read_bytes() == FILE[:3000]
    fetch([site.url("a")], tmp_path / "a", RIGHT, progress=False)
    assert (tmp_path / "a").read_bytes() == FILE and site.asked[-1] == ("a", "bytes=3000-")


@pytest.mark.parametrize("how", ["no ranges", "wrong range"])
def test_a_server_that_cannot_continue_starts_over(site: Site, tmp_path: Path, how: str) -> None:
    site.files["a"] = FILE
    site.ranges, site.wrong_range = how != "no ranges", how == "wrong range"
    (tmp_path / "a.part").write_bytes(FILE[:70_000])
    fetch([site.url("a")], tmp_path / "a", RIGHT, progress=False)
    assert (tmp_path / "a").read_bytes() == FILE
    asked = [
        how for _, how in site.asked
    ]  # a tail that claims to be the beginning: the checksum finds it out
    assert asked == (["bytes=70000-"] if how == "no ranges" else ["bytes=70000-", None])


@pytest.mark.parametrize("part", [b"x" * 100, b"x" * 400_000, FILE], ids=["wrong", "too long", "complete"])
def test_a_stale_part_is_found_out(site: Site, tmp_path: Path, part: bytes) -> None:
    site.files["a"] = FILE
    (tmp_path / "a.part").write_bytes(part)
    fetch([site.url("a")], tmp_path / "a", RIGHT, progress=False)
    assert (tmp_path / "a").read_bytes() == FILE and not (tmp_path / "a.part").exists()


def test_wrong_content_is_refused_and_the_next_mirror_asked(site: Site, tmp_path: Path) -> None:
    site.files.update(bad=FILE[:-1] + b"?", good=FILE)
    (tmp_path / "a").write_bytes(b"an older, damaged file")
    with pytest.raises(ConvgradError, match="the sha256 of the file is not"):
        fetch([site.url("bad")], tmp_path / "a", RIGHT, progress=False)
    assert (tmp_path / "a").read_bytes() == b"an older, damaged file" and not (tmp_path / "a.part").exists()
    fetch([site.url("none"), site.url("bad"), site.url("good")], tmp_path / "a", RIGHT, progress=False)
    assert (tmp_path / "a").read_bytes() == FILE


def test_every_mirror_is_named_when_all_fail(site: Site, tmp_path: Path) -> None:
    urls = [site.url("none"), "http://127.0.0.1:9/closed"]
    with pytest.raises(
        ConvgradError, match=r"(?s)no mirror gave a\n.*answered 404 Not Found\n.*closed: URLError"
    ):
        fetch(urls, tmp_path / "a", RIGHT, progress=False)


def test_checksums_of_contents(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    content = bytes(range(256)) * 4000
    checksum = Checksum("md5", hashlib.md5(content, usedforsecurity=False).hexdigest(), "content")
    for level in (1, 9):
        path.write_bytes(gzip.compress(content, level, mtime=0))
        assert checksum.holds(path)
    path.write_bytes(gzip.compress(content[:-1]))
    assert not checksum.holds(path)
    path.write_bytes(gzip.compress(content)[:-9])
    assert not checksum.holds(path)
    path.write_bytes(b"no gzip")
    assert not checksum.holds(path)


def test_download_of_all_four_files(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checksums = {}
    for path in PACKAGED.glob("*.gz"):
        site.files[path.name] = path.read_bytes()
        content = gzip.decompress(path.read_bytes())
        checksums[path.stem] = Checksum("sha256", hashlib.sha256(content).hexdigest(), "content")
    monkeypatch.setitem(mnist.CHECKSUMS, "mnist", checksums)
    monkeypatch.setitem(mnist.MIRRORS, "mnist", (site.url(""),))
    folder = download(tmp_path, "mnist")
    assert folder == tmp_path / "mnist" and len(list(folder.iterdir())) == 4
    for ours, packaged in zip(load_mnist(tmp_path), load_digits(), strict=True):
        np.testing.assert_array_equal(ours, packaged)
    if has("tqdm"):
        assert "train-images-idx3-ubyte.gz" in capsys.readouterr().err
