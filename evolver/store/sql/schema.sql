-- The analysis database: what the spool says, as rows. Bodies stay in the spool; rows hold where they are.
-- Times are Unix seconds, durations milliseconds, costs US dollars.

CREATE TABLE IF NOT EXISTS offsets (
    writer TEXT PRIMARY KEY,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    records INTEGER NOT NULL,
    unknown INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS assignments (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    writer TEXT NOT NULL,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    policy TEXT NOT NULL,
    unit TEXT NOT NULL,
    turn INTEGER NOT NULL,
    arm TEXT NOT NULL,
    arms TEXT,              -- JSON pairs (arm, propensity), kept where the arm was drawn
    role TEXT NOT NULL,
    version TEXT NOT NULL,
    candidate TEXT,
    experiment TEXT,
    first INTEGER NOT NULL,
    intent TEXT NOT NULL,
    model TEXT NOT NULL,
    stream INTEGER NOT NULL,
    has_body INTEGER NOT NULL,
    why TEXT NOT NULL DEFAULT '', -- draw, only or frozen where a unit is new; pin, middle or fell_open where not
    routing TEXT            -- JSON model -> terms, where the router weighed them for a unit that was drawn
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS assignments_recent ON assignments (policy, at);
CREATE INDEX IF NOT EXISTS assignments_evidence ON assignments (policy, at, id) WHERE first;
CREATE INDEX IF NOT EXISTS assignments_turns ON assignments (policy, unit, at, why, turn);
DROP INDEX IF EXISTS assignments_new; -- the same for new units only; next turns are looked up as well

CREATE TABLE IF NOT EXISTS outcomes (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    writer TEXT NOT NULL,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    status INTEGER NOT NULL,
    model TEXT NOT NULL,
    first_byte_ms REAL NOT NULL,
    last_byte_ms REAL NOT NULL,
    input_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_usd REAL NOT NULL,
    failure TEXT,
    detail TEXT NOT NULL,
    validators TEXT NOT NULL, -- JSON name -> score
    repairs INTEGER NOT NULL,
    reward REAL
) WITHOUT ROWID;

-- Memory entries that were retrieved for a request; a score below zero: it was held out at random.
CREATE TABLE IF NOT EXISTS recalls (
    policy TEXT NOT NULL,
    entry TEXT NOT NULL,
    id TEXT NOT NULL,
    score REAL NOT NULL,
    PRIMARY KEY (policy, entry, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS recalls_of_request ON recalls (id);

-- A signal is identified by what it says, so that the same feedback sent twice counts once.
CREATE TABLE IF NOT EXISTS feedback (
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    at REAL NOT NULL,
    score REAL,
    correction TEXT,
    PRIMARY KEY (id, key)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS marks (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,     -- retry, correction, tool_ok or tool_error
    at REAL NOT NULL,
    PRIMARY KEY (id, kind)
) WITHOUT ROWID;

-- Keeps its row numbers: they are the order in which pairs are read.
CREATE TABLE IF NOT EXISTS shadows (
    number INTEGER PRIMARY KEY,
    candidate TEXT NOT NULL,
    id TEXT NOT NULL,
    at REAL NOT NULL,
    writer TEXT NOT NULL,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    failure TEXT,
    reward REAL,
    last_byte_ms REAL NOT NULL,
    cost_usd REAL NOT NULL,
    model TEXT NOT NULL DEFAULT '', -- as the provider named it
    UNIQUE (candidate, id)
);

-- A learning is a distinct unit with a correction, feedback or a classified failure; the newest time counts.
CREATE TABLE IF NOT EXISTS learnings (
    policy TEXT NOT NULL,
    unit TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (policy, unit)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS learnings_recent ON learnings (policy, at);

-- What an arm's requests came to that are no longer here one by one; a conversation that was cut counts on both sides.
CREATE TABLE IF NOT EXISTS retired (
    policy TEXT NOT NULL,
    arm TEXT NOT NULL,
    requests INTEGER NOT NULL,
    units INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    usd REAL NOT NULL,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL,
    PRIMARY KEY (policy, arm)
) WITHOUT ROWID;

-- What a sequential test has come to, and the place up to which it has read: a restart goes on from there.
CREATE TABLE IF NOT EXISTS kept (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL     -- JSON
) WITHOUT ROWID;
