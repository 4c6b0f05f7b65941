"""What is wired in so far. With `RESCUES` the cases with retries and a spare upstream run, see `test_rescued.py`."""

from typing import Any

RESCUES = False


def resilience(**rules: Any) -> dict[str, Any]:
    """The part of a policy that says what is done for a request whose first attempt failed."""
    return {"resilience": rules} if RESCUES else {}
