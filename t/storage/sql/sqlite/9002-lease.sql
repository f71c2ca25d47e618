-- Journals of the tests of lease and fence, numbered by the database; SQLite has one writer at a time.
CREATE TABLE t_seq (n INTEGER NOT NULL);
INSERT INTO t_seq (n) VALUES (0);
CREATE TABLE t_act (seq INTEGER, id INTEGER NOT NULL, part INTEGER NOT NULL, name TEXT NOT NULL,
    epoch INTEGER NOT NULL, holder BLOB NOT NULL, payload BLOB NOT NULL, CONSTRAINT t_act_pk PRIMARY KEY (id, part));
CREATE TABLE t_take (seq INTEGER NOT NULL, name TEXT NOT NULL, epoch INTEGER NOT NULL, holder BLOB NOT NULL);
CREATE TRIGGER t_act_number AFTER INSERT ON t_act BEGIN UPDATE t_seq SET n = n + 1; UPDATE t_act SET seq = (SELECT n FROM t_seq) WHERE id = NEW.id AND part = NEW.part; END;
CREATE TRIGGER t_lease_taken AFTER UPDATE ON ls_lease WHEN NEW.epoch <> OLD.epoch OR NEW.holder <> OLD.holder BEGIN UPDATE t_seq SET n = n + 1; INSERT INTO t_take (seq, name, epoch, holder) SELECT n, NEW.name, NEW.epoch, NEW.holder FROM t_seq; END;
