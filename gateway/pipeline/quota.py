"""How much one credential may say of answers, that none alone decides what is thought of an arm.

1. A credential may send so many words a minute (`gateway.limits.feedback_per_minute`): a flood from one client is
   refused and moves no decision.
2. Where many clients share a policy, one may judge a share of its answers (`gateway.limits.feedback_share` below 1),
   and `AT_ONCE` answers' worth beyond it. The arm that a word is about has no say in whether it is taken, or the cap
   would thin out one side of a comparison. What another worker has answered counts together.
"""

from hashlib import blake2b
from math import ceil

from gateway.pipeline.core import Core
from gateway.pipeline.feedback import Feedback, Heard
from policies.allowance import Allowance

AT_ONCE = 200  # answers


class Quota:
    """One worker's."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._words = Allowance()
        self._shares = Allowance()

    def client(self, credential: bytes | None) -> bytes:
        """Whose words are counted together: a digest of 16 bytes, as a credential itself is not kept."""
        return blake2b(credential or b"", digest_size=16, key=self._core.key).digest()

    def flooded(self, client: bytes) -> Heard | None:
        """The refusal, where the client has said enough for now."""
        limit = self._core.epoch.settings.gateway.limits.feedback_per_minute
        wait_s = self._words.take(client, self._core.loop.time(), rate=limit / 60.0, most=limit)
        if not wait_s:
            return None
        message = f"this credential sends more feedback than is taken; go on in {ceil(wait_s)} s"
        return Heard(429, reason="feedback_flood", message=message)

    def beyond_its_share(self, client: bytes, said: Feedback, policy: str | None) -> Heard | None:
        """The refusal, where the client has judged its share of the policy's answers (None: of all policies')."""
        share = self._core.epoch.settings.gateway.limits.feedback_share
        if said.score is None or share >= 1.0:
            return None  # it moves no posterior and no evidence; or one application speaks for all users
        counters = self._core.metrics.arms.items()
        answers = sum(each.requests for (name, _), each in counters if policy is None or name == policy)
        bucket = client + (policy or "").encode()
        wait = self._shares.take(bucket, answers, rate=share, most=share * AT_ONCE)
        if not wait:
            return None
        message = (
            f"this credential has judged as many answers as one may, a share of {share:g} "
            f"(`gateway.limits.feedback_share`); go on after {ceil(wait)} more of them"
        )
        return Heard(429, reason="feedback_share", message=message)
