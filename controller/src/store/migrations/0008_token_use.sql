-- When a token was last shown, to the minute. Unix seconds; NULL for one that never was.
ALTER TABLE tokens ADD COLUMN last_used_at INTEGER;
