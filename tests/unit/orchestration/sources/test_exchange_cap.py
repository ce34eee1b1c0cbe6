"""Answers of exchanges are read up to the cap, compressed or not, by the transport of ccxt, and no number in them costs more than that."""

import asyncio
import gzip
import tracemalloc

import pytest
from aiohttp import web

from orchestration.sources.errors import ResponseTooLargeError, UnexpectedBodyError
from orchestration.sources.exchanges.client import VenueSettings, open_client
from orchestration.sources.exchanges.venues import VENUES
from orchestration.sources.http import HttpLimits

MIB = 1024 * 1024


def ask_for(body: bytes, *, encoding: str | None = None, max_bytes: int = MIB):
    """What a client of coinbase makes of a body, asked for in a request of its own."""

    async def answer(_request: web.Request) -> web.Response:
        headers = {"Content-Type": "application/json"} | ({} if encoding is None else {"Content-Encoding": encoding})
        return web.Response(body=body, headers=headers)

    async def run():
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        settings = VenueSettings(prefix=f"http://127.0.0.1:{port}", limits=HttpLimits(attempts=1, max_bytes=max_bytes))
        client = open_client(VENUES["coinbase"], settings)
        try:
            return await client.ask(lambda ccxt: ccxt.publicGetProducts(), lambda answer: answer, what="products")
        finally:
            await client.close()
            await runner.cleanup()

    return asyncio.run(run())


@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_a_body_within_the_cap_is_read(encoding):
    body = b'[{"id": "BTC-USD"}]' + b" " * 300_000

    products = ask_for(body if encoding is None else gzip.compress(body), encoding=encoding)

    assert products == [{"id": "BTC-USD"}]


def test_a_body_beyond_the_cap_is_refused():
    with pytest.raises(ResponseTooLargeError, match="larger than 1048576 bytes"):
        ask_for(b"[" + b" " * 2 * MIB + b"]")


def test_a_bomb_is_refused_at_the_cap_and_never_held_whole():
    body = gzip.compress(bytes(48 * MIB))
    ask_for(b"[]")  # what is loaded once is no part of the peak

    tracemalloc.start(1)
    try:
        with pytest.raises(ResponseTooLargeError):
            ask_for(body, encoding="gzip")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert len(body) < 60_000
    assert peak < 16 * MIB


@pytest.mark.parametrize("number", ["1e400000000", '"1E-9000"', "-2.5e+0001000", '"7e9999999999"'])
def test_a_number_whose_exponent_alone_fills_memory_is_refused(number):
    with pytest.raises(UnexpectedBodyError, match="beyond all bounds"):
        ask_for(f'[{{"id": "BTC-USD", "base_increment": {number} }}]'.encode())


@pytest.mark.parametrize("value", ["1e-8", "1e400", '"0x1e123456"', '"1e1234 is a name"', "12345678901234"])
def test_small_exponents_and_names_that_look_like_large_ones_are_read(value):
    assert len(ask_for(f'[{{"id": "BTC-USD", "base_increment": {value} }}]'.encode())) == 1


@pytest.mark.parametrize("places", ["1736121600", "-1736121600", "101"])
def test_millions_of_decimal_places_are_not_written_but_told(places, caplog):
    client = open_client(VENUES["bitstamp"], VenueSettings()).client

    assert client.parse_precision(places) is None
    assert f"bitstamp: a market of {places} decimal places, more than 100" in caplog.text


def test_the_precision_of_a_market_is_read_as_ccxt_reads_it():
    client = open_client(VENUES["bitstamp"], VenueSettings()).client

    assert [client.parse_precision(each) for each in ("8", "0", "-2", None)] == ["0.00000001", "1", "100", None]
