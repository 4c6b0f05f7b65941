-- name: take
INSERT INTO leases (name, holder, fence, until) VALUES (:name, :holder, 1, :until)
ON CONFLICT (name) DO UPDATE
SET fence = leases.fence + CASE leases.holder WHEN excluded.holder THEN 0 ELSE 1 END, holder = excluded.holder,
    until = excluded.until
WHERE leases.holder = excluded.holder OR leases.until <= :now
RETURNING name, holder, fence, until;

-- name: of_name
SELECT name, holder, fence, until FROM leases WHERE name = :name;

-- name: hold
-- An update that changes nothing, for it locks the row: nobody takes the lease before what stands under it is committed.
UPDATE leases SET until = until WHERE name = :name AND holder = :holder AND fence = :fence RETURNING 1 AS held;

-- name: release
UPDATE leases SET until = 0 WHERE name = :name AND holder = :holder AND fence = :fence;
