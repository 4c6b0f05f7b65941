"""Incidents are stored once and resolved once; a finding of a known id is replaced."""

from dataclasses import replace

import pytest

from policies.errors import NotFoundError
from policies.registry import Registry
from policies.registry.values import Finding, Incident
from tests.policies.registry.conformance.base import NOW, Conformance

TRIP = Incident("i1", "support", "TRIP", NOW, "c1", "twice as many failures", {"e": 130.0, "samples": ["r1"]})
FINDING = Finding("f1", "support", "cluster", NOW, 0.5, "dates go wrong", "say the format", {"n": 12, "terms": ["ü"]})


class LogConformance(Conformance):
    async def test_an_incident_is_stored_once(self, registry: Registry) -> None:
        await registry.add_incident(TRIP)
        await registry.add_incident(replace(TRIP, summary="another"))
        assert await registry.incidents() == [TRIP]

    async def test_it_is_resolved_once(self, registry: Registry) -> None:
        await registry.add_incident(TRIP)
        await registry.resolve_incident("i1", now=NOW + 1)
        await registry.resolve_incident("i1", now=NOW + 2)
        assert await registry.incidents("support") == [replace(TRIP, resolved_at=NOW + 1)]

    async def test_only_what_exists_can_be_resolved(self, registry: Registry) -> None:
        with pytest.raises(NotFoundError, match="nope"):
            await registry.resolve_incident("nope", now=NOW)

    async def test_incidents_come_oldest_first(self, registry: Registry) -> None:
        old = replace(TRIP, id="i0", at=NOW - 5)
        other = replace(TRIP, id="i2", at=NOW + 5, policy="other")
        for incident in (other, TRIP, old):
            await registry.add_incident(incident)
        assert await registry.incidents() == [old, TRIP, other]
        assert await registry.incidents("other") == [other]

    async def test_findings_come_newest_analysis_first(self, registry: Registry) -> None:
        worse = replace(FINDING, id="f2", severity=0.9)
        newer = replace(FINDING, id="f3", at=NOW + 60, severity=0.1)
        other = replace(FINDING, id="f4", policy="other", at=NOW - 60)
        await registry.add_findings([other, FINDING, worse, newer])
        assert await registry.findings() == [newer, worse, FINDING, other]
        assert await registry.findings("other") == [other]

    async def test_a_known_finding_is_replaced(self, registry: Registry) -> None:
        await registry.add_findings([FINDING])
        again = replace(FINDING, at=NOW + 9, severity=1.0, evidence={"n": 40}, summary="worse now")
        await registry.add_findings([again])
        assert await registry.findings() == [again]
