"""Compressed bodies, decompressed a bounded piece at a time.

Belongs here: the encodings we take, and how much of a body exists in memory at once. Does not: the cap on the whole body
(`http.py`, which counts what comes out of here).

A thousandth of a body can hold the rest: 64 KiB of gzip make 64 MiB, and gzip within gzip a thousand times that. httpx decodes
each piece it receives whole, before a cap can count it, and undoes encodings that are nested. Here a piece never grows beyond
`PIECE_BYTES`, and one encoding is the most that is taken: brotli and zstd, with no bound on their ratio, are neither asked for
nor read.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

PIECE_BYTES: Final = 256 * 1024
"""Most that is decompressed at once."""

GZIP_WINDOW: Final = zlib.MAX_WBITS | 16


class UnreadableEncodingError(Exception):
    """A body is damaged, cut off, or in an encoding that is not taken."""


def accepted_encodings() -> str:
    """The header that asks for what is read here."""
    return "gzip, deflate"


def decoded_pieces(raw: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Undo the encoding of a body.

    Args:
        raw: The body as it came.
        encoding: The header `Content-Encoding`, empty where there is none.

    Yields:
        Pieces of at most `PIECE_BYTES` where the body was compressed, else as they came.

    Raises:
        UnreadableEncodingError: It does not decompress, ends too early, or is in another encoding or several.
    """
    names = [name for word in encoding.lower().split(",") if (name := word.strip()) not in ("", "identity")]
    if not names:
        yield from raw
    elif names in (["gzip"], ["x-gzip"]):
        yield from _inflated(raw, window=GZIP_WINDOW)
    elif names == ["deflate"]:
        start, whole = _with_start(raw)
        yield from _inflated(whole, window=zlib.MAX_WBITS if _has_header(start) else -zlib.MAX_WBITS)
    else:
        raise UnreadableEncodingError(f"its encoding is {encoding:.60}; {accepted_encodings()} are read, one of them")


def _inflated(raw: Iterable[bytes], *, window: int) -> Iterator[bytes]:
    inflating = zlib.decompressobj(window)
    is_begun = False
    for piece in itertools.chain(raw, [b""]):  # the last one fetches what is still held back
        left, is_full = piece, True
        while (left or is_full) and not inflating.eof:
            is_begun = is_begun or bool(left)
            try:
                given = inflating.decompress(left, PIECE_BYTES)
            except zlib.error as error:
                raise UnreadableEncodingError(str(error)) from None
            left, is_full = inflating.unconsumed_tail, len(given) == PIECE_BYTES
            if given:
                yield given
    if is_begun and not inflating.eof:
        raise UnreadableEncodingError("it is cut off")


def _with_start(raw: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first two bytes of a body, and the whole of it."""
    pieces, start = iter(raw), b""
    for piece in pieces:
        start += piece
        if len(start) >= 2:
            break
    return start[:2], itertools.chain([start], pieces)


def _has_header(start: bytes) -> bool:
    """Whether a deflated body begins as zlib writes it; some servers leave the header out."""
    return len(start) == 2 and start[0] & 0x0F == zlib.DEFLATED and int.from_bytes(start, "big") % 31 == 0
