"""What the API answers, as JSON Schemas: one for each operation that it serves."""

from typing import Any

from pydantic import BaseModel, TypeAdapter

from evolver.services.messages import ClusterAnswer, PatchesAnswer, RankAnswer, TrainAnswer
from policies.registry.values import Candidate, Finding, Tombstone

Schema = dict[str, Any]

STRING, NUMBER, BOOLEAN, OBJECT = ({"type": name} for name in ("string", "number", "boolean", "object"))
_COUNT: Schema = {"type": "integer", "minimum": 0}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _word(**more: Schema) -> Schema:
    return _object(success=BOOLEAN, candidate=STRING, **more)


def _page(name: str, items: Schema, **more: Schema) -> Schema:
    return _object(**more, **{name: _array(items)}, next=_maybe(STRING))


def _of(kind: type) -> Schema:
    """A row of the registry; a genome and a lineage are given without their defaults."""
    schema = TypeAdapter(kind).json_schema(mode="serialization")
    properties = {
        name: OBJECT if name in {"genome", "lineage"} else each for name, each in schema["properties"].items()
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def _model(kind: type[BaseModel]) -> Schema:
    """A model's schema in one piece: what it refers to stands where it is referred to."""
    whole = kind.model_json_schema(mode="serialization")
    parts = whole.pop("$defs", {})

    def inlined(value: Any) -> Any:
        if isinstance(value, list):
            return [inlined(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return inlined(parts[value["$ref"].rpartition("/")[2]])
        return {name: inlined(one) for name, one in value.items()}

    schema: Schema = inlined(whole)
    return schema


_LAYER = _object(hash=STRING, genes=OBJECT)
_MANIFEST = _object(
    version=STRING,
    policy=STRING,
    content_hash=STRING,
    layers=_object(prompt=_LAYER, memory=_LAYER, strategy=_LAYER),
    genome=OBJECT,
    lineage=OBJECT,
    created_at=NUMBER,
    who=STRING,
    why=STRING,
    evidence=OBJECT,
    production=BOOLEAN,
    active=_array(_object(**{"from": NUMBER, "to": _maybe(NUMBER)})),
    active_s=NUMBER,
)
_EXPERIMENT = _object(
    id=STRING,
    policy=STRING,
    candidate=STRING,
    control=STRING,
    ordinal=_COUNT,
    started_at=NUMBER,
    ended_at=_maybe(NUMBER),
    verdict={"enum": ["", "PROMOTE", "ROLL BACK", "INCONCLUSIVE"]},
    evidence=OBJECT,
    duration_s=NUMBER,
    layer=_maybe(STRING),
    finding=_maybe(STRING),
    state=_maybe(STRING),
    reason=_maybe(STRING),
    stations=OBJECT,
)
_EXPOSURE = _object(
    requests=_COUNT, units=_COUNT, failures=_COUNT, usd=NUMBER, first_at=_maybe(NUMBER), last_at=_maybe(NUMBER)
)
_INCIDENT = _object(
    id=STRING,
    policy=STRING,
    kind=STRING,
    at=NUMBER,
    subject=STRING,
    summary=STRING,
    evidence=OBJECT,
    resolved_at=_maybe(NUMBER),
    exposure=_maybe(_EXPOSURE),
)
_STATUS = _object(
    policy=STRING,
    mode={"enum": ["observe", "approve", "auto"]},
    last_training_time=_maybe(NUMBER),
    last_deployment_time=_maybe(NUMBER),
    learnings_since_training=_COUNT,
    current_model=_maybe(STRING),
    training_runs=_COUNT,
    improvement_score=_maybe(NUMBER),
    should_trigger=BOOLEAN,
    trigger_reason=_maybe(STRING),
    last_check_time=_maybe(NUMBER),
    frozen=BOOLEAN,
    candidates=_array(OBJECT),
)
ANSWERS: dict[tuple[str, str], tuple[int, Schema]] = {
    ("GET", "/api/v1/improvement/status"): (200, _STATUS),
    ("POST", "/api/v1/improvement/trigger"): (
        202,
        _object(success=BOOLEAN, message=STRING, triggered_at=NUMBER),
    ),
    ("GET", "/api/v1/versions"): (200, _page("versions", _MANIFEST, policy=STRING)),
    ("GET", "/api/v1/versions/{version}"): (200, _MANIFEST),
    ("POST", "/api/v1/versions/{version}/restore"): (
        200,
        _object(success=BOOLEAN, version=STRING, policy=STRING),
    ),
    ("GET", "/api/v1/experiments"): (200, _page("experiments", _EXPERIMENT)),
    ("GET", "/api/v1/findings"): (200, _page("findings", _of(Finding))),
    ("GET", "/api/v1/incidents"): (200, _page("incidents", _INCIDENT)),
    ("GET", "/api/v1/candidates"): (200, _page("candidates", _of(Candidate))),
    ("GET", "/api/v1/tombstones"): (200, _page("tombstones", _of(Tombstone))),
    ("POST", "/api/v1/candidates/{candidate}/approve"): (200, _word(step={"enum": ["canary", "promotion"]})),
    ("POST", "/api/v1/candidates/{candidate}/canary"): (200, _word(experiment=STRING)),
    ("POST", "/api/v1/candidates/{candidate}/promote"): (200, _word(version=STRING)),
    ("POST", "/api/v1/candidates/{candidate}/reject"): (200, _word(state=STRING)),
    ("POST", "/api/v1/freeze"): (200, _object(success=BOOLEAN, frozen=BOOLEAN)),
    ("POST", "/api/v1/thaw"): (200, _object(success=BOOLEAN, frozen=BOOLEAN)),
    ("POST", "/api/v1/cluster"): (200, _model(ClusterAnswer)),
    ("POST", "/api/v1/generate-patches"): (200, _model(PatchesAnswer)),
    ("POST", "/api/v1/rank"): (200, _model(RankAnswer)),
    ("POST", "/api/v1/train"): (200, _model(TrainAnswer)),
}
ERROR = _object(
    error=_object(message=STRING, type=STRING, param=_maybe(STRING), code=_maybe(STRING)),
)
