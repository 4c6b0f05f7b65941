"""What writers are called: in their recordings, in the spool, and in the registry that a fleet shares."""

import re
import socket

from config.records import Registry


def writer_names(registry: Registry, count: int) -> list[str]:
    """`w0`, `w1`, ...; behind the machine's name where other machines have such writers too."""
    machine = f"{registry.node or _host()}." if registry.url is not None else ""
    return [f"{machine}w{number}" for number in range(count)]


def numbered_like(writer: str) -> str:
    """What stands before the number in a writer's name."""
    return writer.rstrip("0123456789")


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())
