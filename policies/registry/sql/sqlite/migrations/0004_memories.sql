-- Memory snapshots, named by their content: what a genome's memory layer refers to. `content` is packed JSON lines.
CREATE TABLE memories (
    policy TEXT NOT NULL,
    hash TEXT NOT NULL,
    parent TEXT NOT NULL,
    at REAL NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    entries INTEGER NOT NULL,
    detail TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (policy, hash)
);
