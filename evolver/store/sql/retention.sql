-- name: policies
SELECT DISTINCT policy FROM assignments;

-- name: forget_going
DELETE FROM temp.going;

-- name: going
INSERT INTO temp.going SELECT id FROM assignments WHERE policy = :policy AND at < :before ORDER BY at LIMIT :limit;

-- name: fold
INSERT INTO retired (policy, arm, requests, units, failures, usd, first_at, last_at)
SELECT a.policy, a.arm, count(*), count(DISTINCT a.unit),
    coalesce(sum(o.failure IS NOT NULL AND o.failure NOT IN (SELECT value FROM json_each(:outside))), 0),
    coalesce(sum(o.cost_usd), 0.0), min(a.at), max(a.at)
FROM temp.going g JOIN assignments a ON a.id = g.id LEFT JOIN outcomes o ON o.id = g.id
WHERE true GROUP BY a.policy, a.arm
ON CONFLICT (policy, arm) DO UPDATE SET requests = requests + excluded.requests, units = units + excluded.units,
    failures = failures + excluded.failures, usd = usd + excluded.usd,
    first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at);

-- name: recalls
DELETE FROM recalls WHERE id IN (SELECT id FROM temp.going);

-- name: outcomes
DELETE FROM outcomes WHERE id IN (SELECT id FROM temp.going);

-- name: feedback
DELETE FROM feedback WHERE id IN (SELECT id FROM temp.going);

-- name: marks
DELETE FROM marks WHERE id IN (SELECT id FROM temp.going);

-- name: shadows
DELETE FROM shadows WHERE at < :before AND id IN (SELECT id FROM temp.going);

-- name: assignments
DELETE FROM assignments WHERE id IN (SELECT id FROM temp.going);

-- name: learnings
DELETE FROM learnings WHERE policy = :policy AND at < :before;
