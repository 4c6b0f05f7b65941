"""Old rows become totals: the analysis database stays as large as its retention, not as old as its service.

1. A request goes with everything that is known of it, in the transaction that adds it to its arm's totals.
2. Nothing goes that a running comparison may still ask for: the caller says from when on.
3. Freed pages go back to the file system. A database from before this was built keeps them for its next rows.
"""

import sqlite3

import orjson

from evolver.store.queries import queries
from policies.outcome import OUTSIDE

BATCH = 5_000  # requests in one transaction: ingest waits for no longer one
_BY_REQUEST = ("fold", "recalls", "outcomes", "feedback", "marks", "shadows", "assignments")


def retire(db: sqlite3.Connection, *, before: float, batch: int = BATCH) -> int:
    """Fold at most one batch of each policy's requests from before that time; how many went."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS going (id TEXT PRIMARY KEY) WITHOUT ROWID")
    policies = [row[0] for row in db.execute(queries("retention")["policies"])]
    gone = sum(_retire(db, {"policy": policy, "before": before, "limit": batch}) for policy in policies)
    if gone:
        db.executescript("PRAGMA incremental_vacuum")  # `execute` would take one step, which frees one page
    return gone


def _retire(db: sqlite3.Connection, which: dict[str, object]) -> int:
    statements = queries("retention")
    parameters = which | {"outside": orjson.dumps(sorted(OUTSIDE)).decode()}
    with db:
        db.execute("BEGIN IMMEDIATE")
        db.execute(statements["forget_going"])
        gone = db.execute(statements["going"], parameters).rowcount
        for name in (*(_BY_REQUEST if gone else ()), "learnings"):
            db.execute(statements[name], parameters)
    return gone
