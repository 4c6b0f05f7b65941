"""One golden example, and a set of them in four splits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Split = Literal["train", "validation", "test", "anchors"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test", "anchors")


@dataclass(frozen=True, slots=True)
class Item:
    """A request and what its answer should have been."""

    id: str
    conversation: str
    at: float  # Unix seconds
    messages: tuple[Mapping[str, Any], ...]  # of a chat completion request
    expected: str
    quality: float  # 0..1, how sure it is that this is right
    source: Literal["recorded", "hand"]
    anchor: bool = False  # must not regress, whatever its hash says

    @property
    def question(self) -> str:
        """What the user asked last."""
        asked = (m.get("content") for m in reversed(self.messages) if m.get("role") == "user")
        return next((text for text in asked if isinstance(text, str)), "")

    def to_json(self, split: Split) -> dict[str, Any]:
        """One line of an export."""
        return {
            "id": self.id,
            "split": split,
            "conversation": self.conversation,
            "messages": list(self.messages),
            "expected": self.expected,
            "quality": self.quality,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Golden:
    """Items by split, and what was left out or moved on the way."""

    splits: Mapping[Split, tuple[Item, ...]]
    duplicates: int = 0  # near-duplicates that were dropped
    leaked: tuple[str, ...] = ()  # ids that a prompt or memory quotes: they may only train
    left_out: Mapping[str, int] = field(default_factory=dict)  # reason -> how many

    def facts(self) -> dict[str, Any]:
        """Counts, as JSON values."""
        return {
            **{split: len(self.splits[split]) for split in SPLITS},
            "duplicates": self.duplicates,
            "leaked": list(self.leaked),
            "left_out": dict(self.left_out),
        }
