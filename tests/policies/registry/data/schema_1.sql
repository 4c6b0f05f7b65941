-- A registry as EvoGate 0.1.0 wrote it (schema 1). Never edit it: files like it are out there and must still load.
PRAGMA application_id = 1165389639;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
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
INSERT INTO "candidates" VALUES('c-1','support','strategy','ccf0ad8dade3319e01bdd25b028d5f7c','{"prompt":{"rubric":[{"id":"r5bc59a66","text":"Say dates as 2025-01-31."}]},"strategy":{"temperature":0.2}}','v1.1','{"explanation":"dates go wrong","finding":"f-1","generation":1,"operator":"add_rule","parents":["2afb9b83f9314e5d029766197f539792"],"source":"patch"}','canary',1,1760000300.0,1760000150.0,3,'{"shadow":{"pairs":50}}','share of 2 %');
CREATE TABLE counter (changes INTEGER NOT NULL);
INSERT INTO "counter" VALUES(12);
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
INSERT INTO "experiments" VALUES('827d53e3aa4802ac','support','c-1','v1.1','00ff',1,1760000300.0,NULL,'','{}');
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
INSERT INTO "findings" VALUES('f-1','support','cluster',1760000050.0,0.5,'dates go wrong','say the format','{"n":12}');
CREATE TABLE holdbacks (
    policy     TEXT NOT NULL PRIMARY KEY,
    version    TEXT NOT NULL,
    share      REAL NOT NULL,
    experiment TEXT NOT NULL,
    salt       TEXT NOT NULL,
    since      REAL NOT NULL
);
INSERT INTO "holdbacks" VALUES('support','v1.0',0.02,'x-0','abcd',1760000100.0);
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
INSERT INTO "incidents" VALUES('i-1','support','TRIP',1760000250.0,'c-2','harm','{"e":130.5}',NULL);
CREATE TABLE notes (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      REAL NOT NULL,
    policy  TEXT NOT NULL,
    who     TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL
);
INSERT INTO "notes" VALUES(1,1760000300.0,'support','evolver','pass','c-1','{"from":"judged","reason":"share of 2 %","to":"canary"}');
CREATE TABLE pointers (
    policy   TEXT NOT NULL,
    revision INTEGER NOT NULL,
    version  TEXT NOT NULL,
    moved_at REAL NOT NULL,
    who      TEXT NOT NULL,
    why      TEXT NOT NULL,
    PRIMARY KEY (policy, revision)
);
INSERT INTO "pointers" VALUES('support',1,'v1.0',1760000000.0,'config','the file');
INSERT INTO "pointers" VALUES('support',2,'v1.1',1760000100.0,'evolver','better');
CREATE TABLE states (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO "states" VALUES('freeze','{"at":1760000001.0,"frozen":false,"who":"operator","why":""}');
CREATE TABLE tombstones (
    policy       TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    at           REAL NOT NULL,
    reason       TEXT NOT NULL,
    PRIMARY KEY (policy, content_hash)
);
INSERT INTO "tombstones" VALUES('support','abababababababababababababababab',1760000250.0,'twice as many failures');
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
INSERT INTO "totals" VALUES('evidence','827d53e3aa4802ac','w0',1760000305,'{"n":12}',1760000304.5,1760000306.0);
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
INSERT INTO "versions" VALUES('support',1,0,'{}','{"source":"seed"}',1760000000.0,'config','the file','{}');
INSERT INTO "versions" VALUES('support',1,1,'{"prompt":{"rubric":[{"id":"r5bc59a66","text":"Say dates as 2025-01-31."}]}}','{"explanation":"dates go wrong","finding":"f-1","generation":1,"operator":"add_rule","parents":["2afb9b83f9314e5d029766197f539792"],"source":"patch"}',1760000100.0,'evolver','better','{"candidate":"c-0"}');
CREATE TRIGGER versions_are_immutable BEFORE UPDATE ON versions
BEGIN
    SELECT raise(ABORT, 'versions are immutable');
END;
CREATE UNIQUE INDEX one_candidate_on_its_way ON candidates (policy, content_hash) WHERE live;
CREATE UNIQUE INDEX one_experiment_an_ordinal ON experiments (policy, ordinal) WHERE ordinal > 0;
CREATE INDEX notes_by_policy ON notes (policy, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('notes',1);
COMMIT;
