-- name: draws
SELECT a.id, a.at, a.arm, a.arms FROM assignments a
WHERE a.policy = :policy AND a.at >= :after_at AND (a.at, a.id) > (:after_at, :after_id) AND a.at <= :until
    AND a.why = 'draw' AND a.arms IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM assignments b WHERE b.policy = a.policy AND b.unit = a.unit AND b.at <= a.at
            AND b.why IN ('draw', 'only', 'frozen') AND b.why = 'draw' AND (b.at, b.id) < (a.at, a.id)
    )
ORDER BY a.at, a.id LIMIT :limit;

-- name: answers
SELECT a.id, a.at, o.id IS NULL AS missing, o.failure
FROM assignments a LEFT JOIN outcomes o ON o.id = a.id AND o.at <= a.at + :deadline
WHERE a.policy = :policy AND a.at >= :after_at AND (a.at, a.id) > (:after_at, :after_id) AND a.at <= :until
    AND a.why IN ('draw', 'only', 'frozen') AND a.arm = :arm
    AND NOT EXISTS (
        SELECT 1 FROM assignments b WHERE b.policy = a.policy AND b.unit = a.unit AND b.at BETWEEN :since AND a.at
            AND b.why IN ('draw', 'only', 'frozen') AND (b.at, b.id) < (a.at, a.id)
    )
ORDER BY a.at, a.id LIMIT :limit;

-- name: tally
SELECT count(*) AS all_units, coalesce(sum(a.arm = :arm), 0) AS units,
    coalesce(sum(a.arm = :arm AND (o.id IS NULL OR (
        o.failure IS NOT NULL AND o.failure NOT IN (SELECT value FROM json_each(:outside))))), 0) AS failures
FROM assignments a LEFT JOIN outcomes o ON o.id = a.id AND o.at <= a.at + :deadline
WHERE a.policy = :policy AND a.first AND a.at >= :since AND a.at <= :until;

-- name: exposure
SELECT coalesce(sum(requests), 0) AS requests, coalesce(sum(units), 0) AS units, coalesce(sum(failures), 0) AS failures,
    coalesce(sum(usd), 0.0) AS usd, min(first_at) AS first_at, max(last_at) AS last_at
FROM (
    SELECT count(*) AS requests, count(DISTINCT a.unit) AS units,
        sum(o.failure IS NOT NULL AND o.failure NOT IN (SELECT value FROM json_each(:outside))) AS failures,
        sum(o.cost_usd) AS usd, min(a.at) AS first_at, max(a.at) AS last_at
    FROM assignments a LEFT JOIN outcomes o ON o.id = a.id
    WHERE a.policy = :policy AND a.arm = :arm
    UNION ALL
    SELECT requests, units, failures, usd, first_at, last_at FROM retired WHERE policy = :policy AND arm = :arm
);

-- name: kept
SELECT value FROM kept WHERE name = ?;

-- name: keep
INSERT INTO kept (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;
