-- What a node knows of itself: its identity, its keys, the topology transactions that it signed.

-- identity_insert: says once who this database belongs to
-- params: kind text(32), node_uid text(300)
-- rows: 1, or a duplicate: another replica was faster   locks: none   plan: primary key   called: once per database
INSERT INTO ls_identity (id, kind, node_uid) VALUES (1, :kind, :node_uid)

-- identity_read: who this database belongs to
-- columns: kind text, node_uid text
-- rows: 0 or 1   locks: none   plan: primary key   called: at start
SELECT kind, node_uid FROM ls_identity WHERE id = 1

-- key_insert: stores a key of the node
-- params: fingerprint text(100), purpose text(32), usages i64, spec text(32), name text(300), created_at i64, public_key bytes, private_key bytes
-- rows: 1   locks: none   plan: primary key   called: per key, when it is made
INSERT INTO ls_key (fingerprint, purpose, usages, spec, name, created_at, public_key, private_key)
VALUES (:fingerprint, :purpose, :usages, :spec, :name, :created_at, :public_key, :private_key)

-- key_list: all keys, the newest last
-- columns: fingerprint text, purpose text, usages i64, spec text, name text, created_at i64, private_key bytes
-- rows: a few   locks: none   plan: whole table   called: at start, and to list or reload them
SELECT fingerprint, purpose, usages, spec, name, created_at, private_key FROM ls_key ORDER BY created_at, fingerprint

-- key_rewrap: stores a private key in the form that the configuration wants; the key stays the same
-- params: private_key bytes, fingerprint text(100)
-- rows: 0 or 1   locks: the row   plan: primary key   called: at start, after the configuration changed
UPDATE ls_key SET private_key = :private_key WHERE fingerprint = :fingerprint

-- authorized_insert: stores a topology transaction that the node signed
-- params: seq i64, tx bytes
-- rows: 1, or a duplicate: another was stored there first   locks: none   plan: primary key   called: per transaction, when it is made
INSERT INTO ls_authorized_tx (seq, tx) VALUES (:seq, :tx)

-- authorized_list: them in the order of their making
-- columns: tx bytes
-- rows: a few   locks: none   plan: primary key   called: at start
SELECT tx FROM ls_authorized_tx ORDER BY seq

-- authorized_insert: stores a topology transaction that the node signed
-- dialect: oracle
-- params: seq i64, tx bytes
-- rows: 1   locks: none   plan: primary key   called: per transaction, when it is made
INSERT INTO ls_authorized_tx (tx_no, tx) VALUES (:seq, :tx)

-- authorized_list: them in the order of their making
-- dialect: oracle
-- columns: tx bytes
-- rows: a few   locks: none   plan: primary key   called: at start
SELECT tx FROM ls_authorized_tx ORDER BY tx_no
