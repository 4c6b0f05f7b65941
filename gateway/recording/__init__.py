"""The spool: frame format, writer, reader. The evolver reads recordings only through it."""

from gateway.recording.chain import Head
from gateway.recording.consumed import read_consumed, write_consumed
from gateway.recording.conversations import conversations, join
from gateway.recording.durable import DurableCommit
from gateway.recording.errors import SpoolError
from gateway.recording.folder import recover
from gateway.recording.group import GroupCommit
from gateway.recording.ids import IdSource, id_time
from gateway.recording.lookup import find, frame_at, since
from gateway.recording.reader import Damage, every, read_frames, tail, writers
from gateway.recording.redact import Redactor
from gateway.recording.sampling import keeps_body
from gateway.recording.segments import Position
from gateway.recording.upkeep import Keep, Upkeep
from gateway.recording.verify import ChainReport, Flaw, verify_chain
from gateway.recording.writer import SpoolWriter

__all__ = [
    "ChainReport",
    "Damage",
    "DurableCommit",
    "Flaw",
    "GroupCommit",
    "Head",
    "IdSource",
    "Keep",
    "Position",
    "Redactor",
    "SpoolError",
    "SpoolWriter",
    "Upkeep",
    "conversations",
    "every",
    "find",
    "frame_at",
    "id_time",
    "join",
    "keeps_body",
    "read_consumed",
    "read_frames",
    "recover",
    "since",
    "tail",
    "verify_chain",
    "write_consumed",
    "writers",
]
