"""What the provider offers: three models that differ in skill, price, speed and failure rate, and three helpers."""

from dataclasses import dataclass

JUDGE = "sandbox-judge"
REFLECTION = "sandbox-reflection"
EMBEDDING = "text-embedding-sandbox"
CREATED = 1_767_225_600  # 2026-01-01: what GET /v1/models reports for all of them


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    input: float
    cached_input: float
    output: float


@dataclass(frozen=True, slots=True)
class Profile:
    """One model. Shares are probabilities; delays are milliseconds at a delay scale of 1."""

    name: str
    price: Price
    first_token_ms: float
    token_ms: float
    obedience: float  # follows a rule that is stated clearly, at temperature 0
    slip: float  # of that, lost per unit of temperature
    habit: float  # how much of a rule's natural compliance remains when nobody states it
    accuracy: float  # gets a task right that it has understood
    mental: float  # ... an arithmetic task, without writing the steps down
    attention_words: int  # a longer system text is read less and less carefully
    failure_rate: float  # answers 500 or 503 instead


LARGE = Profile(
    name="sandbox-large",
    price=Price(2.00, 0.50, 8.00),
    first_token_ms=34.0,
    token_ms=0.28,
    obedience=0.990,
    slip=0.012,
    habit=1.0,
    accuracy=0.990,
    mental=0.53,
    attention_words=320,
    failure_rate=0.001,
)
MEDIUM = Profile(
    name="sandbox-medium",
    price=Price(0.40, 0.10, 1.60),
    first_token_ms=17.0,
    token_ms=0.14,
    obedience=0.985,
    slip=0.015,
    habit=0.92,
    accuracy=0.985,
    mental=0.45,
    attention_words=260,
    failure_rate=0.002,
)
SMALL = Profile(
    name="sandbox-small",
    price=Price(0.10, 0.025, 0.40),
    first_token_ms=6.8,
    token_ms=0.056,
    obedience=0.945,
    slip=0.05,
    habit=0.70,
    accuracy=0.94,
    mental=0.30,
    attention_words=180,
    failure_rate=0.008,
)
PROFILES: dict[str, Profile] = {profile.name: profile for profile in (LARGE, MEDIUM, SMALL)}
# The judge and the reflection model are priced, as fast and as skilled as the medium model when just chatted with.
CHAT_MODELS: dict[str, Profile] = {**PROFILES, JUDGE: MEDIUM, REFLECTION: MEDIUM}
ALL_MODELS: tuple[str, ...] = (*CHAT_MODELS, EMBEDDING)
