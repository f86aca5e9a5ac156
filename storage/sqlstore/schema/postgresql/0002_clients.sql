CREATE TABLE {prefix}clients (
    client_id text COLLATE "C" PRIMARY KEY,
    disabled  boolean NOT NULL,
    document  text NOT NULL               -- the client as JSON: "v", the version of the document, then the names of RFC 7591 section 2
);
CREATE TABLE {prefix}origins (
    origin    text COLLATE "C" NOT NULL,  -- SHA-256 of the origin, base64url
    client_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (origin, client_id)
);
CREATE INDEX {prefix}origins_client ON {prefix}origins (client_id);
