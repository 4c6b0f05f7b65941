"""How far a cycle has come, on disk as it goes: a killed one goes on, and pays for nothing and adds nothing twice.

1. Each line survives the process. The first one names the cycle and the version that it is bred from; a notebook of
   another cycle, or of another production, is begun anew.
2. What was analysed is kept whole: the questions to a reflection model are then the same after a kill.
3. A question is announced before it is asked and entered once it is answered. What is entered is answered from here;
   what was announced and never entered may have been paid for, and is not asked again.
4. The search has a journal of its own (see `evolver.searching`); its outcome is noted before that journal goes.
"""

import hashlib
import json
import os
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import orjson

from evolver.examples import Example
from evolver.proposals.reflection import Complete
from evolver.provider import Completion
from policies.dialects import CHAT
from policies.errors import OperatorError
from policies.genome import Genome, LayerName, Lineage
from policies.registry.values import Finding

FOLDER = "cycles"
Analysed = tuple[list[Example], list[Finding]]
Choice = tuple[Genome, Lineage, LayerName]
_LOST = Completion(0, None, None, 0.0, 0.0, "it was under way when the process ended, and is not paid for twice")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is left to do: the ranked genomes that may become candidates, and what finding them took."""

    ranked: list[Choice]
    facts: dict[str, Any]  # the counts of `cycle.Result`


class Notebook:
    """Of one cycle; all but `close` may be called at any time."""

    def __init__(self, path: Path, cycle: str, lines: Sequence[dict[str, Any]]) -> None:
        self.cycle = cycle
        self._path = path
        self._kept = {name: value for line in lines for name, value in line.items()}
        self._answers: dict[str, deque[Completion]] = defaultdict(deque)
        for line in lines:
            if "announced" in line:
                self._answers[line["announced"]].append(_LOST)
            elif "entered" in line:
                self._answers[line["entered"]].pop()
                self._answers[line["entered"]].append(_completion(line))

    @classmethod
    def open(cls, home: Path, policy: str, cycle: str, base: str) -> Self:
        """The notebook of that cycle, with what it holds already.

        Raises:
            OperatorError: it can't be written.
        """
        path = home / FOLDER / f"{quote(policy, safe='')}.jsonl"
        head = {"cycle": cycle, "base": base}
        lines = _read(path)
        if not lines or lines[0] != head:
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.unlink(missing_ok=True)
            except OSError as error:
                raise OperatorError(f"the cycle can't keep its notebook {path}: {error.strerror}") from error
            lines = []
        notebook = cls(path, cycle, lines[1:])
        if not lines:
            notebook._write(head)
        return notebook

    @property
    def analysed(self) -> Analysed | None:
        """The examples and findings that the cycle began with; None where it was not that far."""
        value = self._kept.get("analysed")
        if value is None:
            return None
        return [Example(**one) for one in value["examples"]], [Finding(**one) for one in value["findings"]]

    def analyse(self, examples: Sequence[Example], findings: Sequence[Finding]) -> None:
        """Keep them."""
        self._write(
            {"analysed": {"examples": [asdict(e) for e in examples], "findings": [asdict(f) for f in findings]}}
        )

    @property
    def outcome(self) -> Outcome | None:
        """What the search ended with; None where it was not that far."""
        value = self._kept.get("outcome")
        if value is None:
            return None
        ranked: list[Choice] = [
            (Genome.model_validate(genome), Lineage.model_validate(lineage), layer)
            for genome, lineage, layer in value["ranked"]
        ]
        return Outcome(ranked, value["facts"])

    def conclude(self, outcome: Outcome) -> None:
        """Keep it."""
        ranked = [
            (genome.canonical(), lineage.model_dump(mode="json"), layer) for genome, lineage, layer in outcome.ranked
        ]
        self._write({"outcome": {"ranked": ranked, "facts": outcome.facts}})

    def asking(self, complete: Complete) -> Complete:
        """The same way to ask a model, but each question at most once."""

        async def ask(model_key: str, body: dict[str, Any]) -> Completion:
            key = _digest(model_key, json.dumps(body, sort_keys=True))
            if waiting := self._answers.get(key):
                return waiting.popleft()
            self._write({"announced": key})
            found = await complete(model_key, body)
            line = {"status": found.status, "body": found.body, "ms": found.latency_ms, "usd": found.cost_usd}
            self._write({"entered": key, **line, "error": found.error})
            return found

        return ask

    def candidate_id(self, genome: Genome) -> str:
        """The same for the same content in this cycle, whichever process adds it."""
        return _digest(self.cycle, genome.content_hash)[:12]

    def close(self) -> None:
        """The cycle is over."""
        self._path.unlink(missing_ok=True)

    def _write(self, line: dict[str, Any]) -> None:
        data = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            os.write(file, data)
        finally:
            os.close(file)


def _read(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a notebook, the one that a kill cut short taken off; none where it can't be read."""
    try:
        data = path.read_bytes()
        size = data.rfind(b"\n") + 1
        os.truncate(path, size)
        return [orjson.loads(line) for line in data[:size].splitlines()]
    except (OSError, ValueError):
        return []


def _completion(line: dict[str, Any]) -> Completion:
    body = line["body"]
    answer = CHAT.read_answer(orjson.dumps(body)) if body is not None else None
    return Completion(line["status"], body, answer, line["ms"], line["usd"], line["error"])


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
