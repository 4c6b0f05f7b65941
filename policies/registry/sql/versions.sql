-- name: latest
SELECT major, minor FROM versions WHERE policy = :policy ORDER BY major DESC, minor DESC LIMIT 1;

-- name: add
INSERT INTO versions (policy, major, minor, genome, lineage, created_at, who, why, evidence)
VALUES (:policy, :major, :minor, :genome, :lineage, :created_at, :who, :why, :evidence);

-- name: all
SELECT * FROM versions WHERE policy = :policy ORDER BY major, minor;

-- name: exists
SELECT 1 FROM versions WHERE policy = :policy AND 'v' || major || '.' || minor = :version;

-- name: production
SELECT * FROM pointers WHERE policy = :policy ORDER BY revision DESC LIMIT 1;

-- name: pointers
SELECT * FROM pointers WHERE policy = :policy ORDER BY revision;

-- name: move
INSERT INTO pointers (policy, revision, version, moved_at, who, why)
VALUES (:policy, :revision, :version, :moved_at, :who, :why);
