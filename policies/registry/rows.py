"""Between rows and values: JSON columns hold objects, and a genome is validated whenever it is loaded."""

import json
from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from policies.errors import OperatorError
from policies.genome import Genome, Lineage

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)

MODELS: dict[str, type[BaseModel]] = {"genome": Genome, "lineage": Lineage}
OBJECTS = frozenset({"evidence", "stations", "data", "detail", "value"})


class Row(Protocol):
    """One row of an answer, by the names of its columns."""

    def __getitem__(self, name: str, /) -> Any: ...

    def keys(self) -> Iterable[str]:
        """The names of the columns."""


def encode(value: Any) -> str:
    """Canonical JSON: of a model without its defaults, of anything else as it is."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def to_row(value: "DataclassInstance", **more: Any) -> dict[str, Any]:
    """A value's fields, and `more` columns beside them, as parameters of a statement."""
    columns = {field.name: getattr(value, field.name) for field in fields(value)} | more
    return {name: encode(column) if _is_json(name) else column for name, column in columns.items()}


def from_row(kind: "type[T]", row: Row, **more: Any) -> "T":
    """The value of a row; columns that are no field of `kind` are left out.

    Raises:
        OperatorError: a genome that this EvoGate does not understand.
    """
    names = {field.name for field in fields(kind)}
    return kind(**{name: _decode(kind, row, name) for name in row.keys() if name in names}, **more)  # noqa: SIM118


def _is_json(name: str) -> bool:
    return name in OBJECTS or name in MODELS


def _decode(kind: type, row: Row, name: str) -> Any:
    if name in MODELS:
        try:
            return MODELS[name].model_validate_json(row[name])
        except ValidationError as error:
            raise OperatorError(
                f"registry: the {name} of a {kind.__name__.lower()} of policy '{row['policy']}' is not understood "
                f"({error.errors()[0]['msg']}); was it written by a newer EvoGate? Upgrade this one"
            ) from error
    return json.loads(row[name]) if name in OBJECTS else row[name]
