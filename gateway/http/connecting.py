"""How a connection to an upstream comes about: names resolved anew each time, addresses tried in turn, proxies, TLS."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from config.upstreams import Upstream
from gateway.http.errors import UpstreamError
from gateway.http.proxy import Handshake, Proxy
from policies.errors import OperatorError

Factory = Callable[[], asyncio.Protocol]


class Address(NamedTuple):
    """Where an upstream is; `authority` is the value of `Host`."""

    host: str
    port: int
    authority: bytes
    secure: bool

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.host}:{self.port}"

    @property
    def target(self) -> bytes:
        """Host and port as CONNECT wants them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}".encode("ascii")


class Connector:
    """Opens connections to one upstream. Plain HTTP goes through a proxy as it is, https through its CONNECT."""

    def __init__(self, settings: Upstream, loop: asyncio.AbstractEventLoop) -> None:
        """Read the address and certificates; connects to nobody yet.

        Raises:
            OperatorError: the address is wrong, or the certificates can't be read.
        """
        self.address = address_of(settings.base_url)
        self._loop = loop
        self._timeout_s = settings.connect_timeout_s
        self._asked: dict[tuple[str, int], asyncio.Task[list[str]]] = {}  # names that are being looked up
        self._tls = _tls(settings) if self.address.secure else None
        self.proxy = Proxy.of(settings.proxy.get_secret_value()) if settings.proxy is not None else None

    @property
    def forwards(self) -> Proxy | None:
        """The proxy that has to be told, with each request, whom it is for."""
        return None if self.address.secure else self.proxy

    async def open(self, protocol: asyncio.Protocol) -> None:
        """Connect `protocol`; its `connection_made` is called when it can speak to the upstream.

        Raises:
            UpstreamError: that can't be done.
        """
        where = self.address.where
        through = f" through {self.proxy.where}" if self.proxy is not None else ""
        try:
            if self.proxy is None:
                await self._reach(lambda: protocol, self.address.host, self.address.port, self._tls)
            elif self._tls is None:
                await self._reach(lambda: protocol, self.proxy.host, self.proxy.port)
            else:
                await self._tunnel(protocol, self.proxy, self._tls)
        except ssl.SSLError as error:
            raise UpstreamError("tls", f"no secure connection to {where}{through}: {error.reason or error}") from error
        except OSError as error:
            raise UpstreamError("connect", f"can't connect to {where}{through}: {error.strerror or error}") from error

    async def _reach(self, factory: Factory, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Try each address of the name until one accepts. Each has its share of the time, the last all that is left."""
        addresses = await self._resolve(host, port)
        refusal = OSError("the name has no address")
        name = host if tls is not None else None
        for left in range(len(addresses), 0, -1):
            address = addresses[-left]
            try:
                async with asyncio.timeout(self._timeout_s / len(addresses) if left > 1 else None):
                    await self._loop.create_connection(factory, address, port, ssl=tls, server_hostname=name)
            except ssl.SSLError:
                raise
            except OSError as error:
                refusal = error
            else:
                return
        raise refusal

    async def _resolve(self, host: str, port: int) -> list[str]:
        """The name's addresses. Connections that are opened at the same time share one question to the resolver."""
        if is_literal(host):
            return [host]
        where = (host, port)
        asked = self._asked.get(where)
        if asked is None:
            asked = self._asked[where] = self._loop.create_task(self._look_up(host, port))
            asked.add_done_callback(lambda done: self._answered(where, done))
        return await asyncio.shield(asked)

    def _answered(self, where: tuple[str, int], asked: asyncio.Task[list[str]]) -> None:
        del self._asked[where]
        if not asked.cancelled():
            asked.exception()  # those who waited for it may all have gone

    async def _look_up(self, host: str, port: int) -> list[str]:
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    async def _tunnel(self, protocol: asyncio.Protocol, proxy: Proxy, tls: ssl.SSLContext) -> None:
        handshake = Handshake(proxy, self.address.target, self._loop)
        await self._reach(lambda: handshake, proxy.host, proxy.port)
        try:
            transport = await handshake.opened
            secured = await self._loop.start_tls(transport, protocol, tls, server_hostname=self.address.host)
        except BaseException:
            handshake.close()
            raise
        assert secured is not None
        protocol.connection_made(secured)


def is_literal(host: str) -> bool:
    """Whether a host is an address and not a name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def address_of(base_url: str) -> Address:
    """Host, port and `Host` header of a base URL.

    Raises:
        OperatorError: it has none.
    """
    url = urlsplit(base_url)
    try:
        host, port, authority = url.hostname, url.port, url.netloc.rpartition("@")[2].encode("ascii")
    except ValueError as error:
        raise OperatorError(f"base_url {base_url!r} is not usable: {error}") from error
    if not host:
        raise OperatorError(f"base_url {base_url!r} names no host")
    secure = url.scheme == "https"
    return Address(host, port or (443 if secure else 80), authority, secure)


def _tls(settings: Upstream) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise OperatorError(f"ca_file {settings.ca_file!r} of {settings.base_url} can't be read: {error}") from error
    if not settings.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
