"""What analysis looks for, what it asks of the data, and a suspicion before it has become a finding."""

from dataclasses import dataclass
from typing import Any

KINDS = {
    "repeated_failures": "requests of one topic fail, on one model, more often than tolerated or than the rest",
    "prompt_weakness": "repeated failures whose answers arrived but missed the request: a rule is wrong or wanting",
    "latency_outliers": "requests of one topic are far slower than the same model's median",
    "degrading_model": "a model fails more, or answers more slowly, than it used to",
    "degrading_tool": "calls of a tool fail more, or take longer, than they used to",
    "cheaper_model": "a cheaper model served the same topics about as well",
    "memory_gap": "requests of one topic fail where memory brought up nothing that is near",
}
NOT_CHECKED = {
    "repeated_failures": "Whether the model, the provider or the requests are to blame; only that this topic fails.",
    "prompt_weakness": "Which rule of the prompt is wrong or wanting, and whether a change mends it.",
    "latency_outliers": "Whether the answers are longer, the provider slower or the network worse.",
    "degrading_model": "Whether the requests have changed rather than the model: time is all that was compared.",
    "degrading_tool": "Whether the tool has changed, or what it is asked.",
    "cheaper_model": "How well the answers are worded: failures and users' rejections were compared.",
    "memory_gap": "Whether anybody knows what is missing, and whether these requests would fail all the same with it.",
}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a finding must show. Rates and shares are 0..1, counts are conversations."""

    min_units: int = 20  # on each side of a comparison
    min_bad: int = 5
    tolerated: float = 0.05  # failure rate that needs no finding by itself
    false_discovery: float = 0.05  # expected share of false findings in one analysis
    slow_factor: float = 3.0  # "slow" is this many medians of the same model
    slower_by: float = 1.25  # a change of latency that is worth a word
    worse_by: float = 0.02  # a change of failure rate that is worth a word
    cheaper_by: float = 0.20  # saving that is worth a word
    margin: float = 0.05  # how many more failures a cheaper model may show


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A tested hypothesis with what would be said about it; the p-values of one analysis are judged together."""

    kind: str
    subject: tuple[str, ...]  # what makes its id: intent, model, terms
    p_value: float
    severity: float  # 0..1
    summary: str
    recommendation: str
    evidence: dict[str, Any]
