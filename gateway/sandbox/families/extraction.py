"""Extraction to JSON: the application parses the answer and wants dates as YYYY-MM-DD."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any, ClassVar

import orjson

from gateway.sandbox.families.base import Answer, Problem, Request, loads_object, thoughts
from gateway.sandbox.lexicon import FIRST_NAMES, GOODS, LAST_NAMES, MONTHS
from gateway.sandbox.rules import Family
from gateway.sandbox.skills import Conduct
from gateway.sandbox.templates import AMOUNT, NUMBER, WORDS, Template
from gateway.sandbox.worlds import World

_BLANKS = {
    "person": r"[A-Z]\w+ [A-Z]\w+",
    "count": NUMBER,
    "goods": WORDS,
    "month": "|".join(MONTHS),
    "day": NUMBER,
    "year": r"\d{4}",
    "sum": AMOUNT,
}
_TEMPLATES = tuple(
    Template(text, _BLANKS)
    for text in (
        "this is {person}. Please send {count} {goods} by {month} {day}, {year}. We agreed on ${sum}",
        "{person} here, we need {count} {goods} no later than {day} {month} {year}, for ${sum} in all",
        "kindly deliver {count} {goods} before {month} {day}, {year}. The price was ${sum}. Regards, {person}",
    )
)
_FIELDS = re.compile(r"Fields: (?P<fields>\w+(?:, \w+){4})")
_OPENINGS = ("Extract the order from this mail.", "Take the order details from this mail.", "Read this order.")
_WITH_SCHEMA = 0.6  # share of tasks that carry a response_format
_SECTION = {"person": "string", "goods": "string", "count": "integer", "day": "string", "sum": "number"}


@dataclass(frozen=True, slots=True)
class Extraction(Problem):
    """An order with the field names that the application wants."""

    family: ClassVar[Family] = "extraction"
    wanted_fields: Mapping[str, Any]
    day_field: str
    written_day: str  # the date as the mail puts it

    @property
    def rules(self) -> tuple[str, ...]:
        """ISO dates, and JSON without anything around it."""
        return ("iso_dates", "raw_json")

    @property
    def wanted(self) -> str:
        """The date, as it should have been written."""
        return str(self.wanted_fields[self.day_field])

    def answer(self, conduct: Conduct) -> Answer:
        """JSON, with the slips that no rule or a careless model makes."""
        values = dict(self.wanted_fields)
        if not conduct.follows("iso_dates"):
            values[self.day_field] = self.written_day
        if not conduct.succeeds():
            careless = conduct.rng.choice([name for name in values if name != self.day_field])
            values[careless] = _misread(values[careless])
        text = orjson.dumps(values).decode()
        raw = conduct.follows("raw_json")
        if conduct.offer.schema is not None:
            return Answer(text)
        reasoning = thoughts(conduct, "an order") if conduct.reasons_everywhere else ""
        if raw:
            return Answer(text, hidden_tokens=len(reasoning) // 4)
        return Answer(f"{reasoning}\n\nHere is the extracted order:\n\n```json\n{text}\n```".strip())

    def score(self, text: str, calls: Sequence[Mapping[str, Any]], /) -> float:
        """0 if it can't be parsed; else 0.8 for the date, and 0.2 times the share of other fields that are right."""
        values = loads_object(text.strip())
        if values is None or calls:
            return 0.0
        others = [name for name in self.wanted_fields if name != self.day_field]
        right: float = sum(values.get(name) == self.wanted_fields[name] for name in others) / len(others)
        dated: bool = values.get(self.day_field) == self.wanted_fields[self.day_field]
        return 0.2 * right + 0.8 * dated


def draw(world: World, rng: Random) -> Request:
    """An order by mail, asked as the application asks; with or without a schema for the answer."""
    values = {
        "person": f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}",
        "count": rng.randint(2, 90),
        "goods": rng.choice(GOODS),
        "month": rng.choice(MONTHS),
        "day": rng.randint(1, 28),
        "year": rng.randint(2025, 2028),
        "sum": f"{rng.randint(20, 4000)}.{rng.randint(10, 99)}",
    }
    mail = rng.choice(_TEMPLATES).fill(values)
    text = f'{rng.choice(_OPENINGS)}\n"Hello, {mail}."\nFields: {", ".join(world.fields.values())}'
    return Request(text, {"response_format": _response_format(world)} if rng.random() < _WITH_SCHEMA else {})


def read(world: World, text: str) -> Extraction | None:
    """The problem in a text, None where there is none of this world."""
    fields = _FIELDS.search(text)
    if fields is None:
        return None
    for template in _TEMPLATES:
        if (values := template.read(text)) is not None:
            return _problem(world, template, values)
    return None


def _problem(world: World, template: Template, values: dict[str, str]) -> Extraction:
    day = date(int(values["year"]), MONTHS.index(values["month"]) + 1, int(values["day"]))
    written = "{month} {day}, {year}" if "{month} {day}" in template.text else "{day} {month} {year}"
    wanted = {
        world.fields["person"]: values["person"],
        world.fields["goods"]: values["goods"],
        world.fields["count"]: int(values["count"]),
        world.fields["day"]: day.isoformat(),
        world.fields["sum"]: float(values["sum"]),
    }
    return Extraction(wanted, world.fields["day"], written.format_map(values))


def _misread(value: object) -> object:
    if isinstance(value, str):
        return value.split()[0]
    return value + 1 if isinstance(value, int) else 0.0


def _response_format(world: World) -> dict[str, Any]:
    properties = {world.fields[part]: {"type": kind} for part, kind in _SECTION.items()}
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "order", "strict": True, "schema": schema}}
