-- name: put
INSERT INTO totals (kind, subject, writer, bucket, data, watermark, updated_at)
VALUES (:kind, :subject, :writer, :bucket, :data, :watermark, :updated_at)
ON CONFLICT (kind, subject, writer, bucket) DO UPDATE
SET data = excluded.data, watermark = excluded.watermark, updated_at = excluded.updated_at;

-- name: of_kind
SELECT * FROM totals WHERE kind = :kind ORDER BY subject, bucket, writer;

-- name: of_subject
SELECT * FROM totals WHERE kind = :kind AND subject = :subject ORDER BY bucket, writer;
