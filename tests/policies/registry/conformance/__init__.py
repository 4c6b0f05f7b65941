"""What every adapter of the registry must pass.

A test class of an adapter inherits `RegistryConformance` and overrides the fixtures `connect` (opens a further
connection to one store that is empty at first) and `racer` (the command of a process that races on that store).
"""

import pytest

_FAMILIES = (
    "audit", "candidates", "experiments", "fences", "leases", "log", "memories", "races", "totals", "trail", "versions",
)  # fmt: skip
for _family in _FAMILIES:
    pytest.register_assert_rewrite(f"{__name__}.{_family}")

from tests.policies.registry.conformance.audit import AuditConformance  # noqa: E402
from tests.policies.registry.conformance.candidates import CandidatesConformance  # noqa: E402
from tests.policies.registry.conformance.experiments import ExperimentsConformance  # noqa: E402
from tests.policies.registry.conformance.fences import FencesConformance  # noqa: E402
from tests.policies.registry.conformance.leases import LeasesConformance  # noqa: E402
from tests.policies.registry.conformance.log import LogConformance  # noqa: E402
from tests.policies.registry.conformance.memories import MemoriesConformance  # noqa: E402
from tests.policies.registry.conformance.races import RacesConformance  # noqa: E402
from tests.policies.registry.conformance.totals import TotalsConformance  # noqa: E402
from tests.policies.registry.conformance.trail import TrailConformance  # noqa: E402
from tests.policies.registry.conformance.versions import VersionsConformance  # noqa: E402


class RegistryConformance(
    VersionsConformance,
    CandidatesConformance,
    ExperimentsConformance,
    TotalsConformance,
    LogConformance,
    AuditConformance,
    LeasesConformance,
    FencesConformance,
    MemoriesConformance,
    TrailConformance,
    RacesConformance,
):
    """All families."""


__all__ = ["RegistryConformance"]
