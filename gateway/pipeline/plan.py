"""The decision about one request: which arm, at which odds, why, and what it enters. No I/O."""

from typing import Final, Literal

from gateway.http.messages import Request
from gateway.pipeline.epoch import Arm, Entrance, PolicyView
from policies.assignment import draw
from policies.pins import Pin, PinTable
from policies.render import Turns
from policies.unit import Conversation, Lineages, identify

Why = Literal["draw", "pin", "middle", "only", "frozen", "fell_open"]
_NONE: Final[tuple[Entrance, ...]] = ()


class Plan:
    """What was decided. `first` says that the unit enters the experiments of `entrances` with this request."""

    __slots__ = ("arm", "entrances", "experiment", "first", "odds", "turn", "unit", "view", "why")

    def __init__(
        self,
        view: PolicyView,
        arm: Arm,
        unit: str,
        turn: int,
        why: Why,
        *,
        odds: bytes | None = None,
        experiment: str | None = None,
        entrances: tuple[Entrance, ...] = _NONE,
    ) -> None:
        self.view = view
        self.arm = arm
        self.unit = unit
        self.turn = turn
        self.why = why
        self.odds = odds or arm.alone  # as recorded
        self.experiment = experiment
        self.entrances = entrances
        self.first = bool(entrances)


def decide(
    view: PolicyView, who: Conversation, pins: PinTable | None, now: float, *, exploring: bool, intent: str = ""
) -> Plan:
    """Choose the arm of a request; `intent` is what it is about, "" where nobody knows.

    A pinned conversation keeps its arm for as long as the epoch knows it. One met in the middle gets production
    and enters nothing. `exploring` False (nothing can be recorded, or the provider is down) sends new
    conversations to production: odds that can't be recorded must not be played. `pins` None: each request is a
    unit of its own.
    """
    pin = pins.get(who.unit, now) if pins is not None else None
    if pin is not None:
        arm = view.arms.get(pin.arm)
        if arm is not None:
            return Plan(view, arm, who.unit, who.turn, "pin", experiment=pin.experiment)
        return _production(view, who, pins, now, "middle")
    if who.continued:
        return _production(view, who, pins, now, "middle")
    if len(view.drawn) == 1:
        return _production(view, who, pins, now, "only")
    if not exploring:
        return _production(view, who, pins, now, "frozen")
    drawing = view.by_intent.get(intent, view.drawing) if intent else view.drawing
    at = draw(view.salt, who.unit, drawing.shares)
    arm, experiment = view.drawn[at], view.experiments[at]
    if pins is not None:
        pins.put(who.unit, Pin(arm.hash, experiment, arm.role, now), now)
    return Plan(
        view,
        arm,
        who.unit,
        who.turn,
        "draw",
        odds=drawing.recorded,
        experiment=experiment,
        entrances=drawing.entrances[at],
    )


def _production(view: PolicyView, who: Conversation, pins: PinTable | None, now: float, why: Why) -> Plan:
    arm = view.production
    if pins is not None:
        pins.put(who.unit, Pin(arm.hash, None, "production", now), now)
    return Plan(view, arm, who.unit, who.turn, why)


def conversation_of(
    view: PolicyView, request: Request, turns: Turns, *, key: bytes, request_id: str, lineages: Lineages
) -> Conversation:
    """The unit that a request belongs to, by the policy's rule."""
    if view.unit_kind == "request":
        return Conversation(short(request_id), 1, continued=False)
    index = request.index
    return identify(
        turns,
        key=key,
        session=index.get(b"x-evogate-session"),
        credential=index.get(view.dialect.credential) or index.get(b"authorization"),
        kind=view.unit_kind,
        header=index.get(view.unit_header) if view.unit_header is not None else None,
        lineages=lineages,
    )


def tenant_of(view: PolicyView, request: Request) -> str:
    """Whose request it is, where the policy names the header that says so; empty: nobody's in particular."""
    return request.index.get(view.tenant_header, b"").decode("latin-1") if view.tenant_header is not None else ""


def short(request_id: str) -> str:
    """The random half of an id: a unit of its own."""
    return request_id.replace("-", "")[-16:]
