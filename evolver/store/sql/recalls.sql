-- name: counters
-- Turns of one conversation are not independent: its first request with an entry stands for it. What its user said of
-- the answer counts before what was measured.
WITH firsts AS (
    SELECT r.entry AS entry, a.id AS id, r.score AS score, min(a.at) AS at
    FROM recalls r JOIN assignments a ON a.id = r.id
    WHERE r.policy = :policy AND a.at >= :since
    GROUP BY r.entry, a.unit
)
SELECT f.entry, CAST(f.at / 86400 AS INTEGER) AS day, f.score < 0 AS withheld, count(*) AS requests,
    sum(coalesce(
        (SELECT score FROM feedback b WHERE b.id = f.id AND score IS NOT NULL ORDER BY b.at DESC LIMIT 1), o.reward
    )) AS rewarded
FROM firsts f JOIN outcomes o ON o.id = f.id
WHERE o.reward IS NOT NULL
GROUP BY f.entry, day, withheld;
