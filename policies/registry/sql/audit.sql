-- name: note
INSERT INTO notes (at, policy, who, action, subject, detail, link)
VALUES (:at, :policy, :who, :action, :subject, :detail, :link);

-- name: last_link
SELECT link FROM notes ORDER BY id DESC LIMIT 1;

-- name: notes
SELECT * FROM (
    SELECT * FROM notes WHERE CAST(:policy AS TEXT) IS NULL OR policy = :policy ORDER BY id DESC LIMIT :limit
) AS newest
ORDER BY id;

-- name: state
SELECT value FROM states WHERE name = :name;

-- name: set_state
INSERT INTO states (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE states.value <> excluded.value;

-- name: changes
SELECT changes FROM counter;

-- name: count_change
UPDATE counter SET changes = changes + 1;
