-- Tables of the storage tests.
CREATE TABLE t_value (id NUMBER(19) NOT NULL, i NUMBER(19), s CLOB, b BLOB, CONSTRAINT t_value_pk PRIMARY KEY (id));
CREATE TABLE t_log (ts NUMBER(19) NOT NULL, kind NUMBER(5) NOT NULL, name VARCHAR2(100 CHAR), payload BLOB,
    CONSTRAINT t_log_pk PRIMARY KEY (ts));
CREATE TABLE t_node (node_index NUMBER(10) NOT NULL, epoch NUMBER(19) NOT NULL, holder RAW(16) NOT NULL,
    watermark NUMBER(19) NOT NULL, CONSTRAINT t_node_pk PRIMARY KEY (node_index));
