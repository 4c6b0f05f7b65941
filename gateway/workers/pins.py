"""Pins in memory that several workers share: a conversation keeps its arm whichever of them its next turn reaches.

The rules are those of `policies.pins`: a pin is renewed by being asked for, one that has been silent for `idle_s` is
gone, and what has been silent longest makes room. What is different is how they are kept:

1. A table of fixed size, 8 pins a bucket: the pin that a ninth replaces is the oldest of its bucket.
2. Nobody locks. A pin is five aligned words, each written at once; the tag goes first and comes last, and the `check`
   is the exclusive or of the others with a constant for the role. Words of two pins that were written at the same
   time don't fit together: such a pin is none.
3. Names are stored as their digests. A worker knows those of its epochs and its recordings; it does not touch a pin
   whose arm it has never heard of, because its own epoch is the older one: that request gets production, and the next
   one, a poll later, its arm.
4. An older word never replaces a newer one: a successor's replay leaves alone what the others have pinned since.

The memory has no name and no file: it lasts as long as the gateway, and a start fills it from the recordings.
"""

import mmap
import os
import struct
import sys
import tempfile
from collections.abc import Iterable
from functools import cached_property
from hashlib import blake2b
from typing import Any

from policies.arrays import np
from policies.pins import Pin
from policies.registry.values import Role

WAYS = 8
_WORD = 8
_RECORD_WORDS = 4  # seen, arm, experiment, check
_BUCKET_WORDS = WAYS * (1 + _RECORD_WORDS)  # the tags, side by side, then the records
_RECORD = struct.Struct("@dQQQ")  # native: each word is copied at once
_SEEN = struct.Struct("@d")
_TAG = struct.Struct("@Q")
_UNPACK, _PACK = _RECORD.unpack_from, _RECORD.pack_into
_PACK_SEEN, _PACK_TAG = _SEEN.pack_into, _TAG.pack_into
_ORDER = sys.byteorder
_FREE = bytes(_WORD)
_TAGS_BYTES = WAYS * _WORD
_BUCKET_BYTES = _BUCKET_WORDS * _WORD
BUCKETS = 1 << 15  # 262,144 pins in 10 MiB, of which the system gives only what is used
_PLACES = 16  # for stored answers, a bucket: 524,288 in 16 MiB (see `stored`)
_PLACE_BYTES = 4 * _WORD


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=_WORD).digest()) or 1


_ROLES: dict[int, Role] = {
    _digest("role:production"): "production",
    _digest("role:challenger"): "challenger",
    _digest("role:holdback"): "holdback",
}
_CODES: dict[str, int] = {role: code for code, role in _ROLES.items()}


def _tag_of(at: int, bucket: int) -> int:
    """Where the tag of a record stands."""
    return bucket + (at - bucket - _TAGS_BYTES) // _RECORD_WORDS


def _size(buckets: int) -> int:
    return buckets * (_BUCKET_BYTES + _PLACES * _PLACE_BYTES)


