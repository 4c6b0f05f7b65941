"""What calls to models have cost today, held against the day's budget: on disk, and hard.

1. A call is charged with the most it can cost before it is made, and with what it did cost afterwards.
2. Each line is on its way to the disk before the call is: what a killed process had charged stays charged.
3. All processes of one home share the account: each reads on, and charges, under the file's lock.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from config.evolving import DayBudget
from config.upstreams import Model
from policies.errors import OperatorError

LONGEST_ANSWER = 8_192  # tokens of an answer that names no limit: the most that a genome may ask for
_LIMITS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_ROUNDING = 1e-9  # dollars; sums of floats


@dataclass(frozen=True, slots=True)
class Charge:
    """A call that is under way."""

    day: str
    id: str
    usd: float  # the most that it can cost


def ceiling(model: Model | None, rendered: bytes) -> float:
    """The most that a request can cost, in US dollars: a token is at least a byte, and an answer ends at its limit."""
    if model is None:
        return 0.0
    body = orjson.loads(rendered)
    limits = [body[name] for name in _LIMITS if isinstance(body.get(name), int)]
    price, answers = model.usd_per_mtok, body.get("n")
    most = max(limits, default=LONGEST_ANSWER) * (answers if isinstance(answers, int) else 1)
    return (len(rendered) * price.input + most * price.output) / 1e6


class Spending:
    """The account of one home.

    Args:
        folder: where a file for each day is kept; yesterday's are removed.
        budget: of a day.
        clock: Unix seconds.
    """

    def __init__(self, folder: Path, budget: DayBudget, clock: Callable[[], float] = time.time) -> None:
        self.budget = budget
        self._folder = folder
        self._clock = clock
        self._day = ""
        self._read = 0  # bytes of the day's file
        self._charges: dict[str, float] = {}  # US dollars by call: its ceiling, then its cost

    def today(self) -> tuple[int, float]:
        """Calls and US dollars charged so far."""
        with self._account():
            return len(self._charges), self._usd

    def charge(self, usd: float) -> Charge | None:
        """Before a call that costs at most `usd`; None where that could exceed the day's budget.

        Raises:
            OperatorError: the account can't be written.
        """
        with self._account() as file:
            over = len(self._charges) >= self.budget.calls_per_day
            if over or self.budget.usd_per_day <= 0.0 or self._usd + usd > self.budget.usd_per_day + _ROUNDING:
                return None
            charge = Charge(self._day, secrets.token_hex(8), usd)
            self._write(file, charge.id, usd)
            return charge

    def settle(self, charge: Charge, usd: float) -> None:
        """After the call; one that began before midnight stays in its day as it was charged."""
        with self._account() as file:
            if charge.day == self._day:
                self._write(file, charge.id, usd)

    @property
    def _usd(self) -> float:
        return sum(self._charges.values())

    @contextmanager
    def _account(self) -> Iterator[int]:
        """The day's file, locked, with everything read that others have written."""
        day = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._folder / f"{day}.jsonl", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise OperatorError(f"{self._folder}: what calls cost can't be written down ({error.strerror})") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if day != self._day:
                self._turn_to(day)
            self._read_on(file)
            yield file
        finally:
            os.close(file)

    def _turn_to(self, day: str) -> None:
        self._day, self._read, self._charges = day, 0, {}
        for old in self._folder.glob("*.jsonl"):
            if old.stem < day:
                old.unlink(missing_ok=True)

    def _read_on(self, file: int) -> None:
        new = os.pread(file, os.fstat(file).st_size - self._read, self._read)
        whole = new[: new.rfind(b"\n") + 1]
        if len(whole) < len(new):  # a line that was cut short: its call was never made
            os.ftruncate(file, self._read + len(whole))
        self._read += len(whole)
        self._charges.update(orjson.loads(line) for line in whole.splitlines())

    def _write(self, file: int, name: str, usd: float) -> None:
        line = orjson.dumps([name, usd], option=orjson.OPT_APPEND_NEWLINE)
        os.write(file, line)
        self._read += len(line)
        self._charges[name] = usd
