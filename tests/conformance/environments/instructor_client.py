"""instructor's ways of asking for structure, printed as one JSON object. Runs in its own environment."""

import json
import os
from typing import Any

import instructor
import openai
from pydantic import BaseModel, field_validator

MESSAGES: Any = [{"role": "user", "content": "Book three days in Oslo."}]


class Trip(BaseModel):
    """A trip."""

    city: str
    days: int


class Longer(Trip):
    """What the provider never says: makes instructor ask again, with its own words about the error."""

    @field_validator("days")
    @classmethod
    def _long(cls, value: int) -> int:
        if value < 7:
            raise ValueError("at least a week")
        return value


def _ask(mode: Any) -> dict[str, Any]:
    with openai.OpenAI(base_url=os.environ["BASE_URL"], api_key="key", max_retries=0) as plain:
        client = instructor.from_openai(plain, mode=mode)
        trip = client.chat.completions.create(model="clerk-1", messages=MESSAGES, response_model=Trip)
        parts = list(client.chat.completions.create_partial(model="clerk-1", messages=MESSAGES, response_model=Trip))
        return {"whole": trip.model_dump(), "streamed": parts[-1].model_dump()}


def _again() -> str:
    with openai.OpenAI(base_url=os.environ["BASE_URL"], api_key="key", max_retries=0) as plain:
        client = instructor.from_openai(plain)
        try:
            client.chat.completions.create(model="clerk-1", messages=MESSAGES, response_model=Longer, max_retries=2)
        except Exception as error:  # noqa: BLE001  (its class has moved between versions)
            return type(error).__name__
    return "no error"


if __name__ == "__main__":
    told = {mode: _ask(instructor.Mode[mode]) for mode in ("TOOLS", "JSON", "JSON_SCHEMA")}
    print(json.dumps({**told, "again": _again()}))  # noqa: T201
