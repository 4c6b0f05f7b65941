"""Clients in environments of their own: Node's `openai`, LangChain with its own tests, instructor."""

import shutil
from pathlib import Path

import orjson
import pytest

from tests.conformance.conftest import POLICIES
from tests.conformance.environments import building
from tests.conformance.provider import Provider
from tests.conformance.provider.framing import REPLY, TRIP
from tests.gateway.pipeline.conftest import Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


_ONE_LOOP = ("-o", "asyncio_default_test_loop_scope=session", "-o", "asyncio_default_fixture_loop_scope=session")


@pytest.fixture
def cache(request: pytest.FixtureRequest) -> Path:
    """Where environments are kept between runs."""
    assert request.config.cache is not None
    return Path(request.config.cache.mkdir("clients"))


async def test_the_node_client(gateway: Running, cache: Path) -> None:
    home = await building.node(cache)
    script = shutil.copy(building.HERE / "client.mjs", home)
    code, out, errors = await building.run("node", script, cwd=home, BASE_URL=f"{gateway.url}/v1")
    assert code == 0, errors
    told = orjson.loads(out)
    assert (told["text"], told["streamed"], told["responded"]) == (REPLY, REPLY, REPLY)
    assert (told["version"], told["requestId"]) == ("v1.0", "req_fixture")
    assert (told["arguments"], told["parsed"], told["after"]) == (TRIP, TRIP, "Noted: seat 12")
    assert told["events"][-1] == "response.completed"
    assert (told["file"], told["models"], told["embedding"]) == ("file-1", ["fixture-1", *POLICIES], [0.25, -0.5])
    missing = {"name": "NotFoundError", "status": 404, "code": "model_not_found", "requestId": "req_fixture"}
    assert told["error"] == missing
    assert told["cut"] == {"name": "APIError", "code": "truncated"}
    assert REPLY.startswith(told["cutAfter"])


async def test_langchain(gateway: Running, cache: Path, tmp_path: Path) -> None:
    interpreter = await building.python(cache, "langchain")
    script = shutil.copy(building.HERE / "langchain_suite.py", tmp_path / "test_langchain_suite.py")
    code, out, errors = await building.run(
        interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--asyncio-mode=auto", *_ONE_LOOP, script,
        cwd=tmp_path, BASE_URL=f"{gateway.url}/v1", LANGSMITH_TRACING="false",
    )  # fmt: skip
    assert code == 0, out + errors
    assert len(gateway.frames("outcome")) > 30  # they did ask through the gateway
    assert {frame["failure"] for frame in gateway.frames("outcome")} == {None}


async def test_instructor(gateway: Running, provider: Provider, cache: Path, tmp_path: Path) -> None:
    interpreter = await building.python(cache, "instructor")
    script = shutil.copy(building.HERE / "instructor_client.py", tmp_path)
    code, out, errors = await building.run(interpreter, script, cwd=tmp_path, BASE_URL=f"{gateway.url}/v1")
    assert code == 0, errors
    told = orjson.loads(out.splitlines()[-1])
    for mode in ("TOOLS", "JSON", "JSON_SCHEMA"):
        assert told[mode] == {"whole": TRIP, "streamed": TRIP}
    assert told["again"] == "InstructorRetryException"
    assert len(provider.last.json["messages"]) > 2  # what was wrong was said to the model, through the gateway
