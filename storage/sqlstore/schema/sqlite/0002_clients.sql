CREATE TABLE {prefix}clients (
    client_id TEXT NOT NULL PRIMARY KEY,
    disabled  INTEGER NOT NULL,
    document  TEXT NOT NULL -- the client as JSON: "v", the version of the document, then the names of RFC 7591 section 2
);
CREATE TABLE {prefix}origins (
    origin    TEXT NOT NULL, -- SHA-256 of the origin, base64url
    client_id TEXT NOT NULL,
    PRIMARY KEY (origin, client_id)
);
CREATE INDEX {prefix}origins_client ON {prefix}origins (client_id);
