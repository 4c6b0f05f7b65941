"""One pass over the recordings, writer by writer, and what is decided again from it at the end."""

from collections.abc import Callable, Mapping
from typing import Any

from policies.verification.casebook import Casebook
from policies.verification.elond import check_stream
from policies.verification.facts import Facts
from policies.verification.production import check_moves
from policies.verification.report import DiffersError, Report
from policies.verification.salts import Salts
from policies.verification.seals import check_chain, check_seals
from policies.verification.stream import Frame, Stream
from policies.verification.terms import Timeline


class Recomputation:
    """Feed each writer's frames in their order (`writer`, then `frame` for each), then `finish`."""

    def __init__(self, facts: Facts) -> None:
        self.report = Report()
        self._facts = facts
        self._timelines = {name: Timeline(policy.notes) for name, policy in facts.policies.items()}
        self._salts = {
            name: Salts(facts.secret, policy) if facts.secret is not None else None
            for name, policy in facts.policies.items()
        }
        reach = max(facts.reach.values(), default=0.0)
        self._casebooks = {
            name: Casebook(policy, self._timelines[name], reach, self.report) for name, policy in facts.policies.items()
        }
        self._streams: dict[str, tuple[Stream, Casebook]] = {}
        self._open: dict[str, tuple[Stream, Casebook, Mapping[str, Any]]] = {}  # by request id: no outcome yet
        self._handlers: dict[str, Callable[[Frame], None]] = {
            "assignment": self._assignment,
            "outcome": self._outcome,
            "signal": self._signal,
        }

    def writer(self) -> None:
        """The frames of another writer follow."""
        self._streams = {name: (self._stream(name), book) for name, book in self._casebooks.items()}
        self._open = {}
        for book in self._casebooks.values():
            book.writer()

    def frame(self, frame: Frame) -> None:
        """Check one record.

        Raises:
            DiffersError: it does not come out again.
        """
        handler = self._handlers.get(frame.get("t", ""))
        if handler is None:
            self.report.left_out["records: of a kind that is not known here"] += 1
            return
        try:
            handler(frame)
        except KeyError as error:
            raise DiffersError(f"{frame['t']} {frame.get('id')}", "field", "nothing", f"a value of {error}") from error

    def finish(self) -> Report:
        """Decide again what rests on many records, and check the registry's own rows.

        Raises:
            DiffersError: the first that differs.
        """
        check_chain(self._facts.notes, self.report)
        since = next((note.at for note in self._facts.notes if note.link), float("inf"))
        for name, policy in self._facts.policies.items():
            check_seals(policy, since, self.report)
            check_stream(policy.experiments, self._timelines[name], self.report)
            check_moves(policy, self.report)
            self._casebooks[name].finish()
        return self.report

    def _stream(self, name: str) -> Stream:
        policy = self._facts.policies[name]
        known = {experiment.id for experiment in policy.experiments}
        held = [note.detail for note in policy.notes if note.action == "holdback"]
        known |= {holdback["experiment"] for holdback in held}
        return Stream(
            self._timelines[name],
            self._salts[name],
            # Holdbacks that are older than the trail have left no row.
            known=lambda experiment: experiment in known or experiment.startswith("holdback-"),
            held=[holdback["share"] for holdback in held],
            report=self.report,
        )

    def _assignment(self, frame: Frame) -> None:
        found = self._streams.get(frame["policy"])
        if found is None:
            raise DiffersError(f"assignment {frame['id']}", "policy", frame["policy"], "none of that name")
        stream, book = found
        stream.assignment(frame)
        book.assignment(frame)
        self._open[frame["id"]] = (stream, book, frame)

    def _outcome(self, frame: Frame) -> None:
        found = self._open.pop(frame["id"], None)
        if found is None:
            self.report.left_out["outcomes: their assignment is not on record"] += 1
            return
        stream, book, asked = found
        stream.outcome(frame, f"outcome {frame['id']}", asked["at"])
        book.outcome(frame, asked)

    def _signal(self, frame: Frame) -> None:
        found = self._streams.get(frame["policy"])
        if found is None:
            raise DiffersError(f"signal about {frame['id']}", "policy", frame["policy"], "none of that name")
        stream, book = found
        if frame["kind"] == "shadow":
            stream.outcome(frame["data"], f"shadow answer to {frame['id']}", frame["at"])
        elif frame["kind"] == "feedback" and frame["data"].get("score") is not None:
            book.feedback(frame)
