-- name: take
INSERT INTO leases (name, holder, fence, until) VALUES (:name, :holder, 1, :until)
ON CONFLICT (name) DO UPDATE
SET fence = fence + (holder <> excluded.holder), holder = excluded.holder, until = excluded.until
WHERE holder = excluded.holder OR until <= :now
RETURNING name, holder, fence, until;

-- name: holds
SELECT 1 FROM leases WHERE name = :name AND holder = :holder AND fence = :fence;

-- name: release
UPDATE leases SET until = 0 WHERE name = :name AND holder = :holder AND fence = :fence;
