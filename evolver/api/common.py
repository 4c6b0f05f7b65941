"""What the handlers share: the daemon, JSON in and out, and which policy is meant."""

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict

from policies.errors import ClientError, NotFoundError, StaleError
from policies.registry.values import Pointer

if TYPE_CHECKING:
    from evolver.daemon import Daemon

DAEMON: web.AppKey["Daemon"] = web.AppKey("daemon")
B = TypeVar("B", bound=BaseModel)


class Body(BaseModel):
    """A request's body: unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def reply(value: Any, *, status: int = 200) -> web.Response:
    """JSON of dataclasses, models and plain values."""
    body = orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    return web.Response(body=body, status=status, content_type="application/json")


def envelope(status: int, message: str, param: str | None = None) -> web.Response:
    """An error, in the shape that OpenAI's clients know; `param` is the field or header at fault."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return reply({"error": {"message": message, "type": kind, "param": param, "code": None}}, status=status)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


async def body_of(request: web.Request, model: type[B]) -> B:
    """The body; an empty one is an empty object.

    Raises:
        ClientError: no JSON object. ValidationError: not what the model wants.
    """
    data = await request.read()
    try:
        value = orjson.loads(data) if data.strip() else {}
    except orjson.JSONDecodeError as error:
        raise ClientError(f"the body is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise ClientError("the body must be a JSON object")
    return model.model_validate(value)


def policy_of(request: web.Request, named: str | None = None) -> str:
    """The policy meant: the one named in body or query, or the first there is.

    Raises:
        NotFoundError: none of that name, or none at all.
    """
    known = list(request.app[DAEMON].settings.policies)
    wanted = named or request.query.get("policy") or (known[0] if known else None)
    if wanted is None or wanted not in known:
        raise NotFoundError(f"there is no policy '{wanted}'; known: {', '.join(known) or 'none'}")
    return wanted


def etag_of(pointer: Pointer) -> str:
    """What stands for a policy's production at this moment."""
    return f'"{pointer.policy}:{pointer.revision}"'


def revision_wanted(request: web.Request, policy: str) -> int | None:
    """The revision of production that `If-Match` names; None where any will do.

    Raises:
        StaleError: the header names something else than a revision of this policy's production.
    """
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    name, _, revision = given.strip().strip('"').rpartition(":")
    if name != policy or not revision.isascii() or not revision.isdigit():
        raise StaleError(f"If-Match: {given[:100]} is no ETag of production of policy '{policy}'; read it again")
    return int(revision)
