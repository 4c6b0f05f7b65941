"""Load on a gateway: chat, streams and feedback, as applications send them.

`make load` runs it headless against a gateway that it starts; by hand:
`locust -f loadtests/locustfile.py --host http://127.0.0.1:8800`.
"""

import itertools
import os
import random

from locust import HttpUser, between, task
from locust.clients import ResponseContextManager

MODEL = os.environ.get("EVOGATE_LOAD_MODEL", "assistant")
PATH = "/v1/chat/completions"
_NUMBERS = itertools.count()


def question(rng: random.Random) -> dict[str, object]:
    """A chat request that no other request equals: a constant body would be one conversation."""
    text = f"Question {next(_NUMBERS)}: what is {rng.randint(2, 99)} times {rng.randint(2, 99)}?"
    return {"model": MODEL, "messages": [{"role": "user", "content": text}]}


def passed_on(answer: ResponseContextManager) -> bool:
    """Whether it is the provider's own failure, which the gateway passes on unchanged; then it is none of ours."""
    theirs = answer.status_code >= 500 and "x-evogate-error" not in answer.headers
    if theirs:
        answer.success()
    return theirs


class Application(HttpUser):
    """One client of the gateway, with its own generator of questions."""

    abstract = True
    wait_time = between(0.01, 0.05)

    def on_start(self) -> None:
        self.rng = random.Random(next(_NUMBERS))

    def chat(self, name: str, **extra: object) -> ResponseContextManager:
        """A chat completion, to be entered as a context."""
        return self.client.post(
            PATH, json={**question(self.rng), **extra}, name=f"{PATH} {name}", stream="stream" in extra,
            catch_response=True,
        )  # fmt: skip


class Chat(Application):
    """Asks and waits for the whole answer."""

    weight = 3

    @task
    def ask(self) -> None:
        with self.chat("(whole)") as answer:
            if not passed_on(answer) and answer.status_code == 200 and not answer.json().get("choices"):
                answer.failure("an answer without choices")


class Stream(Application):
    """Reads the answer as it arrives, and insists on its end."""

    weight = 2

    @task
    def read(self) -> None:
        with self.chat("(stream)", stream=True) as answer:
            lines = [line for line in answer.iter_lines() if line]
            if not passed_on(answer) and (not lines or lines[-1] != b"data: [DONE]"):
                answer.failure("a stream without its end")


class Feedback(Application):
    """Asks, then says how good the answer was."""

    weight = 1

    @task
    def rate(self) -> None:
        with self.chat("(rated)") as answer:
            if passed_on(answer) or answer.status_code != 200:
                return
            request_id = answer.headers["x-evogate-request-id"]
        said = {"request_id": request_id, "score": self.rng.choice([0.0, 1.0])}
        with self.client.post("/v1/feedback", json=said, catch_response=True) as accepted:
            if accepted.status_code != 202:
                accepted.failure(f"feedback was answered with {accepted.status_code}")
