-- name: take
INSERT INTO leases (name, holder, fence, until) VALUES (:name, :holder, 1, :until)
ON CONFLICT (name) DO UPDATE
SET fence = leases.fence + CASE leases.holder WHEN excluded.holder THEN 0 ELSE 1 END, holder = excluded.holder,
    until = excluded.until
WHERE leases.holder = excluded.holder OR leases.until <= :now
RETURNING name, holder, fence, until;

-- name: holds
SELECT 1 FROM leases WHERE name = :name AND holder = :holder AND fence = :fence;

-- name: release
UPDATE leases SET until = 0 WHERE name = :name AND holder = :holder AND fence = :fence;
