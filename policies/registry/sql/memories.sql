-- name: add
INSERT INTO memories (policy, hash, parent, at, who, why, entries, detail, content)
VALUES (:policy, :hash, :parent, :at, :who, :why, :entries, :detail, :content)
ON CONFLICT (policy, hash) DO NOTHING;

-- name: content
SELECT content FROM memories WHERE policy = :policy AND hash = :hash;

-- name: all
SELECT policy, hash, parent, at, who, why, entries, detail FROM memories WHERE policy = :policy ORDER BY at, rowid;

-- name: older
SELECT hash FROM memories WHERE policy = :policy AND at < :before;

-- name: drop
DELETE FROM memories WHERE policy = :policy AND hash = :hash;
