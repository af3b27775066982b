"""IDX files: round trips, the packaged files, damaged files."""

from __future__ import annotations

import gzip
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from convgrad.datasets import read_idx, write_idx
from convgrad.datasets.files import PACKAGED

DTYPES = ["u1", "i1", "i2", "i4", "f4", "f8"]


def idx(code: int, *shape: int, content: bytes = b"") -> bytes:
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


@settings(max_examples=60, deadline=None)
@given(
    array=st.sampled_from(DTYPES).flatmap(
        lambda d: hnp.arrays(np.dtype(d), hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
    ),
    packed=st.booleans(),
    swapped=st.booleans(),
)
def test_round_trip(array: np.ndarray, packed: bool, swapped: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.idx.gz" if packed else "a.idx")
        write_idx(path, array.astype(array.dtype.newbyteorder(">")) if swapped else array)
        raw = path.read_bytes()
        assert (raw[:2] == b"\x1f\x8b") == packed
        for again in (read_idx(path), read_idx(str(path)), read_idx(raw)):
            assert again.dtype == array.dtype and again.shape == array.shape and again.flags.writeable
            assert again.tobytes() == array.tobytes()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.booleans())
def test_any_bytes_give_an_array_or_a_value_error(raw: bytes, prefixed: bool) -> None:
    try:
        array = read_idx(b"\0\0\x08" + raw if prefixed else raw)
    except ValueError as error:
        message = str(error)
    else:
        message = "<bytes>" if array.nbytes <= len(raw) else "more than there was"
    assert "<bytes>" in message


def test_gzip_bytes_depend_on_the_array_alone(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, np.arange(5, dtype=np.uint8))
    raw = (tmp_path / "a.gz").read_bytes()
    assert raw == (tmp_path / "b.gz").read_bytes()
    assert raw[:10] == b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"  # no name, time 0, level 9, unknown system


def test_rewriting_the_packaged_files_gives_them_again(tmp_path: Path) -> None:
    for path in PACKAGED.glob("*.gz"):
        write_idx(tmp_path / path.name, read_idx(path))
        assert gzip.decompress((tmp_path / path.name).read_bytes()) == gzip.decompress(path.read_bytes())


WHOLE = idx(8, 2, 3, content=b"abcdef")
BAD = {
    "empty": (b"", "expected a header of at least 4 bytes, found 0"),
    "three bytes": (WHOLE[:3], "at least 4 bytes, found 3"),
    "magic": (b"\x89PNG" + WHOLE, "expected the first two bytes to be 0, found 89 50"),
    "type": (idx(0x0A, 3, content=b"abc"), "unknown IDX type 0x0a, expected one of 0x08"),
    "no dimensions": (idx(8), "at least one dimension, found 0"),
    "sizes cut": (WHOLE[:9], "expected 8 bytes of sizes in the header, found 5"),
    "content cut": (WHOLE[:-1], r"expected 6 bytes for shape \(2, 3\) of uint8, found 5"),
    "content missing": (WHOLE[:12], "expected 6 bytes .* found 0"),
    "too long": (WHOLE + b"g", "expected 6 bytes .* found more"),
    "absurd size": (idx(14, 2**32 - 1, 2**20, content=b"ab"), "expected 36028797010575360 bytes .* found 2"),
    "absurd shape": (idx(8, 0, *[2**32 - 1] * 4), r"2\*\*63 bytes"),
    "rank": (idx(8, *[1] * 65, content=b"a"), "at most 64 dimensions"),
    "gzip cut": (gzip.compress(WHOLE)[:-9], "gzip data are damaged or cut short"),
    "gzip checksum": (gzip.compress(WHOLE)[:-8] + b"\1\2\3\4\6\0\0\0", "gzip data are damaged"),
    "gzip content": (gzip.compress(WHOLE)[:10] + b"\xff" * 30, "gzip data are damaged"),
    "gzip of a short file": (gzip.compress(WHOLE[:-2]), "expected 6 bytes .* found 4"),
}


@pytest.mark.parametrize("case", BAD)
def test_damaged_files_are_named_and_measured(case: str, tmp_path: Path) -> None:
    raw, phrase = BAD[case]
    path = tmp_path / "damaged.idx"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=phrase) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("array", "phrase"),
    [
        (np.zeros(3, np.int64), "hold uint8, int8, .* but got int64"),
        (np.zeros(3, np.complex64), "but got complex64"),
        (np.uint8(3), r"1 to 255 dimensions below 2\*\*32, but got \(\)"),
    ],
)
def test_what_idx_cannot_hold_is_refused_and_leaves_no_file(
    array: np.ndarray, phrase: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=phrase):
        write_idx(tmp_path / "a.idx", array)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.gz"):
        read_idx("nowhere.gz")
