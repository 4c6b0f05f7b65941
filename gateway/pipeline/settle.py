"""What came of a request: failure class, validators, cost and reward, as one value."""

from typing import Any, Final, Self

from gateway.pipeline.epoch import PolicyView, Target
from policies.fitness import reward_value
from policies.outcome import Answer, FailureClass, Observed, classify, cost
from policies.strategy.account import Account
from policies.validators import wants_structure

# (failure, validators, latency in ms, output tokens, repairs, cost in US dollars)
_NO_CHECKS: Final[dict[str, float]] = {}
Essence = tuple[str | None, tuple[tuple[str, float], ...], float, int, int, float]


class Settled:
    """The end of one exchange. `reward` is None for classes outside the union of failures."""

    __slots__ = (
        "answer", "attempts", "cost_usd", "detail", "embedding_usd", "essence", "failure", "first_byte_ms",
        "last_byte_ms", "repairs", "reward", "status", "strategy", "validators",
    )  # fmt: skip

    def __init__(self, status: int, answer: Answer | None, first_byte_ms: float, last_byte_ms: float) -> None:
        self.status = status
        self.answer = answer
        self.first_byte_ms = first_byte_ms
        self.last_byte_ms = last_byte_ms
        self.cost_usd = 0.0
        self.embedding_usd = 0.0  # of those: for the embedding that its memory was searched by
        self.failure: str | None = None
        self.detail = ""
        self.validators = _NO_CHECKS
        self.repairs = 0
        self.attempts = 1
        self.strategy: dict[str, Any] | None = None  # of an answer that took several calls, see `Account.record`
        self.reward: float | None = None
        self.essence: Essence = (None, (), last_byte_ms, 0, 0, 0.0)

    def conclude(self, failure: str | None, detail: str) -> Essence:
        """Note the verdict; returns what a later word about the answer needs: atoms, which no collector need visit."""
        self.failure, self.detail = failure, detail
        tokens = self.answer.output_tokens if self.answer is not None else 0
        checks = tuple(self.validators.items()) if self.validators else ()
        self.essence = (failure, checks, self.last_byte_ms, tokens, self.repairs, self.cost_usd)
        return self.essence

    @classmethod
    def fell_open(cls, status: int, first_byte_ms: float, last_byte_ms: float) -> Self:
        """An exchange that could not be judged: its answer went out, and the arm has failed."""
        done = cls(status, None, first_byte_ms, last_byte_ms)
        done.conclude(FailureClass.FELL_OPEN.value, "the outcome could not be judged")
        done.reward = 0.0
        return done


def settle(
    view: PolicyView,
    target: Target,
    body: dict[str, Any],
    *,
    status: int,
    provider_status: int,
    answer: Answer | None,
    transport_error: str | None,
    first_byte_ms: float,
    last_byte_ms: float,
    client_gone: bool = False,
    fell_open: bool = False,
    fell_back: bool = False,
    attempts: int = 1,
    account: Account | None = None,
    embedding_usd: float = 0.0,
) -> Settled:
    """Judge one exchange by the rules of its policy. `status` went to the client, `provider_status` came (0: none).

    `account` is that of an answer that took several calls: all of them are charged, and so is `embedding_usd`, which
    was paid to search the arm's memory.
    """
    done = Settled(status, answer, first_byte_ms, last_byte_ms)
    done.attempts = attempts
    if answer is not None:
        done.cost_usd = cost(answer, target.input_price, target.cached_price, target.output_price)
        checkable = answer.complete and answer.error is None and not client_gone
        if checkable and (view.always_validates or answer.tool_calls or wants_structure(body)):
            done.validators = view.validators.run(body, answer)
    if account is not None:
        done.cost_usd, done.repairs, done.strategy = account.cost_usd, account.repairs, account.record
    if embedding_usd:
        done.cost_usd, done.embedding_usd = done.cost_usd + embedding_usd, embedding_usd
    observed = Observed(
        status=provider_status,
        transport_error=transport_error,
        answer=answer,
        latency_ms=last_byte_ms,
        cost_usd=done.cost_usd,
        validators=done.validators,
        client_gone=client_gone,
        fell_open=fell_open,
        fell_back=fell_back,
    )
    budgets = view.settings.budgets
    failure, detail = classify(
        observed,
        p95_ms=budgets.p95_ms,
        usd_per_request=budgets.usd_per_request,
        validator_gate=view.gates.validator_score,
    )
    essence = done.conclude(failure.value if failure is not None else None, detail)
    done.reward = rescore(view, essence, None)
    return done


def rescore(view: PolicyView, done: Essence, explicit: float | None) -> float | None:
    """The reward of an answer, with the user's own score (0..1) where there is one."""
    failure, validators, latency_ms, output_tokens, repairs, cost_usd = done
    return reward_value(
        failure=failure,
        validators=dict(validators) if validators else _NO_CHECKS,
        score=explicit,
        latency_ms=latency_ms,
        output_tokens=output_tokens,
        repairs=repairs,
        cost_usd=cost_usd,
        weights=view.weights,
        gates=view.gates,
    )
