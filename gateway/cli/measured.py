"""What a canary has measured so far, for people."""

from collections.abc import Mapping
from typing import Any


def measured(evidence: Mapping[str, Any]) -> list[str]:
    """Candidate minus production by metric, with 95 % intervals, and the proof so far; nothing before the first look.

    Failures, latency and cost are worse the larger they are; reward and quality are better.
    """
    spans, estimates = evidence.get("intervals", {}), evidence.get("estimates", {})
    lines = [
        f"{name} {estimates[name]:+.3f} ({span['low']:+.3f} to {span['high']:+.3f})"
        for name, span in spans.items()
        if name in estimates
    ]
    if "threshold" in evidence and "e_values" in evidence:
        weakest = min(evidence["e_values"], key=lambda name: float(evidence["e_values"][name]))
        lines.append(f"e-value {evidence['e_value']:.3g} of {evidence['threshold']:.0f}, held back by {weakest}")
    return lines
