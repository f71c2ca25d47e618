-- Statements of the tests of lease and fence. t_act and t_take are journals: whatever is committed gets the
-- next number of one counter, in the order of the commits, by triggers of the database.

-- t_act_write: rows under the fence of a lease, which say under which fence they were written
-- dialect: postgresql
-- params: name text, epoch i64, holder bytes
-- row: id i64, part i64, payload bytes
-- fenced: ls_lease
-- rows: as many as given   locks: the lease's row   plan: primary keys   called: tests
WITH f AS (
    SELECT 1 AS held FROM ls_lease WHERE name = :name AND epoch = :epoch AND holder = :holder FOR UPDATE)
INSERT INTO t_act (id, part, name, epoch, holder, payload)
SELECT v.id, v.part, CAST(:name AS VARCHAR), CAST(:epoch AS BIGINT), CAST(:holder AS BYTEA), v.payload
  FROM (VALUES :rows) v (id, part, payload), f WHERE v.id IS NOT NULL

-- t_act_write: rows under the fence of a lease, which say under which fence they were written
-- dialect: sqlite
-- params: name text, epoch i64, holder bytes
-- row: id i64, part i64, payload bytes
-- fenced: ls_lease
-- rows: as many as given   locks: the database   plan: primary keys   called: tests
UPDATE ls_lease SET epoch = epoch WHERE name = :name AND epoch = :epoch AND holder = :holder;
INSERT INTO t_act (id, part, name, epoch, holder, payload)
SELECT column1, column2, :name, :epoch, :holder, column3 FROM (VALUES :rows);

-- t_act_write: rows under the fence of a lease, which say under which fence they were written
-- dialect: oracle
-- params: name text, epoch i64, holder bytes
-- row: id i64, part i64, payload bytes
-- fenced: ls_lease
-- rows: as many as given   locks: the lease's row   plan: primary keys   called: tests
INSERT INTO t_act (id, part, name, epoch, holder, payload)
VALUES (:row.id, :row.part, :name, :epoch, :holder, :row.payload);
BEGIN
UPDATE ls_lease SET epoch = epoch WHERE name = :name AND epoch = :epoch AND holder = :holder;
IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20001, 'fenced'); END IF;
COMMIT;
END;

-- t_act_count: what was written by one write
-- params: id i64
-- columns: n i64
-- rows: 1   locks: none   plan: primary key   called: tests
SELECT COUNT(*) AS n FROM t_act WHERE id = :id
