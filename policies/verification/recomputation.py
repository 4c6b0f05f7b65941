"""One pass over the recordings in the order of time, and what is decided again from it at the end."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from policies.verification.casebook import Casebook
from policies.verification.docket import Docket
from policies.verification.elond import check_stream
from policies.verification.facts import Facts
from policies.verification.line import check_line
from policies.verification.mirror import Mirror
from policies.verification.production import check_moves
from policies.verification.report import DiffersError, Report
from policies.verification.salts import Salts
from policies.verification.seals import check_chain, check_seals
from policies.verification.stream import Arms, Frame, Stream
from policies.verification.terms import Timeline


class _Place(NamedTuple):
    """One writer's part in one policy."""

    stream: Stream
    book: Casebook
    mirror: Mirror
    docket: Docket | None


class Recomputation:
    """Check the registry's `rows`, feed all writers' frames by time (each writer's in its order), then `finish`."""

    def __init__(self, facts: Facts) -> None:
        self.report = Report()
        self._facts = facts
        reach = max(facts.reach.values(), default=0.0)
        self._timelines = {name: Timeline(policy.notes) for name, policy in facts.policies.items()}
        self._books = {
            name: Casebook(policy, self._timelines[name], reach, self.report) for name, policy in facts.policies.items()
        }
        self._mirrors = {
            name: Mirror(policy, self._timelines[name], facts.reach, self.report)
            for name, policy in facts.policies.items()
        }
        self._salts = {
            name: Salts(facts.secret, policy) if facts.secret is not None else None
            for name, policy in facts.policies.items()
        }
        self._arms = {name: Arms() for name in facts.policies}
        self._places: dict[tuple[str, str], _Place] = {}  # by writer and policy
        self._open: dict[str, tuple[_Place, Mapping[str, Any]]] = {}  # by request id: no outcome yet
        self._handlers = {"assignment": self._assignment, "outcome": self._outcome, "signal": self._signal}

    def rows(self) -> None:
        """Check the trail and what it seals: whatever follows is decided by what stands there.

        Raises:
            DiffersError: the first that differs.
        """
        check_chain(self._facts.notes, self.report)
        since = next((note.at for note in self._facts.notes if note.link), float("inf"))
        for name, policy in self._facts.policies.items():
            check_seals(policy, since, self.report)
            check_stream(policy.experiments, self._timelines[name], self.report)
            check_moves(policy, self.report)
            check_line(policy, self.report)

    def frame(self, writer: str, frame: Frame) -> None:
        """Check one record.

        Raises:
            DiffersError: it does not come out again.
        """
        handler = self._handlers.get(frame.get("t", ""))
        if handler is None:
            self.report.left_out["records: of a kind that is not known here"] += 1
            return
        try:
            handler(writer, frame)
        except KeyError as error:
            raise DiffersError(f"{frame['t']} {frame.get('id')}", "field", "nothing", f"a value of {error}") from error

    def finish(self) -> Report:
        """Decide again what rests on many records.

        Raises:
            DiffersError: the first that differs.
        """
        for book in self._books.values():
            book.finish()
        for mirror in self._mirrors.values():
            mirror.finish()
        return self.report

    def _place(self, writer: str, policy: str, record: str) -> _Place:
        found = self._places.get((writer, policy))
        if found is None:
            if policy not in self._books:
                raise DiffersError(record, "policy", policy, "none of that name")
            book = self._books[policy]
            found = self._places[writer, policy] = _Place(
                self._stream(policy), book, self._mirrors[policy], book.docket()
            )
        return found

    def _stream(self, name: str) -> Stream:
        policy = self._facts.policies[name]
        held = [note.detail for note in policy.notes if note.action == "holdback"]
        known = {experiment.id for experiment in policy.experiments} | {holdback["experiment"] for holdback in held}
        return Stream(
            self._timelines[name],
            self._salts[name],
            # Holdbacks that are older than the trail have left no row.
            known=lambda experiment: experiment in known or experiment.startswith("holdback-"),
            held=[holdback["share"] for holdback in held],
            layers=policy.layers,
            pins=self._arms[name],
            report=self.report,
        )

    def _assignment(self, writer: str, frame: Frame) -> None:
        place = self._place(writer, frame["policy"], f"assignment {frame['id']}")
        place.stream.assignment(frame)
        place.book.assignment(frame)
        if place.docket is not None:
            place.docket.assignment(frame)
        self._open[frame["id"]] = (place, frame)

    def _outcome(self, _: str, frame: Frame) -> None:
        found = self._open.pop(frame["id"], None)
        if found is None:
            self.report.left_out["outcomes: a second one, or their assignment is not on record"] += 1
            return
        place, asked = found
        place.stream.outcome(frame, f"outcome {frame['id']}", asked["at"])
        place.book.outcome(frame)
        place.mirror.outcome(frame)
        if place.docket is not None:
            place.docket.outcome(frame, asked)

    def _signal(self, writer: str, frame: Frame) -> None:
        place = self._place(writer, frame["policy"], f"signal about {frame['id']}")
        if frame["kind"] == "shadow":
            place.stream.outcome(frame["data"], f"shadow answer to {frame['id']}", frame["at"])
            place.mirror.signal(writer, frame)
        elif frame["kind"] == "feedback" and frame["data"].get("score") is not None:
            place.book.feedback(frame)
            if place.docket is not None:
                place.docket.feedback(frame)
