import json

import pytest

from loadtests import path


@pytest.mark.parametrize("relay", [[], ["--relay"]])
def test_every_request_of_a_short_run_is_answered_and_timed(
    relay: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["path", "--requests", "64", "--rounds", "1", "--json", *relay])
    assert path.main() == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ratio"] == pytest.approx(found["us"] / found["interpreter_us"])
    assert found["us"] > 0.0
