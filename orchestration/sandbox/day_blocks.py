"""A scratch file of daily numbers for many tokens, read a token or a day at a time.

The history of a large market fits on disk more comfortably than in memory. Days come in blocks, and within a block the
days of one token lie together: a token costs one short read per block, a day one long read.

Belongs here: the layout and the file's life. Does not: what the numbers mean (`candles.py`).
"""

from __future__ import annotations

import os
import tempfile
import weakref

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCK_DAYS = 32
_FLOAT_BYTES = 8


class DayBlocks:
    """Numbers by day, field and token in a nameless file of the temporary folder, which goes when this does.

    The file has no name from the start, so that a killed process leaves nothing behind. It takes
    `8 * fields * tokens * days` bytes: 18 MB for 250 tokens over 3.5 years, 500 MB for 6,000 over 4. Reads give their
    own position, so that any thread may read while others do.
    """

    def __init__(self, *, days: int, fields: int, tokens: int) -> None:
        """Open an empty file.

        Args:
            days: Number of days that will be appended.
            fields: Numbers per token and day.
            tokens: Tokens per day.
        """
        self._days, self._fields, self._tokens = days, fields, tokens
        self._block_bytes = tokens * fields * BLOCK_DAYS * _FLOAT_BYTES
        self._file = tempfile.TemporaryFile(prefix="tidemark-sandbox-", buffering=0)  # noqa: SIM115 - lives as long as self
        weakref.finalize(self, self._file.close)

    def append(self, block: Floats) -> None:
        """Add the next `BLOCK_DAYS` days, or fewer at the end; shape (fields, days, tokens)."""
        filled = np.zeros((self._tokens, self._fields, BLOCK_DAYS))
        filled[:, :, : block.shape[1]] = block.transpose(2, 0, 1)
        rest = filled.data.cast("B")
        while rest:
            rest = rest[self._file.write(rest) :]

    def token(self, index: int) -> Floats:
        """All days of one token, shape (fields, days)."""
        length = self._fields * BLOCK_DAYS * _FLOAT_BYTES
        starts = range(index * length, self._block_count * self._block_bytes, self._block_bytes)
        blocks = np.frombuffer(b"".join([self._read(length, start) for start in starts]))
        by_field = blocks.reshape(-1, self._fields, BLOCK_DAYS).transpose(1, 0, 2)
        return by_field.reshape(self._fields, -1)[:, : self._days]

    def day(self, day: int) -> Floats:
        """All tokens on one day, shape (fields, tokens)."""
        block = np.frombuffer(self._read(self._block_bytes, day // BLOCK_DAYS * self._block_bytes))
        by_token = block.reshape(self._tokens, self._fields, BLOCK_DAYS)
        return np.ascontiguousarray(by_token[:, :, day % BLOCK_DAYS].T)

    @property
    def _block_count(self) -> int:
        return -(-self._days // BLOCK_DAYS)

    def _read(self, length: int, start: int) -> bytes:
        found = os.pread(self._file.fileno(), length, start)
        if len(found) != length:
            raise OSError(f"the sandbox's scratch file ended {length - len(found)} bytes early at byte {start}")
        return found
