-- name: next_ordinal
SELECT 1 + coalesce(max(ordinal), 0) AS ordinal FROM experiments WHERE policy = :policy;

-- name: open
INSERT INTO experiments (id, policy, candidate, control, salt, ordinal, started_at, ended_at, verdict, evidence)
VALUES (:id, :policy, :candidate, :control, :salt, :ordinal, :started_at, NULL, '', '{}');

-- name: by_id
SELECT * FROM experiments WHERE id = :id;

-- name: close
UPDATE experiments SET ended_at = :ended_at, verdict = :verdict, evidence = :evidence
WHERE id = :id AND ended_at IS NULL;

-- name: all
SELECT * FROM experiments
WHERE (CAST(:policy AS TEXT) IS NULL OR policy = :policy) AND (ended_at IS NULL OR NOT :running)
ORDER BY started_at, rowid;

-- name: set_holdback
INSERT INTO holdbacks (policy, version, share, experiment, salt, since)
VALUES (:policy, :version, :share, :experiment, :salt, :since)
ON CONFLICT (policy) DO UPDATE
SET version = excluded.version, share = excluded.share, experiment = excluded.experiment, salt = excluded.salt,
    since = excluded.since;

-- name: clear_holdback
DELETE FROM holdbacks WHERE policy = :policy;

-- name: holdbacks
SELECT * FROM holdbacks ORDER BY policy;
