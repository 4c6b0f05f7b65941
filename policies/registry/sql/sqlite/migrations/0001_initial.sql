-- Times are Unix seconds. JSON columns hold objects; a genome is its canonical form (defaults left out).

CREATE TABLE counter (changes INTEGER NOT NULL);
INSERT INTO counter VALUES (0);

CREATE TABLE versions (
    policy     TEXT NOT NULL,
    major      INTEGER NOT NULL,
    minor      INTEGER NOT NULL,
    genome     TEXT NOT NULL,
    lineage    TEXT NOT NULL,
    created_at REAL NOT NULL,
    who        TEXT NOT NULL,
    why        TEXT NOT NULL,
    evidence   TEXT NOT NULL,
    PRIMARY KEY (policy, major, minor)
);

CREATE TRIGGER versions_are_immutable BEFORE UPDATE ON versions
BEGIN
    SELECT raise(ABORT, 'versions are immutable');
END;

-- Every move of production; the one with the highest revision is in force.
CREATE TABLE pointers (
    policy   TEXT NOT NULL,
    revision INTEGER NOT NULL,
    version  TEXT NOT NULL,
    moved_at REAL NOT NULL,
    who      TEXT NOT NULL,
    why      TEXT NOT NULL,
    PRIMARY KEY (policy, revision)
);

CREATE TABLE candidates (
    id           TEXT NOT NULL PRIMARY KEY,
    policy       TEXT NOT NULL,
    layer        TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    genome       TEXT NOT NULL,
    base         TEXT NOT NULL,
    lineage      TEXT NOT NULL,
    state        TEXT NOT NULL,
    live         INTEGER NOT NULL,
    state_since  REAL NOT NULL,
    created_at   REAL NOT NULL,
    revision     INTEGER NOT NULL,
    stations     TEXT NOT NULL,
    reason       TEXT NOT NULL
);
CREATE UNIQUE INDEX one_candidate_on_its_way ON candidates (policy, content_hash) WHERE live;

CREATE TABLE tombstones (
    policy       TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    at           REAL NOT NULL,
    reason       TEXT NOT NULL,
    PRIMARY KEY (policy, content_hash)
);

CREATE TABLE experiments (
    id         TEXT NOT NULL PRIMARY KEY,
    policy     TEXT NOT NULL,
    candidate  TEXT NOT NULL,
    control    TEXT NOT NULL,
    salt       TEXT NOT NULL,
    ordinal    INTEGER NOT NULL,
    started_at REAL NOT NULL,
    ended_at   REAL,
    verdict    TEXT NOT NULL,
    evidence   TEXT NOT NULL
);
CREATE UNIQUE INDEX one_experiment_an_ordinal ON experiments (policy, ordinal) WHERE ordinal > 0;

CREATE TABLE holdbacks (
    policy     TEXT NOT NULL PRIMARY KEY,
    version    TEXT NOT NULL,
    share      REAL NOT NULL,
    experiment TEXT NOT NULL,
    salt       TEXT NOT NULL,
    since      REAL NOT NULL
);

CREATE TABLE totals (
    kind       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    writer     TEXT NOT NULL,
    bucket     INTEGER NOT NULL,
    data       TEXT NOT NULL,
    watermark  REAL NOT NULL,
    updated_at REAL NOT NULL,
    PRIMARY KEY (kind, subject, writer, bucket)
) WITHOUT ROWID;

CREATE TABLE incidents (
    id          TEXT NOT NULL PRIMARY KEY,
    policy      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    at          REAL NOT NULL,
    subject     TEXT NOT NULL,
    summary     TEXT NOT NULL,
    evidence    TEXT NOT NULL,
    resolved_at REAL
);

CREATE TABLE findings (
    id             TEXT NOT NULL PRIMARY KEY,
    policy         TEXT NOT NULL,
    kind           TEXT NOT NULL,
    at             REAL NOT NULL,
    severity       REAL NOT NULL,
    summary        TEXT NOT NULL,
    recommendation TEXT NOT NULL,
    evidence       TEXT NOT NULL
);

CREATE TABLE notes (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      REAL NOT NULL,
    policy  TEXT NOT NULL,
    who     TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL
);
CREATE INDEX notes_by_policy ON notes (policy, id);

CREATE TABLE states (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
