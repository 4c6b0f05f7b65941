"""The same faults where retries and a spare upstream are configured."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from config.settings import Settings
from tests.faults import wire
from tests.faults.catalogue import Fault, Shape
from tests.faults.conftest import FERRY, upstream_settings
from tests.faults.upstream import Act, Answer, Upstream
from tests.gateway.pipeline.conftest import Running, running

SPARE = "fixture-spare"


def pair(primary: str, spare: str, *, stalls: bool = False) -> Settings:
    """One policy whose model has a spare on another upstream."""
    return Settings.model_validate(
        {
            "upstreams": {
                "primary": upstream_settings(primary, stalls=stalls),
                "spare": {**upstream_settings(spare, stalls=False), "api_key": "spare-key"},
            },
            "models": {
                "fixture": {"upstream": "primary", "model": wire.MODEL, "usd_per_mtok": {"input": 2.0, "output": 8.0}},
                "spare": {"upstream": "spare", "model": SPARE, "usd_per_mtok": {"input": 1.0, "output": 1.0}},
            },
            "policies": {"ferry": {**FERRY, "resilience": {"retries": 1, "fallbacks": ["spare"], "rescue": True}}},
            "gateway": {"port": 0, "admin_port": 0},
        }
    )


def spare_answer(shape: Shape, text: str = wire.TEXT) -> Answer:
    """What the spare answers: the same text under its own name."""
    if shape == "stream":
        return (wire.answer(SPARE, text),)
    return (wire.whole(wire.completion(text, SPARE)),)


@contextlib.asynccontextmanager
async def rescued(
    fault: Fault, shape: Shape, home: Path, *, text: str = wire.TEXT
) -> AsyncIterator[tuple[Upstream, Upstream, Running]]:
    """The fault at the primary, a healthy spare beside it. An answer that pauses is never resumed here."""
    stalls = fault.stalls or any(step is Act.PAUSE for answer in fault.answers(shape) for step in answer)
    async with (
        Upstream(fault.answers(shape)).serving() as primary,
        Upstream([spare_answer(shape, text)]).serving() as spare,
        running(pair(primary.url, spare.url, stalls=stalls), home) as gateway,
    ):
        yield primary, spare, gateway
