"""Serves a recorded request by the several calls of a strategy, as the gateway would have served it.

The tactics are the gateway's own (`policies.strategy`); what differs is who carries them out. Time is the calls' own:
those asked for together run together, the tactic hears of them in the order in which they would have ended, and waiting
for a free slot counts for nothing. So the latency is the one that a client would have seen.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from typing import Any

import orjson

from evolver.meaning import Embeddings
from evolver.provider import EXHAUSTED, Completion
from policies.dialects import Dialect
from policies.errors import ClientError
from policies.genome import StrategyLayer
from policies.outcome import Answer
from policies.strategy.checking import Checks, correction
from policies.strategy.choice import compared, tactic_of
from policies.strategy.tactic import Ask, Heard, Present, Step, Wait
from policies.strategy.verifying import verification
from policies.strategy.wording import asked
from policies.vectors import Vector

# Asks a model (a key; None: the request's own) with a body, to which the genome is applied or, for questions, not.
Send = Callable[[str | None, dict[str, Any], bool], Awaitable[Completion]]


@dataclass(slots=True)
class Call:
    """One call; `ends_ms` on the request's own clock."""

    ask: Ask
    body: dict[str, Any]
    completion: Completion
    ends_ms: float
    answer: Answer | None
    valid: bool = True
    repairs: int = 0
    heard: bool = False


@dataclass(slots=True)
class Serving:
    """One recorded request.

    Args:
        genes: of a strategy that takes several calls.
        dialect: of the endpoint.
        body: what was asked, to be answered whole.
        checks: the policy's.
        send: makes a call.
        embeddings: of answers, where they are compared by meaning; what they take counts for no time.
    """

    genes: StrategyLayer
    dialect: Dialect
    body: dict[str, Any]
    checks: Checks
    send: Send
    embeddings: Embeddings
    now_ms: float = 0.0
    calls: dict[int, Call] = field(default_factory=dict)
    shown: int | None = None
    _events: list[tuple[float, int]] = field(default_factory=list)  # (when, number of a call; -1: a wait is over)

    async def run(self) -> Completion:
        """What is presented, with the latency and the cost of all of it; or that the day's budget is used up."""
        tactic = tactic_of(self.genes, streams=False)
        steps = deque(tactic.begin())
        while not await self._concluded(steps, tactic.heard):
            self.now_ms, number = heappop(self._events)
            if number < 0:
                steps.extend(tactic.late())
                continue
            call = self.calls[number]
            self._check(call)
            call.heard = True
            more = tactic.heard(Heard(number, call.answer, call.valid, await self._meant(call)))
            if self.shown == number and not any(isinstance(step, Present) for step in more):
                break
            steps.extend(more)
        return self._completion()

    @property
    def repairs(self) -> int:
        """As the gateway counts them: mended on the spot, or asked for again."""
        return sum(call.repairs + (call.ask.role == "repair") for call in self.calls.values())

    async def _concluded(self, steps: deque[Step], heard: Callable[[Heard], list[Step]]) -> bool:
        """Take the steps that are due; whether the client has its answer with them."""
        asks: list[tuple[Ask, dict[str, Any]]] = []
        while steps:
            match steps.popleft():
                case Wait(seconds):
                    heappush(self._events, (self.now_ms + 1000.0 * seconds, -1))
                case Present(number):
                    self.shown = number
                    if number in self.calls and self.calls[number].heard:
                        return True
                case Ask() as ask:
                    try:
                        asks.append((ask, self._request(ask)))
                    except ClientError:
                        steps.extendleft(reversed(heard(Heard(ask.number, None))))
        for call in await asyncio.gather(*(self._call(ask, body) for ask, body in asks)):
            self.calls[call.ask.number] = call
            heappush(self._events, (call.ends_ms, call.ask.number))
        return False

    def _request(self, ask: Ask) -> dict[str, Any]:
        if ask.about is None:
            return self.body
        about = self.calls[ask.about]
        assert about.answer is not None
        if ask.role == "verifier":
            text = verification(self.dialect.turns(self.body).text, about.answer)
            return asked(self.dialect.name, text, 0.0 if self.genes.cascade_samples == 1 else 0.7)
        body = correction(self.dialect.name, self.body, about.body, about.answer)
        if body is None:
            raise ClientError("the request has no place for a correction")
        return body

    async def _call(self, ask: Ask, body: dict[str, Any]) -> Call:
        model = ask.model
        if ask.role == "repair" and ask.about is not None:
            model = self.calls[ask.about].ask.model
        completion = await self.send(model, body, ask.role == "verifier")
        answer = completion.answer if completion.error is None else None
        return Call(ask, body, completion, self.now_ms + completion.latency_ms, answer)

    async def _meant(self, call: Call) -> Vector | None:
        answer, genes = call.answer, self.genes
        compares = genes.agreement == "embedding" and call.ask.role in compared(genes)
        if not compares or answer is None or answer.tool_calls or not call.valid:
            return None
        return (await self.embeddings.of([answer.text])).get(answer.text)

    def _check(self, call: Call) -> None:
        answer = call.answer
        if answer is None or call.ask.role == "verifier":
            return
        call.valid = self.checks.passed(call.body, answer)
        if call.valid or self.genes.repairs == "off":
            return
        better = self.checks.repaired(call.body, orjson.dumps(call.completion.body), answer)
        if better is not None:
            call.answer, call.valid, call.repairs = better[1], True, 1

    def _completion(self) -> Completion:
        broke = next((each.completion for each in self.calls.values() if each.completion.error == EXHAUSTED), None)
        if broke is not None:
            return broke
        assert self.shown is not None
        call = self.calls[self.shown]
        usd = sum(each.completion.cost_usd for each in self.calls.values())
        answer = call.answer or call.completion.answer
        return replace(call.completion, answer=answer, latency_ms=self.now_ms, cost_usd=usd)
