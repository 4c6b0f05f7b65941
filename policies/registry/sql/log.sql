-- name: add_incident
INSERT INTO incidents (id, policy, kind, at, subject, summary, evidence, resolved_at)
VALUES (:id, :policy, :kind, :at, :subject, :summary, :evidence, :resolved_at)
ON CONFLICT (id) DO NOTHING;

-- name: incident
SELECT policy FROM incidents WHERE id = :id;

-- name: resolve
UPDATE incidents SET resolved_at = :now WHERE id = :id AND resolved_at IS NULL;

-- name: incidents
SELECT * FROM incidents WHERE CAST(:policy AS TEXT) IS NULL OR policy = :policy ORDER BY at, rowid;

-- name: add_finding
INSERT INTO findings (id, policy, kind, at, severity, summary, recommendation, evidence)
VALUES (:id, :policy, :kind, :at, :severity, :summary, :recommendation, :evidence)
ON CONFLICT (id) DO UPDATE
SET policy = excluded.policy, kind = excluded.kind, at = excluded.at, severity = excluded.severity,
    summary = excluded.summary, recommendation = excluded.recommendation, evidence = excluded.evidence;

-- name: findings
SELECT * FROM findings WHERE CAST(:policy AS TEXT) IS NULL OR policy = :policy ORDER BY at DESC, severity DESC, id;
