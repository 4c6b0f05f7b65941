"""From a checked request to a completion: pure but for two bounded memories (prompt prefixes, repetitions)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson

from gateway.sandbox import judge, reflection
from gateway.sandbox.draws import digest, generator
from gateway.sandbox.families.base import Answer, ToolCall, loads_object
from gateway.sandbox.judge import JudgeTraits
from gateway.sandbox.models import CHAT_MODELS, Profile
from gateway.sandbox.prompts import Prompt, read_prompt
from gateway.sandbox.reflection import ReflectionTraits
from gateway.sandbox.shapes import fill
from gateway.sandbox.skills import Conduct, Offer
from gateway.sandbox.usage import PrefixCache, Usage, input_tokens, pieces
from gateway.sandbox.worlds import World

DEFAULT_TEMPERATURE = 1.0
DEFAULT_LIMIT = 4096
_REMEMBERED = 16_384


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, understood, with the number that its randomness starts from."""

    body: Mapping[str, Any]
    prompt: Prompt
    profile: Profile
    key: bytes  # 128 bits of seed and content
    attempt: int  # how often this content was asked before

    def uniform(self, purpose: str) -> float:
        """A number in [0, 1) that differs from attempt to attempt."""
        return int.from_bytes(digest(purpose, self.key, self.attempt)[:7], "big") / 2**56


@dataclass(slots=True)
class Said:
    """One choice of a completion."""

    tokens: list[str]
    calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    refusal: str | None = None
    hidden_tokens: int = 0

    @property
    def spent(self) -> int:
        """Output tokens, reasoning included."""
        called = sum(1 + len(pieces(call.arguments)) for call in self.calls)
        return self.hidden_tokens + len(self.tokens) + called + len(pieces(self.refusal or ""))


@dataclass(slots=True)
class Completion:
    """An answer before it is put on the wire."""

    id: str
    model: str
    said: list[Said]
    usage: Usage | None
    first_token_s: float  # delay until the first token, and for each token after it; scaled already
    token_s: float

    @property
    def delay_s(self) -> float:
        """Time until the whole answer is there."""
        spent = sum(said.spent for said in self.said)
        return self.first_token_s + self.token_s * spent


@dataclass
class Provider:
    """The models of one world.

    Args:
        delay_scale: 1 is a few tens of milliseconds an answer, 0 none.
        failure_scale: multiplies every model's own failure rate; 0 makes them reliable.
    """

    world: World
    delay_scale: float = 1.0
    failure_scale: float = 1.0
    judge: JudgeTraits = field(default_factory=JudgeTraits)
    reflection: ReflectionTraits = field(default_factory=ReflectionTraits)
    _prefixes: PrefixCache = field(default_factory=PrefixCache)
    _attempts: dict[bytes, int] = field(default_factory=dict)

    def understand(self, body: Mapping[str, Any]) -> Asked:
        """Read a checked request, and count it as one more attempt at its content."""
        prompt = read_prompt(self.world, body["messages"])
        model, temperature = body["model"], body.get("temperature")
        key = digest(self.world.world_hash, model, temperature, body.get("top_p"), body.get("seed"), prompt.text)
        attempt = self._attempts.pop(key, -1) + 1
        self._attempts[key] = attempt
        if len(self._attempts) > _REMEMBERED:
            del self._attempts[next(iter(self._attempts))]
        return Asked(body, prompt, CHAT_MODELS[model], key, attempt)

    def fails(self, asked: Asked) -> int | None:
        """The status of a failure of the model's own, or None."""
        rate = asked.profile.failure_rate * self.failure_scale
        drawn = asked.uniform("failure")
        return None if drawn >= rate else 500 if drawn < rate / 2 else 503

    def complete(self, asked: Asked) -> Completion:
        """The completion of a request. At temperature 0, and with `seed`, repetitions give the same answer."""
        body = asked.body
        repeatable = body.get("temperature") == 0 or body.get("seed") is not None
        rng = generator(asked.key, 0 if repeatable else asked.attempt)
        limit = body.get("max_completion_tokens") or body.get("max_tokens") or DEFAULT_LIMIT
        said = [_cut(self._answer(asked, rng), body, limit) for _ in range(body.get("n") or 1)]
        usage = Usage(
            prompt=input_tokens(asked.prompt.text),
            cached=self._prefixes.read(body["model"], asked.prompt.text),
            completion=sum(one.spent for one in said),
            reasoning=sum(one.hidden_tokens for one in said),
        )
        return Completion(
            id=f"chatcmpl-{digest(asked.key, asked.attempt).hex()}",
            model=body["model"],
            said=said,
            usage=usage,
            first_token_s=asked.profile.first_token_ms * self.delay_scale / 1000.0,
            token_s=asked.profile.token_ms * self.delay_scale / 1000.0,
        )

    def _answer(self, asked: Asked, rng: Random) -> Answer:
        prompt = asked.prompt
        if prompt.system.startswith(judge.OPENING):
            return Answer(judge.verdict(self.world, prompt.question, rng, self.judge))
        if prompt.system.startswith(reflection.OPENING):
            return Answer(reflection.patches(self.world, prompt.question, rng, self.reflection))
        offer = _offer(asked.body, prompt.text)
        if prompt.after_tool is not None:
            answer = Answer(f"Done: {prompt.after_tool[:200]}")
        elif prompt.problem is None:
            answer = _small_talk(prompt.question, offer)
        else:
            temperature = asked.body.get("temperature")
            heat = DEFAULT_TEMPERATURE if temperature is None else temperature
            conduct = Conduct(asked.profile, prompt.guidance, offer, heat, rng)
            answer = _in_style(prompt.problem.answer(conduct), conduct)
        return _in_shape(answer, offer)


