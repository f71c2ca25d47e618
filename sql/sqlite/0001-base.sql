-- What every node has: leases, its identity, its keys, the topology transactions that it signed.

-- Who holds what. Only take-over, settling and release change it; fenced writes read or lock it.
CREATE TABLE IF NOT EXISTS ls_lease (
    name TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    holder BLOB NOT NULL,
    is_released INTEGER NOT NULL,
    CONSTRAINT ls_lease_pk PRIMARY KEY (name),
    CONSTRAINT ls_lease_ck CHECK (is_released IN (0, 1))
);

-- The sign of life, apart from the fence, so that renewals never wait for a write.
CREATE TABLE IF NOT EXISTS ls_lease_beat (
    name TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    holder BLOB NOT NULL,
    beat INTEGER NOT NULL,
    CONSTRAINT ls_lease_beat_pk PRIMARY KEY (name)
);

CREATE TABLE IF NOT EXISTS ls_identity (
    id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    node_uid TEXT NOT NULL,
    CONSTRAINT ls_identity_pk PRIMARY KEY (id),
    CONSTRAINT ls_identity_ck CHECK (id = 1)
);

CREATE TABLE IF NOT EXISTS ls_key (
    fingerprint TEXT NOT NULL,
    purpose TEXT NOT NULL,
    usages INTEGER NOT NULL,
    spec TEXT NOT NULL,
    name TEXT,
    public_key BLOB NOT NULL,
    private_key BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    CONSTRAINT ls_key_pk PRIMARY KEY (fingerprint)
);

CREATE TABLE IF NOT EXISTS ls_authorized_tx (
    seq INTEGER NOT NULL,
    tx BLOB NOT NULL,
    CONSTRAINT ls_authorized_tx_pk PRIMARY KEY (seq)
);
