"""The admin listener over a socket: its pages, its refusals, and a page that can't be made."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from gateway.admin.app import Admin
from gateway.admin.families import Family, gauge
from gateway.admin.listener import LIMITS
from gateway.http.server import serve


class Given:
    """A gateway that says what it is told to."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.epoch = 1

    async def families(self) -> list[Family]:
        return [gauge("evogate_epoch", "The epoch.", self.epoch, merge="most")]

    async def status(self) -> dict[str, Any]:
        if self.broken:
            raise RuntimeError("no such thing")
        return {"epoch": self.epoch}

    async def arms(self) -> list[dict[str, Any]]:
        return []

    async def reload(self) -> dict[str, Any]:
        self.epoch += 1
        return {"epoch": self.epoch}


@contextlib.asynccontextmanager
async def listening(source: Given, token: str | None = None) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """(A client, the listener's address)."""
    admin = Admin(source, host="127.0.0.1", token=token)
    server = await serve(admin, host="127.0.0.1", port=0, limits=LIMITS)
    try:
        async with aiohttp.ClientSession() as session:
            yield session, f"http://127.0.0.1:{server.port}"
    finally:
        admin.close()
        await server.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/metrics?x=1", 200, None),
        ("HEAD", "/admin/arms", 200, None),
        ("POST", "/metrics", 405, "GET, HEAD"),
        ("GET", "/admin/reload", 405, "POST"),
        ("GET", "/", 404, None),
        ("POST", "/admin/other", 404, None),
    ],
)
async def test_each_page_takes_its_methods(method: str, path: str, status: int, allowed: str | None) -> None:
    async with listening(Given()) as (http, url), http.request(method, url + path) as answer:
        assert (answer.status, answer.headers.get("allow")) == (status, allowed)
        assert bool(await answer.read()) is (method != "HEAD")


async def test_a_reload_shows_at_once() -> None:
    async with listening(Given()) as (http, url):
        for epoch in (1, 2):
            async with http.get(f"{url}/admin/status") as answer:
                assert await answer.json() == {"epoch": epoch}
            async with http.get(f"{url}/metrics") as answer:
                assert f"evogate_epoch {epoch}.0" in await answer.text()
            async with http.post(f"{url}/admin/reload") as answer:
                assert await answer.json() == {"reloaded": True, "epoch": epoch + 1}


async def test_a_page_that_fails_is_an_error_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(Given(broken=True)) as (http, url):
        async with http.get(f"{url}/admin/status") as answer:
            assert answer.status == 500
            assert "log" in (await answer.json())["error"]
        async with http.get(f"{url}/metrics") as answer:
            assert answer.status == 200
    assert "/admin/status can't be shown" in caplog.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer s3cret"}, 200),
        ({"Authorization": "Bearer s3cret", "Host": "other.example"}, 200),
    ],
)
async def test_with_a_token_only_who_has_it_is_answered(headers: dict[str, str], status: int) -> None:
    async with listening(Given(), "s3cret") as (http, url), http.get(f"{url}/metrics", headers=headers) as answer:
        assert answer.status == status


@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example", 403), ("127.0.0.1.evil.example", 403), ("[::1]:8801", 200), ("[::1", 400), ("[", 400)],
)
async def test_another_host_is_refused(host: str, status: int) -> None:
    async with listening(Given()) as (http, url), http.get(f"{url}/metrics", headers={"Host": host}) as answer:
        assert answer.status == status


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "file://"])
async def test_another_origin_is_refused(origin: str) -> None:
    async with listening(Given()) as (http, url), http.get(f"{url}/metrics", headers={"Origin": origin}) as answer:
        assert answer.status == 403
