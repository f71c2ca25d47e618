-- Tables of the storage tests.
CREATE TABLE t_value (id BIGINT NOT NULL, i BIGINT, s VARCHAR, b BYTEA, CONSTRAINT t_value_pk PRIMARY KEY (id));
CREATE TABLE t_log (ts BIGINT NOT NULL, kind SMALLINT NOT NULL, name VARCHAR(100), payload BYTEA,
    CONSTRAINT t_log_pk PRIMARY KEY (ts));
CREATE TABLE t_node (node_index INTEGER NOT NULL, epoch BIGINT NOT NULL, holder BYTEA NOT NULL,
    watermark BIGINT NOT NULL, CONSTRAINT t_node_pk PRIMARY KEY (node_index)) WITH (fillfactor = 50);
CREATE FUNCTION t_raise(code VARCHAR) RETURNS BIGINT LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = ''raised''; END';
