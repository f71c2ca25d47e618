-- What every node has: leases, its identity, its keys, the topology transactions that it signed.

-- Who holds what. Only take-over, settling and release change it; fenced writes read or lock it.
CREATE TABLE ls_lease (
    name VARCHAR2(64 CHAR) NOT NULL,
    epoch NUMBER(19) NOT NULL,
    holder RAW(16) NOT NULL,
    is_released NUMBER(1) NOT NULL,
    CONSTRAINT ls_lease_pk PRIMARY KEY (name),
    CONSTRAINT ls_lease_ck CHECK (is_released IN (0, 1))
);

-- The sign of life, apart from the fence, so that renewals never wait for a write.
CREATE TABLE ls_lease_beat (
    name VARCHAR2(64 CHAR) NOT NULL,
    epoch NUMBER(19) NOT NULL,
    holder RAW(16) NOT NULL,
    beat NUMBER(19) NOT NULL,
    CONSTRAINT ls_lease_beat_pk PRIMARY KEY (name)
);

CREATE TABLE ls_identity (
    id NUMBER(5) NOT NULL,
    kind VARCHAR2(32 CHAR) NOT NULL,
    node_uid VARCHAR2(300 CHAR) NOT NULL,
    CONSTRAINT ls_identity_pk PRIMARY KEY (id),
    CONSTRAINT ls_identity_ck CHECK (id = 1)
);

CREATE TABLE ls_key (
    fingerprint VARCHAR2(100 CHAR) NOT NULL,
    purpose VARCHAR2(32 CHAR) NOT NULL,
    usages NUMBER(19) NOT NULL,
    spec VARCHAR2(32 CHAR) NOT NULL,
    name VARCHAR2(300 CHAR),
    public_key BLOB NOT NULL,
    private_key BLOB NOT NULL,
    created_at NUMBER(19) NOT NULL,
    CONSTRAINT ls_key_pk PRIMARY KEY (fingerprint)
);

CREATE TABLE ls_authorized_tx (
    tx_no NUMBER(19) NOT NULL,
    tx BLOB NOT NULL,
    CONSTRAINT ls_authorized_tx_pk PRIMARY KEY (tx_no)
);
