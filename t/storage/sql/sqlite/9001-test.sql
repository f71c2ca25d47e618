-- Tables of the storage tests.
CREATE TABLE t_value (id INTEGER NOT NULL, i INTEGER, s TEXT, b BLOB, CONSTRAINT t_value_pk PRIMARY KEY (id));
CREATE TABLE t_log (ts INTEGER NOT NULL, kind INTEGER NOT NULL, name TEXT, payload BLOB,
    CONSTRAINT t_log_pk PRIMARY KEY (ts));
CREATE TABLE t_node (node_index INTEGER NOT NULL, epoch INTEGER NOT NULL, holder BLOB NOT NULL,
    watermark INTEGER NOT NULL, CONSTRAINT t_node_pk PRIMARY KEY (node_index));
