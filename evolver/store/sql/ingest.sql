-- name: offset
SELECT segment, offset FROM offsets WHERE writer = ?;

-- name: move_offset
INSERT INTO offsets (writer, segment, offset, records, unknown) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (writer) DO UPDATE SET segment = excluded.segment, offset = excluded.offset,
    records = records + excluded.records, unknown = unknown + excluded.unknown;

-- name: assignment
INSERT OR IGNORE INTO assignments (
    id, at, writer, segment, offset, policy, unit, turn, arm, arms, role, version, candidate, experiment, first,
    intent, model, stream, has_body, why, routing
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: recall
INSERT OR IGNORE INTO recalls (policy, entry, id, score) VALUES (?, ?, ?, ?);

-- name: outcome
INSERT OR IGNORE INTO outcomes (
    id, at, writer, segment, offset, status, model, first_byte_ms, last_byte_ms, input_tokens, cached_tokens,
    output_tokens, cost_usd, failure, detail, validators, repairs, reward
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: feedback
INSERT OR IGNORE INTO feedback (id, key, at, score, correction) VALUES (?, ?, ?, ?, ?);

-- name: mark
INSERT OR IGNORE INTO marks (id, kind, at) VALUES (?, ?, ?);

-- name: shadow
INSERT OR IGNORE INTO shadows (candidate, id, at, writer, segment, offset, failure, reward, last_byte_ms, cost_usd, model)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: learning_of_signal
INSERT INTO learnings (policy, unit, at) VALUES (?, ?, ?)
ON CONFLICT (policy, unit) DO UPDATE SET at = max(at, excluded.at);

-- name: learning_of_failure
INSERT INTO learnings (policy, unit, at) SELECT policy, unit, ?2 FROM assignments WHERE id = ?1
ON CONFLICT (policy, unit) DO UPDATE SET at = max(at, excluded.at);
