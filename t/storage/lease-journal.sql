-- The journals of the tests of lease and fence below the imitated Oracle (t/fakeora): the rows of a fenced write come
-- before its fence there, so they are numbered at the commit.
SET search_path = ls_test;
CREATE TABLE t_seq (name VARCHAR(64) NOT NULL, n BIGINT NOT NULL, CONSTRAINT t_seq_pk PRIMARY KEY (name));
CREATE TABLE t_take (seq BIGINT NOT NULL, name VARCHAR(64) NOT NULL, epoch BIGINT NOT NULL, holder BYTEA NOT NULL);
CREATE FUNCTION t_next(VARCHAR) RETURNS BIGINT LANGUAGE sql SET search_path = ls_test AS
    'INSERT INTO t_seq AS s (name, n) VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET n = s.n + 1 RETURNING n';
CREATE FUNCTION t_number() RETURNS trigger LANGUAGE plpgsql SET search_path = ls_test AS
    'BEGIN UPDATE t_act SET seq = t_next(NEW.name) WHERE id = NEW.id AND part = NEW.part; RETURN NULL; END';
CREATE FUNCTION t_taken() RETURNS trigger LANGUAGE plpgsql SET search_path = ls_test AS
    'BEGIN INSERT INTO t_take VALUES (t_next(NEW.name), NEW.name, NEW.epoch, NEW.holder); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER t_act_number AFTER INSERT ON t_act DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION t_number();
CREATE CONSTRAINT TRIGGER t_lease_taken AFTER UPDATE ON ls_lease DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.epoch <> OLD.epoch OR NEW.holder <> OLD.holder) EXECUTE FUNCTION t_taken();
