-- The chain over the notes: empty for those that are older than it.
ALTER TABLE notes ADD COLUMN link TEXT NOT NULL DEFAULT '';
