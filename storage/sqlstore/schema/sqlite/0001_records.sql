-- {prefix} stands for the table prefix. A statement ends with a semicolon at the end of its line.
-- Times are microseconds since 1970 in UTC. Text is compared byte for byte.
CREATE TABLE {prefix}records (
    kind       TEXT NOT NULL,
    record_key TEXT NOT NULL,    -- SHA-256 of the token or code, base64url
    state      INTEGER NOT NULL, -- 1 pending, 2 active, 3 spent, 4 denied, 5 revoked
    grant_id   TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    subject    TEXT NOT NULL,
    scope      TEXT NOT NULL,    -- a JSON array, or empty
    audience   TEXT NOT NULL,    -- a JSON array, or empty
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER,          -- NULL: never
    data       BLOB NOT NULL,
    write_id   BLOB NOT NULL,    -- names the last write, so that its writer can find it
    PRIMARY KEY (kind, record_key)
);
CREATE INDEX {prefix}records_grant ON {prefix}records (grant_id) WHERE grant_id <> '';
CREATE INDEX {prefix}records_subject ON {prefix}records (subject) WHERE subject <> '';
CREATE INDEX {prefix}records_expiry ON {prefix}records (expires_at) WHERE expires_at IS NOT NULL;
