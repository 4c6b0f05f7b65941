"""What the handlers share: the daemon, JSON in and out, and which policy is meant."""

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict

from policies.errors import ClientError, NotFoundError
from policies.registry.values import Version

if TYPE_CHECKING:
    from evolver.daemon import Daemon

DAEMON: web.AppKey["Daemon"] = web.AppKey("daemon")
B = TypeVar("B", bound="Body")


class Body(BaseModel):
    """A request's body: unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def reply(value: Any, *, status: int = 200) -> web.Response:
    """JSON of dataclasses, models and plain values."""
    body = orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    return web.Response(body=body, status=status, content_type="application/json")


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


def version_json(version: Version) -> dict[str, Any]:
    """A version with its label and its hash."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(_plain(version), default=_plain))
    return {"version": version.label, "content_hash": version.genome.content_hash, **plain}
