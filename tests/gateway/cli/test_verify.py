"""`evogate verify` in a process of its own, on what a gateway has recorded."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.recording import SpoolWriter, verify_chain
from gateway.recording.segments import SegmentReader, plain_path, segments
from gateway.recording.wire import header
from tests.gateway.cli.test_commands import evogate
from tests.gateway.pipeline.conftest import running, settings
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole

SMALL = {"segment_bytes": 4096, "compress": False}


async def _answer(visit: Visit) -> None:
    await visit.send(whole(completion()))


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    """Twenty requests over several segments, from a gateway that has ended."""
    async with provider(_answer) as base, running(settings(base, recording=SMALL), tmp_path) as gateway:
        for n in range(20):
            await gateway.ask(f"question {n}")
    assert len(segments(_folder(tmp_path))) > 3
    return tmp_path


def _folder(home: Path) -> Path:
    return home / "spool" / "w0"


async def _verify(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(evogate, home, "verify", *arguments)


async def test_what_the_gateway_wrote_is_right(home: Path) -> None:
    done = await _verify(home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("w0: right: 40 records in ")
    report = json.loads((await _verify(home, "--json")).stdout)
    assert (report["right"], report["decisions"]["differs"]) == (True, None)
    assert report["decisions"]["right"]["outcomes"] == 20
    assert (report["writers"]["w0"]["records"], report["writers"]["w0"]["anchors"]) == (40, 1)


async def test_recordings_under_way_are_right(tmp_path: Path) -> None:
    async with provider(_answer) as base, running(settings(base, recording=SMALL), tmp_path) as gateway:
        await gateway.worker.sync()
        checking = asyncio.create_task(_verify(tmp_path))
        while not checking.done():
            await gateway.ask()
        assert (await checking).returncode == 0


async def test_a_changed_byte_is_named(home: Path) -> None:
    _rewrite(_folder(home), 2, b"question", b"Question")
    done = await _verify(home)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith("w0: tampered: segment 00000002")
    assert done.stdout.count("tampered") == 1
    report = json.loads((await _verify(home, "--json")).stdout)
    assert report["writers"]["w0"]["flaws"][0]["kind"] == "tampered"


def _rewrite(folder: Path, segment: int, old: bytes, new: bytes) -> None:
    """As somebody would who knows the format: the checksums of the frames are right."""
    payloads = [payload for _, payload in SegmentReader(folder, segment, links=True)]
    assert any(old in payload for payload in payloads)
    changed = [payload.replace(old, new) for payload in payloads]
    plain_path(folder, segment).write_bytes(b"".join(header(payload) + payload for payload in changed))


def _forge(home: Path) -> None:
    """Other recordings with a chain of their own, in which nothing is wrong."""
    folder, anew = _folder(home), home / "spool" / "anew"
    writer = SpoolWriter(anew, segment_bytes=4096)
    for number in segments(folder):
        for _, payload in SegmentReader(folder, number):
            writer.append(payload.replace(b"question", b"Question"))
            writer.flush()
    writer.close()
    assert verify_chain(anew).ok
    shutil.rmtree(folder)
    anew.rename(folder)


async def test_a_forged_chain_is_not_the_one_anchored(home: Path) -> None:
    _forge(home)
    done = await _verify(home)
    assert done.returncode == 1
    assert "anchored here" in done.stdout


async def test_a_chain_forged_between_two_starts_shows_after_the_second(home: Path) -> None:
    _forge(home)
    async with provider(_answer) as base, running(settings(base, recording=SMALL), home) as gateway:
        await gateway.ask()
    done = await _verify(home)
    assert done.returncode == 1
    assert "anchored here" in done.stdout


async def test_a_spool_that_is_gone_is_missed(home: Path) -> None:
    shutil.rmtree(_folder(home))
    done = await _verify(home)
    assert done.returncode == 1
    assert done.stdout.startswith("w0: missing: ")


def test_it_says_what_it_does_not_vouch_for(tmp_path: Path) -> None:
    done = evogate(tmp_path, "verify", "--help")
    assert "Nothing vouches for records where both spool and registry were replaced" in " ".join(done.stdout.split())
    nothing = evogate(tmp_path, "verify")
    assert nothing.returncode == 2
    assert "start `evogate up`" in nothing.stderr
