"""The table of troubles, and what upstreams say about when to come again."""

from typing import get_args

import pytest

from gateway.http.errors import KINDS as TRANSPORT
from policies.resilience import Counts, Trouble, inside, row_of, status_trouble
from policies.resilience.retry_after import retry_after_s
from policies.resilience.troubles import KINDS, STATUSES, Again

NOON = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


def test_every_error_of_the_transport_has_a_row() -> None:
    assert set(TRANSPORT) <= set(KINDS)


def test_every_row_is_one_of_the_known_ones() -> None:
    for row in (*KINDS.values(), *STATUSES.values()):
        assert row.again in get_args(Again)
        assert row.elsewhere or row.again != "last"


@pytest.mark.parametrize(
    ("trouble", "counts"),
    [
        (Trouble("connect"), Counts.BAD),
        (Trouble("timeout_idle"), Counts.BAD),
        (Trouble("gone"), Counts.NOTHING),
        (Trouble("overloaded"), Counts.NOTHING),
        (Trouble("never heard of"), Counts.NOTHING),
        (Trouble("status", 429), Counts.PAUSE),
        (Trouble("status", 400), Counts.GOOD),
        (Trouble("status", 401), Counts.GOOD),
        (Trouble("status", 503), Counts.BAD),
        (Trouble("status", 599), Counts.BAD),
    ],
)
def test_what_counts_against_an_upstream(trouble: Trouble, counts: Counts) -> None:
    assert row_of(trouble).counts is counts


@pytest.mark.parametrize(
    ("milliseconds", "seconds", "wait"),
    [
        (b"30", b"1", 0.03),
        (b"1500.5", None, 1.5005),
        (b"soon", b"2", 2.0),
        (None, b"7", 7.0),
        (None, b"Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        (None, b"Wed, 21 Oct 2015 07:28:30 -0000", 30.0),
        (None, b"Wed, 21 Oct 2015 07:27:00 GMT", None),
        (None, b"0", None),
        (None, b"-5", None),
        (None, b"nan", None),
        (None, b"inf", None),
        (None, b"tomorrow", None),
        (None, b"\xff\xfe", None),
        (None, b"Wed, 99 Oct 99999999 07:28:30 GMT", None),
        (None, None, None),
    ],
)
def test_when_to_come_again(milliseconds: bytes | None, seconds: bytes | None, wait: float | None) -> None:
    assert retry_after_s(milliseconds, seconds, NOON) == (pytest.approx(wait) if wait is not None else None)


def test_the_trouble_of_an_answer() -> None:
    headers = [(b"Retry-After", b"3"), (b"X-Should-Retry", b"False"), (b"x", b"y")]
    assert status_trouble(429, headers, NOON) == Trouble("status", 429, 3.0, should_retry=False)
    assert status_trouble(500, [(b"x-should-retry", b"perhaps")], NOON) == Trouble("status", 500)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        ({"type": "overloaded_error"}, Trouble("status", 529)),
        ({"code": "rate_limit_exceeded", "type": "tokens"}, Trouble("status", 429)),
        ({"code": 503, "type": None}, Trouble("status", 503)),
        ({"code": None, "type": "invalid_request_error"}, Trouble("status", 400)),
        ({"code": 7}, Trouble("stream_error")),
        ({"code": True}, Trouble("stream_error")),
        ({"code": ["x"]}, Trouble("stream_error")),
        ({}, Trouble("stream_error")),
        ("it broke", Trouble("stream_error")),
        (None, Trouble("stream_error")),
    ],
)
def test_an_error_inside_a_200(error: object, trouble: Trouble) -> None:
    assert inside(error) == trouble
