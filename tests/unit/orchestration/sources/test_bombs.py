"""Answers that are small on the wire and huge or endless once read: refused within the cap, in memory as well."""

import gzip
import json
import random
import tracemalloc
import zlib

import httpx
import pytest

from orchestration.sources.decoding import PIECE_BYTES, UnreadableEncodingError, decoded_pieces
from orchestration.sources.errors import ResponseTooLargeError, UnexpectedBodyError
from orchestration.sources.http import HttpClient, HttpLimits
from orchestration.sources.json_text import DEEPEST, read_json

MIB = 1024 * 1024
SMALL = HttpLimits(attempts=1, max_bytes=MIB)


def zeros(mebibytes: int, *, layers: int = 1) -> bytes:
    """A gzip of zeros, and that again in gzip."""
    body = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    packed = b"".join([*(body.compress(bytes(MIB)) for _ in range(mebibytes)), body.flush()])
    for _ in range(layers - 1):
        packed = gzip.compress(packed)
    return packed


def answering(body: bytes, encoding: str | None = None, *, limits: HttpLimits = SMALL) -> HttpClient:
    headers = {} if encoding is None else {"content-encoding": encoding}

    class Stream(httpx.SyncByteStream):
        def __iter__(self):
            yield from (body[start : start + 65_536] for start in range(0, len(body), 65_536))

    return HttpClient(
        limits=limits,
        transport=httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, stream=Stream())),
        sleep=lambda _: None,
    )


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_refused_at_the_cap_and_never_held_whole(encoding):
    body = zeros(24) if encoding == "gzip" else zlib.compress(bytes(24 * MIB), 9)

    with answering(body, encoding) as http:
        tracemalloc.start(1)
        with pytest.raises(ResponseTooLargeError, match="larger than 1048576 bytes"):
            http.get_json("https://provider.test/list")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert len(body) < 30_000
    assert peak < 3 * MIB


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "compress", "gzip, br"])
def test_nested_and_unbounded_encodings_are_not_read(encoding):
    with answering(zeros(4, layers=2), encoding) as http, pytest.raises(UnexpectedBodyError, match="its encoding is"):
        http.get_json("https://provider.test/list")


def test_only_what_is_read_is_asked_for():
    asked = []

    def answer(request):
        asked.append(request.headers["accept-encoding"])
        return httpx.Response(200, json=[])

    with HttpClient(transport=httpx.MockTransport(answer)) as http:
        http.get_json("https://provider.test/list")

    assert asked == ["gzip, deflate"]


def raw_deflate(body: bytes) -> bytes:
    packing = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packing.compress(body) + packing.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
    ],
)
@pytest.mark.parametrize("size", [0, 1, 1000, PIECE_BYTES - 1, PIECE_BYTES, 2 * PIECE_BYTES + 7])
@pytest.mark.parametrize("piece", [1, 65_536])
def test_bodies_come_out_as_they_went_in_whatever_pieces_they_come_in(encoding, pack, size, piece):
    body = random.Random(size).randbytes(size // 2) + bytes(size - size // 2)
    packed = pack(body)
    if piece == 1 and len(packed) > 2000:
        piece = 997

    pieces = list(decoded_pieces((packed[at : at + piece] for at in range(0, len(packed), piece)), encoding))

    assert b"".join(pieces) == body
    assert all(len(each) <= max(PIECE_BYTES, piece) for each in pieces)


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_body_that_is_cut_off_says_so(cut):
    packed = gzip.compress(json.dumps(list(range(1000))).encode())

    with pytest.raises(UnreadableEncodingError, match="cut off"):
        list(decoded_pieces([packed[:-cut]], "gzip"))


def test_a_body_that_is_no_gzip_says_so():
    with answering(b"[1, 2]", "gzip") as http, pytest.raises(UnexpectedBodyError, match="does not decompress"):
        http.get_json("https://provider.test/list")


@pytest.mark.parametrize("depth", [DEEPEST + 1, 20_000])
def test_json_that_is_nested_without_end_is_no_json(depth):
    body = b"[" * depth + b"]" * depth

    with answering(body) as http, pytest.raises(UnexpectedBodyError, match="nested"):
        http.get_json("https://provider.test/list")


def test_brackets_in_words_are_no_depth():
    value = {"name": "[" * 5_000 + '\\" {', "rows": [[[1]]] * 900}

    assert read_json(json.dumps(value)) == value


def test_depth_that_words_hide_ends_in_an_error_too():
    hidden = "".join(f'["{"]" * 180}",' * 180 for _ in range(20))

    with pytest.raises(ValueError, match=r"nested|delimiter|Expecting"):
        read_json(hidden)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "9" * 5000, "", "{", '"\\u12"'])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        read_json(text)


def test_halves_of_characters_become_one_that_can_be_kept():
    text = json.dumps({"na\ud83dme": ["\udfff", {"x": "a\ud800b"}], "whole": "\U0001f4a9"})

    value = read_json(text)

    assert value == {"na\ufffdme": ["\ufffd", {"x": "a\ufffdb"}], "whole": "\U0001f4a9"}
    assert json.dumps(value, ensure_ascii=False).encode()
