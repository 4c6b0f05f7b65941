"""Logs: one line for each event, with the request's id, and nothing of what was said."""

import logging
import re
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest

from gateway.telemetry import lines
from gateway.telemetry.lines import REQUESTS, Sparing, formatter
from policies.errors import OperatorError
from tests.gateway.pipeline.conftest import running, settings
from tests.gateway.pipeline.scripted import Visit, provider, whole


def record(message: str, *, name: str = "evogate.x", error: Exception | None = None, **fields: Any) -> Any:
    info = (type(error), error, error.__traceback__) if error is not None else None
    found = logging.LogRecord(name, logging.WARNING, "f.py", 1, message, (), info)
    found.__dict__["fields"] = fields
    return found


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


def test_a_line_of_text_is_one_line() -> None:
    line = formatter("text").format(
        record("two\nlines", error=raised(KeyError("sk-secret")), request_id="r1", why="a b")
    )
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} WARNING evogate\.x two\\nlines request_id=r1 why=\"a b\" "
        r"error=KeyError raised_at=test_lines\.py:\d+",
        line,
    ), line


def test_a_line_of_json_is_one_object() -> None:
    error = raised(OperatorError("set gateway.port"))
    line = formatter("json").format(record("no\nway", error=error, request_id="r1"))
    assert "\n" not in line
    found = orjson.loads(line)
    assert found.pop("at").endswith("Z")
    assert found.pop("raised_at").startswith("test_lines.py:")
    assert found == {
        "level": "warning",
        "logger": "evogate.x",
        "message": "no\nway",
        "request_id": "r1",
        "error": "OperatorError",
        "reason": "set gateway.port",
    }


def test_lines_about_requests_are_bounded_and_what_was_left_out_is_said() -> None:
    now = 10.0
    sparing = Sparing(lambda: now)
    passed = [sparing.filter(record("request failed", name=REQUESTS)) for _ in range(lines.PER_S + 7)]
    assert passed == [True] * lines.PER_S + [False] * 7
    assert sparing.filter(record("something else"))
    now = 11.0
    first, second = record("request failed", name=REQUESTS, request_id="r"), record("request failed", name=REQUESTS)
    assert sparing.filter(first)
    assert sparing.filter(second)
    assert first.fields == {"request_id": "r", "left_out_before": 7}
    assert second.fields == {}


@pytest.mark.parametrize("form", ["text", "json"])
async def test_a_failed_request_is_one_line_without_its_words(
    form: Literal["text", "json"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(visit: Visit) -> None:
        if b"hang up" in visit.body:
            visit.writer.close()
        else:
            await visit.send(whole(b'{"error": {"message": "provider secret"}}', b"500 No"))

    told: list[str] = []
    render = formatter(form).format
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: told.append(render(record)))
    logger = logging.getLogger(REQUESTS)
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "level", logging.INFO)
    async with provider(script) as base, running(settings(base), tmp_path) as gateway:
        status, headers, _ = await gateway.ask("client secret", headers={"authorization": "Bearer sk-secret"})
        assert status == 500
        bypass = {"x-evogate-bypass": "1"}
        relayed_status, relayed, _ = await gateway.ask("hang up, secret", headers=bypass)
        assert relayed_status == 502
    covered, uncovered = told
    assert headers["x-evogate-request-id"] in covered
    assert relayed["x-evogate-request-id"] in uncovered
    assert "server_error" in covered
    assert "truncated" in uncovered
    assert "secret" not in "".join(told)
    assert "\n" not in covered + uncovered
