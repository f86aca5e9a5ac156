-- {prefix} stands for the table prefix. A statement ends with a semicolon at the end of its line.
-- Every statement can run again, because MySQL commits each statement on its own.
-- Times are microseconds since 1970 in UTC. Text is UTF-8 in binary columns, so that it is compared byte for byte
-- with any character set of a connection. A column is LONGBLOB where package storage has no bound, so that nothing is cut.
CREATE TABLE IF NOT EXISTS {prefix}records (
    kind       VARBINARY(32) NOT NULL,
    record_key VARBINARY(255) NOT NULL, -- SHA-256 of the token or code, base64url
    state      TINYINT NOT NULL,        -- 1 pending, 2 active, 3 spent, 4 denied, 5 revoked
    grant_id   VARBINARY(255) NOT NULL,
    client_id  LONGBLOB NOT NULL,
    subject    LONGBLOB NOT NULL,
    scope      LONGBLOB NOT NULL,       -- a JSON array, or empty
    audience   LONGBLOB NOT NULL,       -- a JSON array, or empty
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NULL,             -- NULL: never
    data       LONGBLOB NOT NULL,
    write_id   BINARY(16) NOT NULL,     -- names the last write, so that its writer can find it
    PRIMARY KEY (kind, record_key),
    KEY {prefix}records_grant (grant_id),
    KEY {prefix}records_subject (subject(64)),
    KEY {prefix}records_expiry (expires_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
