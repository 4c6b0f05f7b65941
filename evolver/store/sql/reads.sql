-- name: examples
SELECT a.id, a.at, a.policy, a.unit, a.turn, a.arm, a.version, a.intent, a.stream,
    a.writer, a.segment, a.offset, o.writer AS o_writer, o.segment AS o_segment, o.offset AS o_offset,
    o.model, o.failure, o.detail, o.reward, o.last_byte_ms, o.first_byte_ms, o.cost_usd, o.input_tokens,
    o.output_tokens, o.repairs,
    (SELECT score FROM feedback f WHERE f.id = a.id AND score IS NOT NULL ORDER BY f.at DESC LIMIT 1) AS score,
    (SELECT correction FROM feedback f WHERE f.id = a.id AND correction IS NOT NULL ORDER BY f.at DESC LIMIT 1)
        AS correction,
    EXISTS (SELECT 1 FROM marks m WHERE m.id = a.id AND m.kind = 'correction') AS corrected,
    EXISTS (SELECT 1 FROM marks m WHERE m.id = a.id AND m.kind = 'retry') AS retried,
    EXISTS (SELECT 1 FROM marks m WHERE m.id = a.id AND m.kind = 'tool_error') AS tool_failed,
    EXISTS (SELECT 1 FROM assignments n WHERE n.policy = a.policy AND n.unit = a.unit
        AND n.at > a.at AND n.at <= a.at + :idle AND n.turn > a.turn) AS continued
FROM assignments a JOIN outcomes o ON o.id = a.id
WHERE a.policy = :policy AND a.at >= :since AND a.has_body AND (:arm IS NULL OR a.arm = :arm)
ORDER BY a.at DESC LIMIT :limit;

-- name: units
SELECT a.id, a.at, a.arm, a.intent, a.arms, a.routing, o.id IS NULL AS missing, o.failure, o.validators, o.last_byte_ms, o.cost_usd,
    o.input_tokens, o.cached_tokens, o.output_tokens, o.repairs, o.reward,
    (SELECT score FROM feedback f WHERE f.id = a.id AND score IS NOT NULL AND f.at <= a.at + :deadline
        ORDER BY f.at DESC LIMIT 1) AS score
FROM assignments a LEFT JOIN outcomes o ON o.id = a.id AND o.at <= a.at + :deadline
WHERE a.policy = :policy AND a.first AND a.at <= :until AND (a.at, a.id) > (:after_at, :after_id)
ORDER BY a.at, a.id LIMIT :limit;

-- name: pairs
SELECT s.number, s.id, s.at, s.writer, s.failure AS s_failure, s.reward AS s_reward, s.last_byte_ms AS s_ms,
    s.cost_usd AS s_usd, o.id IS NULL AS missing, o.failure, o.reward, o.last_byte_ms, o.cost_usd
FROM shadows s LEFT JOIN outcomes o ON o.id = s.id
WHERE s.candidate = :candidate AND s.number > :after ORDER BY s.number LIMIT :limit;

-- name: shadowed
SELECT s.id, a.unit, a.intent, s.candidate, o.model, s.model AS s_model, o.failure, s.failure AS s_failure, o.cost_usd,
    s.cost_usd AS s_usd
FROM shadows s JOIN assignments a ON a.id = s.id JOIN outcomes o ON o.id = s.id
WHERE s.candidate IN (SELECT value FROM json_each(:candidates)) AND a.policy = :policy AND a.arm = :arm
ORDER BY s.number DESC LIMIT :limit;

-- name: texts
SELECT s.number, s.id, s.writer AS s_writer, s.segment AS s_segment, s.offset AS s_offset,
    a.writer, a.segment, a.offset, o.writer AS o_writer, o.segment AS o_segment, o.offset AS o_offset
FROM shadows s JOIN assignments a ON a.id = s.id JOIN outcomes o ON o.id = s.id
WHERE s.candidate = :candidate AND s.number > :after AND a.has_body AND s.failure IS NULL AND o.failure IS NULL
ORDER BY s.number LIMIT :limit;

-- name: learnings
SELECT count(*) FROM learnings WHERE policy = ? AND at > ?;

-- name: performance
SELECT avg(reward), count(*) FROM (
    SELECT o.reward AS reward FROM assignments a JOIN outcomes o ON o.id = a.id
    WHERE a.policy = :policy AND a.role = 'production' AND a.at >= :since AND o.reward IS NOT NULL
    ORDER BY a.at DESC LIMIT :limit
);

-- name: progress
SELECT writer, segment, offset, records, unknown FROM offsets ORDER BY writer;
