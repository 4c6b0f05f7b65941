"""Load on a gateway: chat, streams and feedback, as applications send them.

`make load` runs it headless against a gateway that it starts; by hand:
`locust -f loadtests/locustfile.py --host http://127.0.0.1:8800`.
"""

import itertools
import os
import random

from locust import HttpUser, between, task

MODEL = os.environ.get("EVOGATE_LOAD_MODEL", "assistant")
_NUMBERS = itertools.count()


def question(rng: random.Random) -> dict[str, object]:
    """A chat request that no other request equals: a constant body would be one conversation."""
    text = f"Question {next(_NUMBERS)}: what is {rng.randint(2, 99)} times {rng.randint(2, 99)}?"
    return {"model": MODEL, "messages": [{"role": "user", "content": text}]}


class Application(HttpUser):
    """One client of the gateway, with its own generator of questions."""

    abstract = True
    wait_time = between(0.01, 0.05)

    def on_start(self) -> None:
        self.rng = random.Random(next(_NUMBERS))


class Chat(Application):
    """Asks and waits for the whole answer."""

    weight = 3

    @task
    def ask(self) -> None:
        with self.client.post("/v1/chat/completions", json=question(self.rng), catch_response=True) as answer:
            if answer.status_code == 200 and not answer.json().get("choices"):
                answer.failure("an answer without choices")


class Stream(Application):
    """Reads the answer as it arrives, and insists on its end."""

    weight = 2

    @task
    def read(self) -> None:
        body = {**question(self.rng), "stream": True}
        with self.client.post(
            "/v1/chat/completions", json=body, stream=True, name="/v1/chat/completions (stream)", catch_response=True
        ) as answer:
            lines = [line for line in answer.iter_lines() if line]
            if answer.status_code == 200 and (not lines or lines[-1] != b"data: [DONE]"):
                answer.failure("a stream without its end")


class Feedback(Application):
    """Asks, then says how good the answer was."""

    weight = 1

    @task
    def rate(self) -> None:
        answer = self.client.post("/v1/chat/completions", json=question(self.rng), name="/v1/chat/completions (rated)")
        request_id = answer.headers.get("x-evogate-request-id")
        if answer.status_code == 200 and request_id:
            said = {"request_id": request_id, "score": self.rng.choice([0.0, 1.0])}
            with self.client.post("/v1/feedback", json=said, catch_response=True) as accepted:
                if accepted.status_code != 202:
                    accepted.failure(f"feedback was answered with {accepted.status_code}")
