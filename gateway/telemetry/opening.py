"""Telemetry as a worker opens and closes it."""

import contextlib
from importlib.metadata import version
from typing import TYPE_CHECKING

from config.gateway import Telemetry
from gateway.telemetry.watching import Watching
from policies.errors import OperatorError

if TYPE_CHECKING:
    from gateway.telemetry.sending import Sender


async def watching(settings: Telemetry, writer: str, stack: contextlib.AsyncExitStack) -> Watching | None:
    """An observer whose observations are sent until `stack` ends; None where no endpoint is configured.

    Raises:
        OperatorError: the extra is not installed.
    """
    if settings.endpoint is None:
        return None
    found = Watching(settings.sample)
    sender = _sender(found, settings, writer)
    sender.start()
    stack.push_async_callback(sender.close)
    return found


def _sender(found: Watching, settings: Telemetry, writer: str) -> "Sender":
    try:
        from gateway.telemetry.sending import Sender
    except ImportError as error:
        raise OperatorError(
            f"telemetry.endpoint is set, but OpenTelemetry is not installed ({error.name}); "
            "install it with `pip install evogate[otel]`, or remove the setting"
        ) from error
    return Sender(found, settings, writer, version("evogate"))
