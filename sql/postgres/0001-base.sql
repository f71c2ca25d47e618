-- What every node has: leases, its identity, its keys, the topology transactions that it signed.

-- Who holds what. Only take-over, settling and release change it; fenced writes read or lock it.
CREATE TABLE IF NOT EXISTS ls_lease (
    name VARCHAR(64) NOT NULL,
    epoch BIGINT NOT NULL,
    holder BYTEA NOT NULL,
    is_released SMALLINT NOT NULL,
    CONSTRAINT ls_lease_pk PRIMARY KEY (name),
    CONSTRAINT ls_lease_ck CHECK (is_released IN (0, 1))
) WITH (fillfactor = 50);

-- The sign of life, apart from the fence, so that renewals never wait for a write.
CREATE TABLE IF NOT EXISTS ls_lease_beat (
    name VARCHAR(64) NOT NULL,
    epoch BIGINT NOT NULL,
    holder BYTEA NOT NULL,
    beat BIGINT NOT NULL,
    CONSTRAINT ls_lease_beat_pk PRIMARY KEY (name)
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS ls_identity (
    id SMALLINT NOT NULL,
    kind VARCHAR(32) NOT NULL,
    node_uid VARCHAR(300) NOT NULL,
    CONSTRAINT ls_identity_pk PRIMARY KEY (id),
    CONSTRAINT ls_identity_ck CHECK (id = 1)
);

CREATE TABLE IF NOT EXISTS ls_key (
    fingerprint VARCHAR(100) NOT NULL,
    purpose VARCHAR(32) NOT NULL,
    usages BIGINT NOT NULL,
    spec VARCHAR(32) NOT NULL,
    name VARCHAR(300),
    public_key BYTEA NOT NULL,
    private_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT ls_key_pk PRIMARY KEY (fingerprint)
);

CREATE TABLE IF NOT EXISTS ls_authorized_tx (
    seq BIGINT NOT NULL,
    tx BYTEA NOT NULL,
    CONSTRAINT ls_authorized_tx_pk PRIMARY KEY (seq)
);
