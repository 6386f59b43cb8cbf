"""Fetching from real servers on loopback, which an injected resolver puts behind names."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import pytest

from serve_app.core.fetch import Fetcher, FetchFailed, FetchTooLarge, InvalidUrl
from tests.fixtures.http_servers import PUBLIC, SETTINGS, Names, answer, certified, fetcher, serving


async def test_a_body_arrives_and_the_name_stays_in_the_request() -> None:
    heads: list[bytes] = []

    async def handle(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        await answer(b"pixels")(head, writer)

    async with serving(handle) as port:
        url = f"http://CDN.example:{port}/a%20b.png?size=1&x=%2F#part"
        assert await fetcher().fetch(url) == b"pixels"
    lines = heads[0].decode().split("\r\n")
    assert lines[0] == "GET /a%20b.png?size=1&x=%2F HTTP/1.1"
    assert f"Host: cdn.example:{port}" in lines


async def test_environment_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving(answer(b"direct")) as port:
        assert await fetcher().fetch(f"http://cdn.example:{port}/") == b"direct"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "0",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "127.0.0.1.",
        "①②⑦.0.0.1",
        "127。0。0。1",
    ],
)
async def test_no_spelling_reaches_loopback(host: str) -> None:
    reached: list[bytes] = []

    async def handle(head: bytes, writer: asyncio.StreamWriter) -> None:
        reached.append(head)
        await answer(b"secret")(head, writer)

    async with serving(handle) as port:
        with pytest.raises((InvalidUrl, FetchFailed)) as caught:
            await Fetcher(SETTINGS).fetch(f"http://{host}:{port}/")
    assert not reached
    assert str(caught.value).startswith("Invalid input: ")


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "10.0.0.1", "[fe80::1%251]"]
)
async def test_private_addresses_are_refused(host: str) -> None:
    with pytest.raises(InvalidUrl):
        await Fetcher(SETTINGS).fetch(f"http://{host}/latest/meta-data/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cdn.example/a.png",
        "//cdn.example/a.png",
        "file:///etc/passwd",
        "ftp://cdn.example/a.png",
        "gopher://cdn.example/",
        "data:image/png;base64,AAAA",
        "http://",
        "http:///a.png",
        "http://user@cdn.example/",
        "http://user:password@cdn.example/",
        "http://cdn.example:99999/",
        "http://cdn.example:0/",
        "http://cdn.example/\r\nX: y",
        "http://cdn.example/\0",
        "http://[::1/",
        "http://" + "a" * 9000,
    ],
)
async def test_urls_that_cannot_be_fetched(url: str) -> None:
    names = Names()
    with pytest.raises(InvalidUrl):
        await fetcher(names).fetch(url)
    assert names.asked == []


async def test_a_name_that_resolves_to_a_private_address_is_refused() -> None:
    names = Names(**{"rebound.example": ["127.0.0.1"], "mixed.example": [PUBLIC, "10.0.0.1"]})
    async with serving(answer(b"secret")) as port:
        for name in ("rebound.example", "mixed.example"):
            with pytest.raises(InvalidUrl, match="not a public address") as caught:
                await fetcher(names).fetch(f"http://{name}:{port}/")
            assert "127.0.0.1" not in str(caught.value)
            assert "10.0.0.1" not in str(caught.value)


async def test_a_name_is_resolved_once_for_check_and_connection() -> None:
    names = Names()
    async with serving(answer(b"pixels")) as port:
        await fetcher(names).fetch(f"http://cdn.example:{port}/")
    assert names.asked == ["cdn.example"]


async def test_allowed_hosts_never_reach_metadata() -> None:
    names = Names(**{"cdn.example": ["169.254.169.254"]})
    with pytest.raises(InvalidUrl):
        await fetcher(names).fetch("http://cdn.example/latest/meta-data/")


async def test_unknown_names() -> None:
    with pytest.raises(FetchFailed, match=r"nowhere.example has no address"):
        await fetcher().fetch("http://nowhere.example/")


async def test_the_next_address_is_tried() -> None:
    names = Names(**{"cdn.example": ["127.0.0.2", "127.0.0.1"]})
    async with serving(answer(b"pixels")) as port:
        assert await fetcher(names).fetch(f"http://cdn.example:{port}/") == b"pixels"


async def test_redirects_are_followed() -> None:
    async with serving(answer(b"pixels")) as port:
        there = f"Location: http://other.example:{port}/b\r\n"
        async with serving(answer(b"", "302 Found", there)) as first:
            assert await fetcher().fetch(f"http://cdn.example:{first}/a") == b"pixels"


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/",
        "http://rebound.example:{port}/",
        "//2130706433:{port}/",
        "http://user:password@other.example:{port}/",
        "file:///etc/passwd",
        "http://[/",
    ],
)
async def test_redirects_are_checked_like_the_first_url(target: str) -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with serving(answer(b"secret")) as port:
        there = f"Location: {target.format(port=port)}\r\n"
        async with serving(answer(b"", "302 Found", there)) as first:
            with pytest.raises(InvalidUrl):
                await fetcher(resolver).fetch(f"http://cdn.example:{first}/")


async def test_redirect_loops_end() -> None:
    count = 0

    async def handle(head: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await answer(b"", "307 Temporary Redirect", "Location: /again\r\n")(head, writer)

    async with serving(handle) as port:
        with pytest.raises(FetchFailed, match="more than 2 redirects"):
            await fetcher().fetch(f"http://cdn.example:{port}/")
    assert count == 3


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "204 No Content", "302 Found"])
async def test_other_statuses_are_named(status: str) -> None:
    async with serving(answer(b"", status)) as port:
        with pytest.raises(FetchFailed, match=f"answered with status {status[:3]}"):
            await fetcher().fetch(f"http://cdn.example:{port}/")


async def test_a_slow_drip_ends_at_the_time_limit() -> None:
    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    start = time.monotonic()
    async with serving(drip) as port:
        with pytest.raises(FetchFailed, match=r"took longer than 0.3 seconds"):
            await fetcher(timeout_seconds=0.3).fetch(f"http://cdn.example:{port}/")
    assert time.monotonic() - start < 2


async def test_silence_and_slow_names_end_at_the_time_limit() -> None:
    async def silent(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.6)

    async def slow(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    async with serving(silent) as port:
        with pytest.raises(FetchFailed, match="took longer"):
            await fetcher(timeout_seconds=0.2).fetch(f"http://cdn.example:{port}/")
    with pytest.raises(FetchFailed, match="took longer"):
        await fetcher(slow, timeout_seconds=0.2).fetch("http://cdn.example/")


async def test_the_limit_itself_still_fits() -> None:
    for length in (True, False):
        async with serving(answer(b"x" * 100_000, length=length)) as port:
            assert len(await fetcher().fetch(f"http://cdn.example:{port}/")) == 100_000


async def test_a_declared_excess_is_not_read() -> None:
    async def handle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")

    async with serving(handle) as port:
        with pytest.raises(FetchTooLarge, match="more than 100,000 bytes"):
            await fetcher().fetch(f"http://cdn.example:{port}/")


async def test_an_undeclared_excess_is_cut() -> None:
    sent = 0

    async def endless(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 200_000_000:
            writer.write(bytes(10_000))
            await writer.drain()
            sent += 10_000

    async with serving(endless) as port:
        with pytest.raises(FetchTooLarge):
            await fetcher().fetch(f"http://cdn.example:{port}/")
    assert sent < 50_000_000


async def test_a_gzip_bomb_stays_folded() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < SETTINGS.max_bytes
    async with serving(answer(bomb, headers="Content-Encoding: gzip\r\n")) as port:
        with pytest.raises(FetchTooLarge):
            await fetcher().fetch(f"http://cdn.example:{port}/")


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_compressed_answers_are_unpacked(name: str, pack: Callable[[bytes], bytes]) -> None:
    body = bytes(range(256)) * 390
    async with serving(answer(pack(body), headers=f"Content-Encoding: {name}\r\n")) as port:
        assert await fetcher().fetch(f"http://cdn.example:{port}/") == body
    async with serving(answer(pack(body)[:-9], headers=f"Content-Encoding: {name}\r\n")) as port:
        with pytest.raises(FetchFailed, match="cut off"):
            await fetcher().fetch(f"http://cdn.example:{port}/")


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip"])
async def test_encodings_that_are_not_understood(encoding: str) -> None:
    headers = f"Content-Encoding: {encoding}\r\n"
    async with serving(answer(b"not compressed", headers=headers)) as port:
        with pytest.raises(FetchFailed, match=r"content encoding|not compressed as it says"):
            await fetcher().fetch(f"http://cdn.example:{port}/")


@pytest.mark.parametrize("reply", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nContent-"])
async def test_what_is_no_http_is_a_clear_error(reply: bytes) -> None:
    async def handle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)

    async with serving(handle) as port:
        with pytest.raises(FetchFailed, match="could not be reached"):
            await fetcher().fetch(f"http://cdn.example:{port}/")


async def test_a_body_cut_off_is_no_body() -> None:
    async def handle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    async with serving(handle) as port:
        with pytest.raises(FetchFailed):
            await fetcher().fetch(f"http://cdn.example:{port}/")


async def test_certificates_are_checked_against_the_name(tmp_path: Path) -> None:
    server, client = certified("cdn.example", tmp_path)
    async with serving(answer(b"over TLS"), tls=server) as port:
        trusting = Fetcher(SETTINGS, Names(), ssl_context=client)
        assert await trusting.fetch(f"https://cdn.example:{port}/") == b"over TLS"
        with pytest.raises(FetchFailed, match=r"other.example could not be reached"):
            await trusting.fetch(f"https://other.example:{port}/")
        with pytest.raises(FetchFailed):
            await fetcher().fetch(f"https://cdn.example:{port}/")


async def test_a_download_has_limits_of_its_own() -> None:
    body = bytes(range(256)) * 10_000
    async with serving(answer(body)) as port:
        url, small = f"http://cdn.example:{port}/set.zip", fetcher(max_bytes=1000)
        with pytest.raises(FetchTooLarge):
            await small.fetch(url)
        file = BytesIO()
        await small.download(url, file, max_bytes=len(body))
        assert file.getvalue() == body
        with pytest.raises(FetchTooLarge, match="more than 2,559,999 bytes"):
            await small.download(url, BytesIO(), max_bytes=len(body) - 1)
