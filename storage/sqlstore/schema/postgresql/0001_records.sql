-- {prefix} stands for the table prefix. A statement ends with a semicolon at the end of its line.
-- Times are microseconds since 1970 in UTC. Text is compared byte for byte.
CREATE TABLE {prefix}records (
    kind       text COLLATE "C" NOT NULL,
    record_key text COLLATE "C" NOT NULL, -- SHA-256 of the token or code, base64url
    state      smallint NOT NULL,         -- 1 pending, 2 active, 3 spent, 4 denied, 5 revoked
    grant_id   text COLLATE "C" NOT NULL,
    client_id  text COLLATE "C" NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    scope      text NOT NULL,             -- a JSON array, or empty
    audience   text NOT NULL,             -- a JSON array, or empty
    issued_at  bigint NOT NULL,
    expires_at bigint,                    -- NULL: never
    data       bytea NOT NULL,
    write_id   bytea NOT NULL,            -- names the last write, so that its writer can find it
    PRIMARY KEY (kind, record_key)
) WITH (fillfactor = 85);
CREATE INDEX {prefix}records_grant ON {prefix}records (grant_id) WHERE grant_id <> '';
CREATE INDEX {prefix}records_subject ON {prefix}records ((left(subject, 64))) WHERE subject <> '';
CREATE INDEX {prefix}records_expiry ON {prefix}records (expires_at) WHERE expires_at IS NOT NULL;
