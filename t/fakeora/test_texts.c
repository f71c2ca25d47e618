/* test_texts.c: what the imitated driver takes and what it refuses. */
#include <stdlib.h>
#include <string.h>

#include "t/fakeora/session.h"

void other_dialects_are_refused(void **state)
{
    static const struct {
        const char *text, *state;
        int native;
    } bad[] = {
        {"SELECT id FROM ot LIMIT 1", "42000", 933},
        {"INSERT INTO ot (id) VALUES (1) ON CONFLICT DO NOTHING", "42000", 933},
        {"INSERT INTO ot (id) VALUES (1), (2)", "42000", 933},
        {"INSERT INTO ot (id) VALUES (1) RETURNING id", "42000", 925},
        {"SELECT CAST(1 AS BIGINT) FROM dual", "42000", 902},
        {"CREATE TABLE x (a BYTEA)", "42000", 902},
        {"CREATE TABLE x (a VARCHAR2)", "42000", 906},
        {"CREATE TABLE IF NOT EXISTS x (a NUMBER(1))", "42000", 922},
        {"CREATE TABLE x (a NUMBER(1)) WITH (fillfactor = 50)", "42000", 922},
        {"CREATE TABLE x (level NUMBER(1))", "42S22", 904},
        {"CREATE TABLE x (a BLOB, CONSTRAINT x_pk PRIMARY KEY (a))", "HY000", 2329},
        {"CREATE INDEX x ON ot (id) WHERE id > 1", "42000", 933},
        {"CREATE SCHEMA x", "HY000", 2420},
        {"SELECT 1", "42000", 923},
        {"SELECT (SELECT 1) FROM dual", "42000", 923},
        {"SELECT 1 FROM dual;", "42000", 911},
        {"SELECT '1'::INTEGER FROM dual", "42000", 911},
        {"SELECT E'a' FROM dual", "42000", 911},
        {"SELECT id FROM ot AS t", "42000", 933},
        {"SELECT id FROM (SELECT id FROM ot) AS t", "42000", 933},
        {"SELECT id FROM ot WHERE TRUE", "42S22", 904},
        {"SELECT id FROM ot WHERE name = ''", "42000", 936},
        {"SELECT id FROM ot EXCEPT SELECT id FROM ot", "42000", 933},
        {"SELECT id FROM ot WHERE (id, d) > (1, 2)", "HY000", 1796},
        {"SELECT \"id\" FROM ot", "42S22", 904},
        {"SELECT id AS a_name_of_more_than_thirty_bytes FROM ot", "HY000", 972},
        {"SELECT id FROM ot ORDER BY id FETCH FIRST 1 ROWS ONLY FOR UPDATE", "HY000", 2014},
        {"SELECT DISTINCT id FROM ot FOR UPDATE", "HY000", 2014},
        {"SELECT id FROM ot FOR SHARE", "42000", 933},
        {"SELECT EXTRACT(EPOCH FROM SYSTIMESTAMP) FROM dual", "42000", 907},
        {"SELECT relname FROM pg_class", "42S02", 942},
        {"UPDATE ot SET d = 1 FROM ot2 WHERE ot2.v = ot.id", "42000", 933},
        {"DELETE FROM ot USING ot2 WHERE ot2.v = ot.id", "42000", 933},
        {"WITH f AS (UPDATE ot SET d = 1) SELECT 1 FROM f", "42000", 928},
        {"MERGE INTO ot2 t USING (SELECT 'a' AS nk FROM dual) s ON (t.k = s.nk)"
         " WHEN MATCHED THEN UPDATE SET v = 1, k = s.nk",
         "HY000", 38104},
        {"COMMIT", "42000", 900},
        {"BEGIN", "HY000", 6550},
        {"VACUUM", "42000", 900},
        {"SELECT 'a FROM dual", "HY000", 1756},
        {"SELECT id FROM nowhere", "42S02", 942},
        {"SELECT nothing FROM ot", "42S22", 904},
        {"INSERT INTO ot (id, d) VALUES (1, 2)", "23000", 2290},
        {"SELECT 1 / 0 FROM dual", "22012", 1476},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refused(&one, bad[i].text, bad[i].state, bad[i].native);
}

void long_lists_are_refused(void **state)
{
    char *text = calloc(1, 8000);

    (void)state;
    assert_non_null(text);
    strcpy(text, "SELECT id FROM ot WHERE id IN (1");
    for (int i = 0; i < 999; i++)
        strcat(text, ", 1");
    strcat(text, ")");
    ok(&one, text);
    text[strlen(text) - 1] = '\0';
    strcat(text, ", 1)");
    refused(&one, text, "HY000", 1795);
    free(text);
}

void oracle_texts_run(void **state)
{
    SQLLEN ind[2];

    (void)state;
    ok(&one, "INSERT INTO ot (id, name) VALUES (1, 'NUMBER RAW(3) BLOB ?')");
    assert_string_equal(ask(&one, "SELECT name FROM ot"), "NUMBER RAW(3) BLOB ?");
    for (int i = 0; i < 2; i++) {
        bind_text(&one, 1, "k", &ind[0]);
        bind_number(&one, 2, i ? "2" : "1", &ind[1]);
        ok(&one, "MERGE INTO ot2 USING (SELECT CAST(? AS VARCHAR2(64 CHAR)) AS nk,"
                 " CAST(? AS NUMBER(19)) AS nv FROM DUAL) s ON (ot2.k = s.nk)"
                 " WHEN MATCHED THEN UPDATE SET v = s.nv"
                 " WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.nk, s.nv)");
    }
    SQLFreeStmt(one.stmt, SQL_RESET_PARAMS);
    assert_string_equal(ask(&one, "SELECT v FROM ot2"), "2");
    bind_number(&one, 1, "1", &ind[0]);
    assert_string_equal(ask(&one, "SELECT id FROM ot ORDER BY id FETCH FIRST ? ROWS ONLY"), "1");
    SQLFreeStmt(one.stmt, SQL_RESET_PARAMS);
    assert_string_equal(ask(&one, "SELECT LENGTH(TO_CHAR(SYS_EXTRACT_UTC(SYSTIMESTAMP),"
                                  " 'YYYY-MM-DD HH24:MI:SS.FF6')) FROM DUAL"),
                        "26");
    assert_string_equal(ask(&one, "SELECT id FROM ot MINUS SELECT 1 FROM DUAL"), "");
    ok(&one, "ALTER TABLE ot ADD (note VARCHAR2(10 CHAR))");
    manual(&one, true);
    ok(&one, "LOCK TABLE ot IN EXCLUSIVE MODE");
    assert_true(SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_COMMIT)));
    refused(&one, "ALTER TABLE ot ADD note VARCHAR2(10 CHAR)", "42S21", 1430);
}