class Table:
    """The shared memory. `descriptor` goes to the workers; each maps it by itself."""

    def __init__(self, descriptor: int, buckets: int = BUCKETS) -> None:
        self.descriptor = descriptor
        self.buckets = buckets
        self.places = buckets * _PLACES
        self.answers_at = buckets * _BUCKET_BYTES  # behind the pins
        self.memory = mmap.mmap(descriptor, _size(buckets))

    @cached_property
    def words(self) -> "np.ndarray[Any, np.dtype[np.uint64]]":
        """All pins, by bucket."""
        count = self.buckets * _BUCKET_WORDS
        return np.frombuffer(self.memory, np.uint64, count).reshape(self.buckets, _BUCKET_WORDS)

    @classmethod
    def create(cls, buckets: int = BUCKETS) -> "Table":
        """A new table, empty."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("evogate-pins")
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, _size(buckets))
        return cls(descriptor, buckets)

    @property
    def tags(self) -> "np.ndarray[Any, np.dtype[np.uint64]]":
        """By bucket and way; 0 where nothing is pinned."""
        return self.words[:, :WAYS]

    @property
    def arms(self) -> "np.ndarray[Any, np.dtype[np.uint64]]":
        """Digests, by bucket and way."""
        return self.words[:, WAYS:].reshape(self.buckets, WAYS, _RECORD_WORDS)[:, :, 1]


class SharedPins:
    """One policy's pins in a table that others use, too: a `PinTable`."""

    def __init__(self, table: Table, policy: str, *, idle_s: float) -> None:
        self._idle_s = idle_s
        self._table = table
        self._memory = table.memory
        self._search = table.memory.find
        self._mask = table.buckets - 1
        self._policy = policy
        self._salt = _digest(f"policy:{policy}")
        self._names: dict[int, str] = {}
        self._digests: dict[str, int] = {}

    def know(self, names: Iterable[str]) -> None:
        """Learn the names of arms and experiments, so that pins which others have set can be read."""
        for name in names:
            if name not in self._digests:
                self._intern(name)

    def get(self, unit: str, now: float) -> Pin | None:
        """The unit's pin, renewed by being asked for; None where it has none or was idle too long.

        One whose arm is not known here has the arm "".
        """
        tag = int(unit, 16) ^ self._salt
        bucket = (tag & self._mask) * _BUCKET_BYTES
        at = self._find(tag.to_bytes(_WORD, _ORDER), bucket)
        if at < 0:
            return None
        memory = self._memory
        seen, arm, experiment, check = _UNPACK(memory, at)
        role = _ROLES.get(check ^ tag ^ arm ^ experiment)
        if role is None:
            return None  # being written
        if now - seen > self._idle_s:
            _PACK_TAG(memory, _tag_of(at, bucket), 0)
            return None
        if now > seen:
            _PACK_SEEN(memory, at, now)
        names = self._names
        return Pin(names.get(arm, ""), names.get(experiment), role, now)

    def put(self, unit: str, pin: Pin, now: float) -> None:
        """Pin a unit, in place of what it had; the one of its bucket that has been silent longest makes room."""
        pin.seen = now
        tag = int(unit, 16) ^ self._salt
        bucket = (tag & self._mask) * _BUCKET_BYTES
        at = self._find(tag.to_bytes(_WORD, _ORDER), bucket)
        if at < 0:
            at = self._room(bucket)
        elif not self._yields(tag, at, now):
            return
        digests, experiment = self._digests, 0
        arm = digests.get(pin.arm) or self._intern(pin.arm)
        if pin.experiment is not None:
            experiment = digests.get(pin.experiment) or self._intern(pin.experiment)
        memory, place = self._memory, _tag_of(at, bucket)
        _PACK_TAG(memory, place, 0)
        _PACK(memory, at, now, arm, experiment, tag ^ arm ^ experiment ^ _CODES[pin.role])
        _PACK_TAG(memory, place, tag)

    def drop_arm(self, arm: str) -> int:
        """Unpin every unit of an arm, for all workers; how many there were."""
        table = self._table
        found = (table.arms == self._intern(arm)) & (table.tags != 0)
        table.tags[found] = 0
        return int(np.count_nonzero(found))

    def __len__(self) -> int:
        return int(np.count_nonzero(self._table.tags))

    def _find(self, tag: bytes, bucket: int) -> int:
        """Where the record of a tag stands in its bucket; -1 where it has none."""
        end = bucket + _TAGS_BYTES
        at = self._search(tag, bucket, end)
        while at > 0 and at % _WORD:  # its bytes lie across two tags
            at = self._search(tag, at + 1, end)
        return at if at < 0 else end + (at - bucket) * _RECORD_WORDS

    def _yields(self, tag: int, at: int, now: float) -> bool:
        """Whether a pin may be replaced by a word of the time `now`."""
        seen, arm, experiment, check = _UNPACK(self._memory, at)
        if check ^ tag ^ arm ^ experiment not in _ROLES:
            return True
        return bool(seen <= now and (arm in self._names or now - seen > self._idle_s))

    def _room(self, bucket: int) -> int:
        free = self._find(_FREE, bucket)
        if free >= 0:
            return free
        records = range(bucket + _TAGS_BYTES, bucket + _BUCKET_BYTES, _RECORD.size)
        return min(records, key=lambda at: float(_SEEN.unpack_from(self._memory, at)[0]))

    def _intern(self, name: str) -> int:
        digest = self._digests[name] = _digest(f"{self._policy}/{name}")
        self._names[digest] = name
        return digest
