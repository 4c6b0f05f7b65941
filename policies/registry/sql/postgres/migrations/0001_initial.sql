-- As the SQLite schema of version 4. Times are Unix seconds. JSON columns hold objects as text, to the byte: notes seal
-- them. `rowid` is what SQLite gives every table: the order of insertion. Texts that rows are sorted by compare by their
-- bytes, whatever the database's collation.

CREATE TABLE evogate_registry (schema_version INTEGER NOT NULL);
INSERT INTO evogate_registry VALUES (0);

CREATE TABLE counter (changes BIGINT NOT NULL);
INSERT INTO counter VALUES (0);

CREATE TABLE versions (
    policy     TEXT COLLATE "C" NOT NULL,
    major      INTEGER NOT NULL,
    minor      INTEGER NOT NULL,
    genome     TEXT NOT NULL,
    lineage    TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    who        TEXT NOT NULL,
    why        TEXT NOT NULL,
    evidence   TEXT NOT NULL,
    PRIMARY KEY (policy, major, minor)
);

CREATE FUNCTION refuse_to_change_a_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'versions are immutable';
END $$;
CREATE TRIGGER versions_are_immutable BEFORE UPDATE ON versions
FOR EACH ROW EXECUTE FUNCTION refuse_to_change_a_version();

-- Every move of production; the one with the highest revision is in force.
CREATE TABLE pointers (
    policy   TEXT COLLATE "C" NOT NULL,
    revision INTEGER NOT NULL,
    version  TEXT NOT NULL,
    moved_at DOUBLE PRECISION NOT NULL,
    who      TEXT NOT NULL,
    why      TEXT NOT NULL,
    PRIMARY KEY (policy, revision)
);

CREATE TABLE candidates (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    policy       TEXT COLLATE "C" NOT NULL,
    layer        TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    genome       TEXT NOT NULL,
    base         TEXT NOT NULL,
    lineage      TEXT NOT NULL,
    state        TEXT NOT NULL,
    live         BOOLEAN NOT NULL,
    state_since  DOUBLE PRECISION NOT NULL,
    created_at   DOUBLE PRECISION NOT NULL,
    revision     INTEGER NOT NULL,
    stations     TEXT NOT NULL,
    reason       TEXT NOT NULL,
    rowid BIGINT GENERATED ALWAYS AS IDENTITY
);
CREATE UNIQUE INDEX one_candidate_on_its_way ON candidates (policy, content_hash) WHERE live;

CREATE TABLE tombstones (
    policy       TEXT COLLATE "C" NOT NULL,
    content_hash TEXT NOT NULL,
    at           DOUBLE PRECISION NOT NULL,
    reason       TEXT NOT NULL,
    rowid BIGINT GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (policy, content_hash)
);

CREATE TABLE experiments (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    policy     TEXT COLLATE "C" NOT NULL,
    candidate  TEXT NOT NULL,
    control    TEXT NOT NULL,
    salt       TEXT NOT NULL,
    ordinal    INTEGER NOT NULL,
    started_at DOUBLE PRECISION NOT NULL,
    ended_at   DOUBLE PRECISION,
    verdict    TEXT NOT NULL,
    evidence   TEXT NOT NULL,
    rowid BIGINT GENERATED ALWAYS AS IDENTITY
);
CREATE UNIQUE INDEX one_experiment_an_ordinal ON experiments (policy, ordinal) WHERE ordinal > 0;

CREATE TABLE holdbacks (
    policy     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version    TEXT NOT NULL,
    share      DOUBLE PRECISION NOT NULL,
    experiment TEXT NOT NULL,
    salt       TEXT NOT NULL,
    since      DOUBLE PRECISION NOT NULL
);

CREATE TABLE totals (
    kind       TEXT COLLATE "C" NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,
    writer     TEXT COLLATE "C" NOT NULL,
    bucket     BIGINT NOT NULL,
    data       TEXT NOT NULL,
    watermark  DOUBLE PRECISION NOT NULL,
    updated_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (kind, subject, writer, bucket)
);

CREATE TABLE incidents (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    policy      TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    at          DOUBLE PRECISION NOT NULL,
    subject     TEXT COLLATE "C" NOT NULL,
    summary     TEXT NOT NULL,
    evidence    TEXT NOT NULL,
    resolved_at DOUBLE PRECISION,
    rowid BIGINT GENERATED ALWAYS AS IDENTITY
);

CREATE TABLE findings (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    policy         TEXT COLLATE "C" NOT NULL,
    kind           TEXT COLLATE "C" NOT NULL,
    at             DOUBLE PRECISION NOT NULL,
    severity       DOUBLE PRECISION NOT NULL,
    summary        TEXT NOT NULL,
    recommendation TEXT NOT NULL,
    evidence       TEXT NOT NULL
);

CREATE TABLE notes (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      DOUBLE PRECISION NOT NULL,
    policy  TEXT COLLATE "C" NOT NULL,
    who     TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    detail  TEXT NOT NULL,
    link    TEXT NOT NULL
);
CREATE INDEX notes_by_policy ON notes (policy, id);

CREATE TABLE states (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Who may do what only one may do at a time, until when; `fence` grows with each holder.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    fence INTEGER NOT NULL,
    until DOUBLE PRECISION NOT NULL
);

-- Memory snapshots, named by their content: what a genome's memory layer refers to. `content` is packed JSON lines.
CREATE TABLE memories (
    policy TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    parent TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    entries INTEGER NOT NULL,
    detail TEXT NOT NULL,
    content BYTEA NOT NULL,
    rowid BIGINT GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (policy, hash)
);
