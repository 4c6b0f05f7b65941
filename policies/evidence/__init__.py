"""Evidence: sequential tests whose guarantees hold however often one looks, as pure O(1) reducers.

`ExperimentEvidence` is the breaker (no harm), `PromotionTest` with `threshold` the way into production, `PairedTest`
the shadow, `ProviderWatch` the outage that is nobody's fault, `Detector` the eye on a promoted version, `SampleRatio`
the check on the odds that all of them rest on.
"""

from policies.evidence.breaker import Verdict, detectable_ratio, judge
from policies.evidence.channels import CHANNELS
from policies.evidence.decision import Decision
from policies.evidence.detector import Detector, held_to, rate_bound
from policies.evidence.elond import threshold
from policies.evidence.experiment import ExperimentEvidence
from policies.evidence.interval import ConfidenceSequence, Interval
from policies.evidence.ledger import BUCKET_S, FOLDED
from policies.evidence.noharm import Wealth
from policies.evidence.promotion import PromotionTest
from policies.evidence.provider import ProviderState, ProviderWatch
from policies.evidence.sample_ratio import SampleRatio
from policies.evidence.settlement import Roll, Settlement
from policies.evidence.shadow import PairedTest
from policies.evidence.view import EXCHANGE_S, Rows, View, fleet

__all__ = [
    "BUCKET_S",
    "CHANNELS",
    "EXCHANGE_S",
    "FOLDED",
    "ConfidenceSequence",
    "Decision",
    "Detector",
    "ExperimentEvidence",
    "Interval",
    "PairedTest",
    "PromotionTest",
    "ProviderState",
    "ProviderWatch",
    "Roll",
    "Rows",
    "SampleRatio",
    "Settlement",
    "Verdict",
    "View",
    "Wealth",
    "detectable_ratio",
    "fleet",
    "held_to",
    "judge",
    "rate_bound",
    "threshold",
]
