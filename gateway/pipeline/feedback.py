"""`POST /v1/feedback`: a user's word about an answer. Late words revise the reward; the same word twice counts once."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.pipeline.core import Core
from gateway.pipeline.recent import Recent
from gateway.pipeline.settle import rescore
from gateway.recording.frames import Signal
from policies.errors import ClientError
from policies.fitness import quality
from policies.unit import identify

BAD_BELOW = 0.5

_LABELS = {"up": 1.0, "down": 0.0}
_KNOWN = frozenset({"request_id", "session", "score", "label", "correction", "tags"})
_CORRECTION_CHARS = 32_768
_TAGS = 32


@dataclass(frozen=True, slots=True)
class Feedback:
    """A validated word. `score` is 0..1; None where only a correction or tags were given."""

    request_id: str | None
    session: str | None
    score: float | None
    label: str | None = None
    correction: str | None = None
    tags: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Identifies the content: the same twice counts once."""
        content = [self.score, self.label, self.correction, self.tags]
        return hashlib.blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a word: an HTTP status, with the request meant or the reason why not."""

    status: int
    request_id: str = ""
    counted: bool = False
    reason: str = ""
    message: str = ""


def parse(raw: bytes) -> Feedback:
    """Validate a body.

    Raises:
        ClientError: what is wrong, and what would be right.
    """
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ClientError(f"feedback must be JSON: {error}") from None
    if not isinstance(body, dict):
        raise ClientError("feedback must be a JSON object")
    unknown = sorted(body.keys() - _KNOWN)
    if unknown:
        raise ClientError(f"'{unknown[0]}' is not known; known: {', '.join(sorted(_KNOWN))}")
    request_id, session = _text(body, "request_id"), _text(body, "session")
    if (request_id is None) == (session is None):
        raise ClientError("name the answer by either 'request_id' or 'session'")
    label, correction = _text(body, "label"), _text(body, "correction", _CORRECTION_CHARS)
    said = Feedback(request_id, session, _score(body, label), label, correction, _tags(body))
    if said.score is None and said.correction is None and not said.tags:
        raise ClientError("give a 'score' from 0 to 1, a 'label' (up or down), a 'correction' or 'tags'")
    return said


def learn(core: Core, entry: Recent, said: Feedback) -> bytes | None:
    """Learn from a word about a request: the frame to record, None where it was said before."""
    if entry.feedback_key == said.key:
        return None
    entry.feedback_key = said.key
    now = core.now()
    if said.score is not None:
        _revise(core, entry, said.score)
        core.evidence.judged(entry.entrances, entry.unit, bad=said.score < BAD_BELOW, now=now)
    data = {
        "score": said.score,
        "label": said.label,
        "correction": said.correction,
        "tags": said.tags,
        "key": said.key,
    }
    core.metrics.feedback += 1
    return core.recorder.signal(Signal(entry.id, now, "feedback", entry.policy, entry.unit, data))


def find(core: Core, said: Feedback, credential: bytes | None) -> Recent | None:
    """The request that a word is about, where this worker remembers it."""
    if said.request_id is not None:
        return core.recent.get(said.request_id)
    assert said.session is not None
    who = identify({}, key=core.key, session=said.session.encode(), credential=credential)
    candidates = (core.recent.latest(policy, who.unit) for policy in core.epoch.policies)
    return max((found for found in candidates if found is not None), key=lambda found: found.at, default=None)


def unknown(said: Feedback) -> str:
    """What to tell whoever speaks of a request that nobody knows."""
    return f"no request is known as '{said.request_id or said.session}'"


def _revise(core: Core, entry: Recent, explicit: float) -> None:
    view = core.epoch.policies.get(entry.policy)
    if view is None or entry.essence is None:
        return
    if view.router is not None:
        failure, validators = entry.essence[:2]
        good = quality(failure=failure, validators=dict(validators), score=explicit, gates=view.gates)
        if good is not None:
            view.router.revise(entry.id, good)
    if not entry.fresh:
        return
    revised = rescore(view, entry.essence, explicit)
    core.posteriors.revise(entry.policy, entry.arm, entry.reward, revised, entry.intent)
    entry.reward = revised


def _text(body: dict[str, Any], name: str, limit: int = 512) -> str | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > limit:
        raise ClientError(f"'{name}' must be text of 1 to {limit} characters")
    return value


def _score(body: dict[str, Any], label: str | None) -> float | None:
    if label is not None and label not in _LABELS:
        raise ClientError("'label' must be 'up' or 'down'")
    value = body.get("score")
    if value is None:
        return _LABELS[label] if label is not None else None
    if label is not None:
        raise ClientError("give either 'score' or 'label'")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise ClientError("'score' must be a number from 0 to 1")
    return float(value)


def _tags(body: dict[str, Any]) -> dict[str, Any]:
    tags = body.get("tags")
    if tags is None:
        return {}
    if not isinstance(tags, dict) or len(tags) > _TAGS:
        raise ClientError(f"'tags' must be an object of at most {_TAGS} entries")
    if any(isinstance(value, dict | list) or len(str(value)) > 512 for value in tags.values()):
        raise ClientError("the values of 'tags' must be short texts, numbers or booleans")
    return tags
