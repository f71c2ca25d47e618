-- Journals of the tests of lease and fence: numbered by the database in the order of the commits, because the
-- row of the lease's counter is locked until then.
CREATE TABLE t_seq (name VARCHAR(64) NOT NULL, n BIGINT NOT NULL, CONSTRAINT t_seq_pk PRIMARY KEY (name));
CREATE TABLE t_act (seq BIGINT NOT NULL, id BIGINT NOT NULL, part BIGINT NOT NULL, name VARCHAR(64) NOT NULL,
    epoch BIGINT NOT NULL, holder BYTEA NOT NULL, payload BYTEA NOT NULL, CONSTRAINT t_act_pk PRIMARY KEY (id, part));
CREATE TABLE t_take (seq BIGINT NOT NULL, name VARCHAR(64) NOT NULL, epoch BIGINT NOT NULL, holder BYTEA NOT NULL);
CREATE FUNCTION t_number() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO t_seq AS s (name, n) VALUES (NEW.name, 1) ON CONFLICT (name) DO UPDATE SET n = s.n + 1 RETURNING n INTO NEW.seq; RETURN NEW; END';
CREATE FUNCTION t_taken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO t_take (name, epoch, holder) VALUES (NEW.name, NEW.epoch, NEW.holder); RETURN NULL; END';
CREATE TRIGGER t_act_number BEFORE INSERT ON t_act FOR EACH ROW EXECUTE FUNCTION t_number();
CREATE TRIGGER t_take_number BEFORE INSERT ON t_take FOR EACH ROW EXECUTE FUNCTION t_number();
CREATE TRIGGER t_lease_taken AFTER UPDATE ON ls_lease FOR EACH ROW
  WHEN (NEW.epoch <> OLD.epoch OR NEW.holder <> OLD.holder) EXECUTE FUNCTION t_taken();
