"""The families of `policies.registry.port`, written once over `policies.registry.connection` for every adapter."""

from policies.registry.families.audit import Audit
from policies.registry.families.candidates import Candidates
from policies.registry.families.experiments import Experiments
from policies.registry.families.leases import Leases
from policies.registry.families.log import Log
from policies.registry.families.memories import Memories
from policies.registry.families.totals import TotalsStore
from policies.registry.families.versions import Versions


class Families(Versions, Candidates, Experiments, TotalsStore, Memories, Log, Audit, Leases):
    """All of them."""
