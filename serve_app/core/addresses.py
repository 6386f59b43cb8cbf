"""Which network addresses the platform may connect to on behalf of a client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
# Host and port to addresses, as text; raises OSError when there are none.
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# Special by the IANA registries, though Python 3.11 counts them as global.
_SPECIAL = [
    ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20", "2620:4f:8000::/48")
]
# What no allow-list opens: cloud metadata (link-local, and Amazon's own IPv6 address).
_METADATA = [ip_network(text) for text in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128")]


async def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a name, by the system's resolver.

    It also reads the old spellings of numbers (``0x7f.1``, ``127.1``), as ``connect`` would.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: Address) -> bool:
    """Whether the address is a host of the public internet, however it is written."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not _in(address, _SPECIAL)
    if (inner := embedded_ipv4(address)) is not None:
        return is_public(inner)
    return address in _GLOBAL_UNICAST and address.is_global and not _in(address, _SPECIAL)


def is_connectable(address: Address) -> bool:
    """Whether an allow-listed host may have this address: one machine, and not its metadata."""
    if isinstance(address, IPv6Address) and (inner := embedded_ipv4(address)) is not None:
        return is_connectable(inner)
    single = not (address.is_multicast or address.is_unspecified)
    return single and not _in(address, _METADATA)


def embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that traffic to this one ends at: mapped, 6to4 or NAT64."""
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour


def parse(text: str) -> Address:
    """An address as the resolver gives it, without the zone of a link-local one."""
    return ip_address(text.partition("%")[0])


def _in(address: Address, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks)
