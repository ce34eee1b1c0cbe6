"""Answers of ccxt's transport, read up to a cap.

Belongs here: the response that counts what it reads. Does not: the cap of our own client (`orchestration/sources/http.py`).

ccxt reads a body whole, however long it is. aiohttp inflates it a bounded piece at a time and waits while nobody takes the
pieces, so counting them while they are taken bounds memory as well.
"""

from __future__ import annotations

from typing import Any

from orchestration.sources.errors import ResponseTooLargeError


def cap_answers(client: Any, *, max_bytes: int) -> None:
    """Let a ccxt client read no more than so many bytes of an answer, after decompression.

    Args:
        client: A client of `ccxt.async_support`, before its first request.
        max_bytes: The cap; a longer body raises `ResponseTooLargeError` out of the request.
    """
    open_session = client.open

    def open_capped(lazy: bool = False) -> None:
        is_new = client.own_session and client.session is None
        open_session(lazy)
        if is_new:
            client.session.detach()  # its connector goes on in the session that counts
            client.session = _session(client, max_bytes)

    client.open = open_capped


def _session(client: Any, max_bytes: int) -> Any:
    import aiohttp  # comes with ccxt, so only where it is used

    class CappedResponse(aiohttp.ClientResponse):
        """Reads up to the cap."""

        async def read(self) -> bytes:
            if self._body is None:
                self._body = await self._read_capped()
            return self._body

        async def _read_capped(self) -> bytes:
            body = bytearray()
            try:
                async for piece in self.content.iter_any():
                    body += piece
                    if len(body) > max_bytes:
                        raise ResponseTooLargeError(
                            f"{self.url.host}{self.url.path}: body is larger than {max_bytes} bytes; raise max_bytes"
                        )
            except BaseException:  # the connection cannot be used again, whatever ended the reading
                self.close()
                raise
            return bytes(body)

    return aiohttp.ClientSession(
        connector=client.tcp_connector, trust_env=client.aiohttp_trust_env, response_class=CappedResponse
    )