def _offer(body: Mapping[str, Any], material: str) -> Offer:
    tools = {tool["function"]["name"]: tool["function"].get("parameters") or {} for tool in body.get("tools") or ()}
    choice = body.get("tool_choice")
    if choice == "none":
        tools = {}
    elif isinstance(choice, dict):
        wanted = (choice.get("function") or {}).get("name")
        tools = {name: schema for name, schema in tools.items() if name == wanted}
    wanted_format = body.get("response_format") or {}
    schema = {"json_schema": (wanted_format.get("json_schema") or {}).get("schema") or {}, "json_object": {}}.get(
        wanted_format.get("type", "text")
    )
    return Offer(material, tools, bool(tools) and (choice == "required" or isinstance(choice, dict)), schema)


def _small_talk(question: str, offer: Offer) -> Answer:
    """What is said where the sandbox does not know the task: something of the right shape."""
    words = " ".join(question.split()[:12])
    if offer.must_call:
        name, schema = next(iter(offer.tools.items()))
        return Answer(calls=(ToolCall(name, orjson.dumps(fill(schema, words)).decode()),))
    return Answer(f"This is the sandbox, which has no model inside. You said: {words or 'nothing'}.")


def _in_style(answer: Answer, conduct: Conduct) -> Answer:
    """The form that the system text wants for every answer, whether or not it suits this one."""
    traits = conduct.guidance.system.traits
    if answer.calls or conduct.offer.schema is not None or not traits & {"json", "markdown"}:
        return answer
    is_json = loads_object(answer.text) is not None
    if is_json or conduct.rng.random() >= conduct.attention or conduct.guidance.corrected.supports:
        return answer
    styled = orjson.dumps({"answer": answer.text}).decode() if "json" in traits else f"**{answer.text}**"
    return Answer(styled, hidden_tokens=answer.hidden_tokens)


def _in_shape(answer: Answer, offer: Offer) -> Answer:
    """JSON where the request demands JSON."""
    if offer.schema is None or answer.calls:
        return answer
    value = loads_object(answer.text)
    required: Sequence[str] = offer.schema.get("required") or ()
    if value is not None and all(name in value for name in required):
        return answer
    shaped = fill(offer.schema, answer.text) if offer.schema else {"answer": answer.text}
    return Answer(orjson.dumps(shaped).decode(), hidden_tokens=answer.hidden_tokens)


def _cut(answer: Answer, body: Mapping[str, Any], limit: int) -> Said:
    """An answer within its token limit and before the first stop sequence."""
    text = answer.text
    stop = body.get("stop")
    for sequence in [stop] if isinstance(stop, str) else stop or ():
        if isinstance(sequence, str) and sequence:
            text = text.partition(sequence)[0]
    hidden = min(answer.hidden_tokens, limit)
    said = Said(pieces(text), answer.calls, "tool_calls" if answer.calls else "stop", answer.refusal, hidden)
    if said.spent > limit:
        said.finish_reason = "length"
        said.calls = tuple(ToolCall(c.name, "".join(pieces(c.arguments)[: limit - hidden])) for c in answer.calls)
        said.tokens = said.tokens[: limit - hidden]
    return said
