-- name: add
INSERT INTO candidates (id, policy, layer, content_hash, genome, base, lineage, state, live, state_since, created_at,
                        revision, stations, reason)
SELECT :id, :policy, :layer, :content_hash, :genome, :base, :lineage, :state, :live, :state_since, :created_at,
       :revision, :stations, :reason
WHERE NOT EXISTS (SELECT 1 FROM tombstones WHERE policy = :policy AND content_hash = :content_hash)
  AND NOT EXISTS (SELECT 1 FROM candidates WHERE policy = :policy AND content_hash = :content_hash AND live);

-- name: by_prefix
SELECT * FROM candidates
WHERE substr(id, 1, length(CAST(:prefix AS TEXT))) = :prefix
ORDER BY id <> :prefix, created_at, rowid LIMIT 6;

-- name: all
SELECT * FROM candidates
WHERE (CAST(:policy AS TEXT) IS NULL OR policy = :policy) AND (live OR NOT :live)
ORDER BY created_at, rowid;

-- name: change
UPDATE candidates
SET state = :state, live = :live, state_since = :state_since, revision = revision + 1, stations = :stations,
    reason = :reason
WHERE id = :id AND revision = :revision;

-- name: bury
INSERT INTO tombstones (policy, content_hash, at, reason) VALUES (:policy, :content_hash, :at, :reason)
ON CONFLICT (policy, content_hash) DO NOTHING;

-- name: tombstones
SELECT * FROM tombstones WHERE policy = :policy ORDER BY at, rowid;
