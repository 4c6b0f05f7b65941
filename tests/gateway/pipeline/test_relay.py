"""What no policy covers: bytes up as sent, bytes down as answered."""

from pathlib import Path

from tests.gateway.pipeline.conftest import running, settings
from tests.gateway.pipeline.scripted import Visit, provider, whole


async def test_uncovered_bytes_pass_both_ways(tmp_path: Path) -> None:
    ours = b'{ "model":"text-embedding",  "input":"\\u00e9",\n"unknown":[1.0,2] }'
    theirs = b'{"odd":  true,\n "n": 1.50}'
    seen: list[Visit] = []

    async def script(visit: Visit) -> None:
        seen.append(visit)
        await visit.send(whole(theirs, extra=b"X-Odd: One\r\nx-ratelimit-remaining: 3\r\n"))

    async with provider(script) as base, running(settings(base), tmp_path) as gateway:
        headers = {"X-Custom": "Kept", "x-evogate-session": "s", "Authorization": "Bearer mine"}
        url = f"{gateway.url}/v1/embeddings?a=1&a=2"
        async with gateway.http.post(url, data=ours, headers=headers) as answer:
            assert await answer.read() == theirs
            assert answer.headers["X-Odd"] == "One"
            assert answer.headers["x-evogate-request-id"]
        assert gateway.frames() == []
    (visit,) = seen
    assert visit.body == ours
    assert visit.head.startswith(b"POST /v1/embeddings?a=1&a=2 HTTP/1.1\r\n")
    assert b"X-Custom: Kept\r\n" in visit.head
    assert b"Authorization: Bearer mine\r\n" in visit.head
    assert b"x-evogate" not in visit.head.lower()


async def test_another_model_on_a_covered_path_is_relayed(tmp_path: Path) -> None:
    ours = b'{"messages":[ ],"model":"other" }'
    seen: list[bytes] = []

    async def script(visit: Visit) -> None:
        seen.append(visit.body)
        await visit.send(whole(b"{}"))

    async with provider(script) as base, running(settings(base), tmp_path) as gateway:
        async with gateway.http.post(f"{gateway.url}/v1/chat/completions", data=ours) as answer:
            assert "x-evogate-version" not in answer.headers
        async with gateway.http.post(f"{gateway.url}/v1/chat/completions", data=b"not json") as answer:
            assert answer.status == 200
    assert seen == [ours, b"not json"]


async def test_a_key_of_its_own_replaces_the_clients(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def script(visit: Visit) -> None:
        seen.append(visit.head)
        await visit.send(whole(b"{}"))

    async with provider(script) as base:
        config = settings(base, upstreams={"sandbox": {"base_url": base, "api_key": "operators"}})
        async with running(config, tmp_path) as gateway:
            await gateway.openai.chat.completions.with_raw_response.create(
                model="sandbox-large", messages=[{"role": "user", "content": "x"}]
            )
    assert b"authorization: Bearer operators\r\n" in seen[0]
    assert b"client-key" not in seen[0]


async def test_what_nobody_reads_goes_up_without_being_held(tmp_path: Path) -> None:
    """More than `limits.body_bytes`, where no policy looks at it; a covered path keeps the limit."""
    body = b"x" * 300_000
    seen: list[bytes] = []

    async def script(visit: Visit) -> None:
        seen.append(visit.body)
        await visit.send(whole(b"{}"))

    limited = {"port": 0, "admin_port": 0, "limits": {"body_bytes": 1024}}
    async with provider(script) as base, running(settings(base, gateway=limited), tmp_path) as gateway:
        statuses = []
        for path, bypass in (("files", "0"), ("chat/completions", "1"), ("chat/completions", "0"), ("feedback", "0")):
            headers = {"x-evogate-bypass": bypass, "Expect": "100-continue"}
            async with gateway.http.post(f"{gateway.url}/v1/{path}", data=body, headers=headers) as answer:
                statuses.append(answer.status)
        assert statuses == [200, 200, 413, 413]
    assert seen == [body, body]
