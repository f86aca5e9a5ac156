CREATE TABLE IF NOT EXISTS {prefix}clients (
    client_id VARBINARY(255) NOT NULL PRIMARY KEY,
    disabled  TINYINT NOT NULL,
    document  LONGBLOB NOT NULL -- the client as JSON: "v", the version of the document, then the names of RFC 7591 section 2
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
CREATE TABLE IF NOT EXISTS {prefix}origins (
    origin    VARBINARY(43) NOT NULL, -- SHA-256 of the origin, base64url
    client_id VARBINARY(255) NOT NULL,
    PRIMARY KEY (origin, client_id),
    KEY {prefix}origins_client (client_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
