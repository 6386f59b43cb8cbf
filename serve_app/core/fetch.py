"""Fetching the URLs that clients name, without letting them reach into our network.

A name is resolved once, all its addresses are checked, and the connection goes to one of those
very addresses, so a name that changes its mind in between (DNS rebinding) gains nothing. Redirects
are followed here and checked like the first URL. Proxies of the environment are not used.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from io import BytesIO
from typing import Any, BinaryIO

import httpcore
import httpx

from configs.settings import FetchSettings
from serve_app.core.addresses import Resolver, is_connectable, is_public, parse, resolve
from serve_app.core.errors import InvalidInput

_MAX_URL_CHARACTERS = 8192
_MAX_ADDRESSES = 4
_REDIRECTS = {301, 302, 303, 307, 308}
_NETWORK_FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    ssl.SSLError,
    OSError,
)
_AGENT = (b"User-Agent", f"Sartiq/{version('sartiq')}".encode())
_REQUEST_HEADERS = [
    _AGENT,
    (b"Accept", b"image/*, */*;q=0.5"),
    # Pictures are compressed already; a server may compress again all the same.
    (b"Accept-Encoding", b"identity"),
    (b"Connection", b"close"),
]


class InvalidUrl(InvalidInput):
    """The URL is malformed, or points where the platform does not go."""

    code = "invalid_url"


class FetchFailed(InvalidInput):
    """The URL is fine, but its server gave no usable answer."""

    code = "fetch_failed"


class FetchTooLarge(FetchFailed):
    """The answer has more bytes than are taken."""

    status_code = 413
    code = "fetch_too_large"


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """What a server answered to a POST; ``body``: how it begins."""

    status: int
    headers: dict[str, str]
    body: bytes


class Fetcher:
    """Fetches URLs within limits of size, time, redirects and reach.

    Args:
        settings: the limits, and the hosts that may be private.
        resolver: host names to addresses; the system's unless a test brings its own.
        ssl_context: whom to trust; the usual authorities if None.
    """

    def __init__(
        self,
        settings: FetchSettings,
        resolver: Resolver = resolve,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._backend = _GuardedBackend(resolver, settings.allowed_private_hosts)
        self._given_context = ssl_context

    async def fetch(self, url: str) -> bytes:
        """The body that a GET of the URL answers, after redirects and content decoding.

        Raises:
            InvalidUrl: the URL, or one it redirects to, is malformed or not public.
            FetchFailed: no answer in time, or none with status 200.
            FetchTooLarge: more than ``max_bytes``; no more than that was ever held.
        """
        body = BytesIO()
        await self.download(url, body)
        return body.getvalue()

    async def download(
        self,
        url: str,
        file: BinaryIO,
        *,
        max_bytes: int | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """Write the body into a file, within limits of its own where they are given.

        Raises:
            InvalidUrl, FetchFailed, FetchTooLarge: as for :meth:`fetch`; the file may have a part.
        """
        target = check_url(url)
        limit = self._settings.max_bytes if max_bytes is None else max_bytes
        seconds = timeout_seconds or self._settings.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._follow(target, file, limit)
        except TimeoutError as error:
            raise FetchFailed(f"{target.host} took longer than {seconds:g} seconds") from error

    async def check(self, url: str) -> httpx.URL:
        """The parsed URL, if a request may go there as far as can be told now.

        Raises:
            InvalidUrl, FetchFailed: it is malformed, has no address, or one that is not public.
        """
        target = check_url(url)
        await self._backend.addresses(target.host, target.port or 443)
        return target

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, seconds: float, keep: int
    ) -> PostAnswer:
        """Send a body; redirects are not followed, and no more than ``keep`` bytes are read.

        Raises:
            InvalidUrl, FetchFailed: as for :meth:`fetch`.
        """
        target = check_url(url)
        own = [(b"Host", target.netloc), _AGENT, (b"Connection", b"close")]
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        length = (b"Content-Length", str(len(body)).encode())
        pool = httpcore.AsyncConnectionPool(
            ssl_context=self._ssl_context, network_backend=self._backend
        )
        try:
            async with (
                asyncio.timeout(seconds),
                pool,
                pool.stream(
                    "POST", _wire_url(target), headers=[*own, length, *given], content=body
                ) as response,
            ):
                start = b""
                async for chunk in response.aiter_stream():
                    start += chunk[: keep - len(start)]
                    if len(start) >= keep:
                        break
                return PostAnswer(response.status, _decoded(response.headers), start)
        except TimeoutError as error:
            raise FetchFailed(f"{target.host} took longer than {seconds:g} seconds") from error
        except _NETWORK_FAILURES as error:
            raise FetchFailed(f"{target.host} could not be reached") from error

    async def _follow(self, url: httpx.URL, file: BinaryIO, limit: int) -> None:
        for _ in range(self._settings.max_redirects + 1):
            location = await self._get(url, file, limit)
            if location is None:
                return
            url = _redirected(url, location)
        raise FetchFailed(f"more than {self._settings.max_redirects} redirects")

    async def _get(self, url: httpx.URL, file: BinaryIO, limit: int) -> str | None:
        """One request: its body is in the file now, or where to go instead."""
        try:
            async with (
                httpcore.AsyncConnectionPool(
                    ssl_context=self._ssl_context, network_backend=self._backend
                ) as pool,
                pool.stream("GET", _wire_url(url), headers=_headers(url)) as response,
            ):
                headers = _decoded(response.headers)
                if response.status in _REDIRECTS and "location" in headers:
                    return headers["location"]
                if response.status != 200:
                    raise FetchFailed(f"{url.host} answered with status {response.status}")
                await _receive(url, headers, response.aiter_stream(), file, limit)
                return None
        except _NETWORK_FAILURES as error:
            raise FetchFailed(f"{url.host} could not be reached") from error

    @cached_property
    def _ssl_context(self) -> ssl.SSLContext:
        return self._given_context or httpx.create_ssl_context()


async def _receive(
    url: httpx.URL,
    headers: dict[str, str],
    chunks: AsyncIterator[bytes],
    file: BinaryIO,
    limit: int,
) -> None:
    """Write a body into a file, as long as it has no more than ``limit`` bytes."""
    too_large = FetchTooLarge(f"{url.host} sent more than {limit:,} bytes")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise too_large
    decoder = _Decoder(headers.get("content-encoding", "identity"))
    received = 0
    async for chunk in chunks:
        data = decoder.feed(chunk, limit + 1 - received)
        received += len(data)
        if received > limit:
            raise too_large
        file.write(data)
    decoder.finish()


def check_url(url: str) -> httpx.URL:
    """The parsed URL, if it may be fetched as far as its text tells.

    Raises:
        InvalidUrl: it may not.
    """
    if len(url) > _MAX_URL_CHARACTERS:
        raise InvalidUrl(f"the URL is longer than {_MAX_URL_CHARACTERS} characters")
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidUrl("the URL is malformed") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise InvalidUrl("the URL must start with http:// or https:// and name a host")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise InvalidUrl("the port of the URL must be between 1 and 65535")
    if parsed.userinfo:
        raise InvalidUrl("the URL must not contain a user name or password")
    return parsed


def _redirected(url: httpx.URL, location: str) -> httpx.URL:
    try:
        return check_url(str(url.join(location)))
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidUrl(f"{url.host} redirects to a malformed URL") from error


def _wire_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )


def _headers(url: httpx.URL) -> list[tuple[bytes, bytes]]:
    return [(b"Host", url.netloc), *_REQUEST_HEADERS]


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


class _Decoder:
    """Undo ``Content-Encoding``, never holding more than is asked for: bombs stay folded."""

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        if name not in {"identity", "", "gzip", "x-gzip", "deflate"}:
            raise FetchFailed(f"the answer has the content encoding {name[:40]!r}; none is best")
        # 32 added to the window size: take either of the gzip and zlib headers.
        self._inflate = (
            None if name in {"identity", ""} else zlib.decompressobj(zlib.MAX_WBITS | 32)
        )

    def feed(self, chunk: bytes, limit: int) -> bytes:
        if self._inflate is None:
            return chunk
        try:
            return self._inflate.decompress(self._inflate.unconsumed_tail + chunk, limit)
        except zlib.error as error:
            raise FetchFailed("the answer is not compressed as it says") from error

    def finish(self) -> None:
        if self._inflate is not None and not self._inflate.eof:
            raise FetchFailed("the answer was cut off")


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to checked addresses only; names never get past it.

    TLS runs above it with the name of the URL, so certificates and SNI are unaffected.
    """

    def __init__(self, resolver: Resolver, allowed_private_hosts: Iterable[str]) -> None:
        self._resolver = resolver
        self._private = {host.lower().rstrip(".") for host in allowed_private_hosts}
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, *args: Any, **kwargs: Any
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of the host that accepts.

        Raises:
            InvalidUrl: one of the host's addresses is not public.
        """
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in (await self.addresses(host, port))[:_MAX_ADDRESSES]:
            try:
                return await self._inner.connect_tcp(address, port, *args, **kwargs)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)

    async def addresses(self, host: str, port: int) -> list[str]:
        """All addresses of a host.

        Raises:
            InvalidUrl: one of them is not public.
            FetchFailed: it has none.
        """
        try:
            addresses = [parse(text) for text in await self._resolver(host, port)]
        except (OSError, UnicodeError, ValueError) as error:
            raise FetchFailed(f"{host} has no address") from error
        allowed = is_connectable if host.lower().rstrip(".") in self._private else is_public
        if not all(map(allowed, addresses)):
            # Which address stays out of the text: it would map our network for the client.
            raise InvalidUrl(f"{host} is not a public address, so it is not fetched")
        return [str(address) for address in addresses]
