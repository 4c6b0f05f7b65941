"""TLS upstreams, with a certificate made here by the openssl command."""

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.http.support import ScriptedUpstream, Sunk, answering, ok, pool_to

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of 127.0.0.1 in one file, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=upstream "
        "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return both


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def outcome(certificate: Path, host: str = "https://127.0.0.1", *, tls: bool = True, **settings: Any) -> Sunk:
    context = server_side(certificate) if tls else None
    async with (
        ScriptedUpstream.running(answering(ok()), ssl=context) as upstream,
        pool_to(upstream.port, base=host, **settings) as pool,
    ):
        sink = Sunk()
        pool.call(b"GET", b"/", [], b"", sink)
        return await sink.wait()


async def test_a_certificate_that_is_trusted(certificate: Path) -> None:
    sink = await outcome(certificate, ca_file=str(certificate))
    assert (sink.body, sink.ended) == (b"fine", True)


async def test_a_certificate_that_nobody_vouches_for(certificate: Path) -> None:
    sink = await outcome(certificate)
    assert sink.error is not None
    assert sink.error.kind == "tls"
    assert "verify failed" in str(sink.error).replace("_", " ").lower()


async def test_a_certificate_of_another_host(certificate: Path) -> None:
    sink = await outcome(certificate, "https://localhost", ca_file=str(certificate))
    assert sink.error is not None
    assert sink.error.kind == "tls"


async def test_verification_may_be_turned_off(certificate: Path) -> None:
    assert (await outcome(certificate, verify_tls=False)).ended


async def test_an_upstream_that_does_not_speak_tls(certificate: Path) -> None:
    sink = await outcome(certificate, tls=False, connect_timeout_s=0.2)
    assert sink.error is not None
    assert sink.error.kind in {"tls", "connect", "timeout_connect"}
