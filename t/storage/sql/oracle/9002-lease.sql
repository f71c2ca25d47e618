-- Journals of the tests of lease and fence. Triggers are no part of the dialect: seq stays empty here.
CREATE TABLE t_act (seq NUMBER(19), id NUMBER(19) NOT NULL, part NUMBER(19) NOT NULL, name VARCHAR2(64 CHAR) NOT NULL,
    epoch NUMBER(19) NOT NULL, holder RAW(16) NOT NULL, payload BLOB NOT NULL, CONSTRAINT t_act_pk PRIMARY KEY (id, part));
