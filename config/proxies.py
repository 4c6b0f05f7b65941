"""Which HTTP proxy the environment names for an upstream: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY's exceptions.

There is no standard. As with curl and most others: the lower-case name comes first; NO_PROXY is a list with commas or
spaces of `*`, hosts, `.domains` (each of which stands for what is below it, too), addresses and CIDR networks, any of
them with a `:port`. This machine itself is never asked for through a proxy.
"""

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

_PORTS = {"http": 80, "https": 443}


def proxy_for(base_url: str, environ: Mapping[str, str]) -> str | None:
    """The URL of the proxy, with its credentials if it has any; None where there is none or the URL is no good."""
    try:
        url = urlsplit(base_url)
        port = url.port or _PORTS.get(url.scheme, 0)
    except ValueError:  # whoever uses the URL says so
        return None
    proxy = _variable(environ, f"{url.scheme}_proxy") or _variable(environ, "all_proxy")
    if not proxy or _is_local(url) or _is_excepted(url.hostname or "", port, _variable(environ, "no_proxy")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def is_http_proxy(url: str) -> bool:
    """Whether this is the URL of a proxy that is spoken to in plain HTTP, the only kind supported."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and bool(parts.hostname) and parts.path in {"", "/"} and parts.port != 0
    except ValueError:
        return False


def fill_in(upstreams: Any, environ: Mapping[str, str]) -> None:
    """Give each upstream of a configuration that says nothing of a `proxy` the one of the environment."""
    for upstream in upstreams.values() if isinstance(upstreams, dict) else ():
        if isinstance(upstream, dict) and "proxy" not in upstream and isinstance(upstream.get("base_url"), str):
            proxy = proxy_for(upstream["base_url"], environ)
            if proxy is not None:
                upstream["proxy"] = proxy


def _variable(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _is_local(url: SplitResult) -> bool:
    host = url.hostname or ""
    address = _address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def _is_excepted(host: str, port: int, no_proxy: str) -> bool:
    return any(_covers(entry, host, port) for entry in no_proxy.lower().replace(",", " ").split())


def _covers(entry: str, host: str, port: int) -> bool:
    name, wanted_port = _split(entry)
    if wanted_port is not None and wanted_port != port:
        return False
    address = _address(host)
    if address is not None:
        try:
            return name == "*" or address in ipaddress.ip_network(name, strict=False)
        except ValueError:
            return False
    domain = name.removeprefix("*").removeprefix(".").rstrip(".")
    host = host.rstrip(".")
    return name == "*" or (domain != "" and (host == domain or host.endswith(f".{domain}")))


def _split(entry: str) -> tuple[str, int | None]:
    """Name and port; a second colon makes it an IPv6 address unless that stands in brackets."""
    if entry.startswith("["):
        name, _, port = entry[1:].partition("]")
        port = port.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, port = entry.partition(":")
    else:
        name, port = entry, ""
    return name, int(port) if port.isdecimal() else None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
