"""What a newcomer types, with the `curl` that is on the machine."""

import asyncio
import os
import shutil
from pathlib import Path

import orjson
import pytest

from tests.conformance.provider import Provider
from tests.conformance.provider.framing import REPLY
from tests.gateway.pipeline.conftest import Running

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")

ASK = '{"model": "clerk-1", "messages": [{"role": "user", "content": "When does it leave?"}]}'
STREAM = ASK.replace("{", '{"stream": true, ', 1)
JSON = ("-H", "content-type: application/json")


async def curl(*arguments: str, stdin: bytes = b"") -> tuple[str, str]:
    """What it printed, and what it said of the connection (`-v`)."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sv", "--max-time", "20", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "*"},
    )  # fmt: skip
    out, said = await process.communicate(stdin)
    assert process.returncode == 0, said.decode()
    return out.decode(), said.decode()


async def test_an_answer(gateway: Running) -> None:
    out, said = await curl(f"{gateway.url}/v1/chat/completions", *JSON, "-d", ASK)
    assert orjson.loads(out)["choices"][0]["message"]["content"] == REPLY
    assert "< x-evogate-version: v1.0" in said


async def test_a_stream(gateway: Running) -> None:
    out, said = await curl("-N", f"{gateway.url}/v1/chat/completions", *JSON, "-d", STREAM)
    assert out.startswith("data: {")
    assert out.endswith("data: [DONE]\n\n")
    assert "< content-type: text/event-stream" in said.lower()


async def test_head(gateway: Running) -> None:
    out, _ = await curl("--head", f"{gateway.url}/health")
    assert out.startswith("HTTP/1.1 200 OK")
    assert "content-length" in out.lower()


async def test_a_big_body_asks_for_leave_first(gateway: Running, provider: Provider, tmp_path: Path) -> None:
    """curl waits for `100 Continue` before it sends more than a megabyte."""
    text = "\u00e9" * 1_500_000
    path = tmp_path / "big.json"
    path.write_bytes(orjson.dumps({"model": "clerk-1", "messages": [{"role": "user", "content": text}]}))
    _, said = await curl(f"{gateway.url}/v1/chat/completions", *JSON, "-H", "Expect: 100-continue", "-d", f"@{path}")
    assert said.index("< HTTP/1.1 100 Continue") < said.index("< HTTP/1.1 200 OK")
    assert provider.last.json["messages"][-1]["content"] == text
    assert b"expect" not in provider.last.headers


async def test_a_chunked_body(gateway: Running, provider: Provider) -> None:
    out, _ = await curl(
        f"{gateway.url}/v1/chat/completions", *JSON, "-H", "Transfer-Encoding: chunked", "-d", "@-", stdin=ASK.encode()
    )
    assert orjson.loads(out)["choices"]
    assert b"transfer-encoding" not in provider.last.headers


@pytest.mark.parametrize("body", [ASK, STREAM], ids=["whole", "stream"])
async def test_http_1_0(gateway: Running, body: str) -> None:
    out, said = await curl("--http1.0", f"{gateway.url}/v1/chat/completions", *JSON, "-d", body)
    assert REPLY.split()[-1] in out
    assert "transfer-encoding" not in said.lower()


async def test_several_on_one_connection(gateway: Running) -> None:
    url = f"{gateway.url}/v1/chat/completions"
    out, said = await curl(url, *JSON, "-d", ASK, "--next", "-sv", url, *JSON, "-d", STREAM)
    assert out.count("data: [DONE]") == 1
    assert "Re-using existing connection" in said or "Reusing existing" in said


async def test_a_file_as_a_form(gateway: Running, provider: Provider, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(bytes(range(256)) * 64)
    out, _ = await curl(f"{gateway.url}/v1/files", "-F", "purpose=batch", "-F", f"file=@{path}")
    assert orjson.loads(out)["id"] == "file-1"
    assert path.read_bytes() in provider.last.body


async def test_an_error_says_what_to_do(gateway: Running) -> None:
    out, said = await curl(f"{gateway.url}/v1/chat/completions", "-H", "x-evogate-policy: nobody", "-d", ASK)
    assert "< HTTP/1.1 400" in said
    assert set(orjson.loads(out)["error"]) == {"message", "type", "param", "code"}
