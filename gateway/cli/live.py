"""What the running processes say of themselves, where they can be reached; the registry has the rest."""

import urllib.request
from pathlib import Path
from typing import Any

import orjson

TIMEOUT_S = 2.0


def ask(url: str, *, body: dict[str, Any] | None = None, token: str | None = None) -> dict[str, Any] | None:
    """The JSON that `url` answers with (POST where there is a body), or None where nobody answers."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else orjson.dumps(body)
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 (an address that we wrote ourselves)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            found = orjson.loads(answer.read())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def listener(home: Path, process: str) -> dict[str, Any]:
    """What `process` ("gateway" or "evolver") wrote about its listeners when it started; empty if it never did."""
    try:
        found = orjson.loads((home / f"{process}.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def gateway_status(home: Path) -> dict[str, Any] | None:
    """The gateway's `/admin/status`."""
    address = listener(home, "gateway").get("admin")
    return ask(f"{address}/admin/status") if address else None


def evolver_status(home: Path) -> dict[str, Any] | None:
    """The evolver's `/api/v1/improvement/status`."""
    address = listener(home, "evolver").get("url")
    return ask(f"{address}/api/v1/improvement/status") if address else None
