/* test_texts.c: what the imitated driver takes and what it refuses. */
#include <stdio.h>
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
    bind_text(&one, 1, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x92", &ind[0]);
    assert_string_equal(ask(&one, "SELECT LENGTH(s.sample) AS chars FROM"
                                  " (SELECT CAST(? AS VARCHAR2(8 CHAR)) AS sample FROM dual) s"),
                        "3");
    SQLFreeStmt(one.stmt, SQL_RESET_PARAMS);
    ok(&one, "ALTER TABLE ot ADD (note VARCHAR2(10 CHAR))");
    manual(&one, true);
    ok(&one, "LOCK TABLE ot IN EXCLUSIVE MODE");
    assert_true(SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_COMMIT)));
    refused(&one, "ALTER TABLE ot ADD note VARCHAR2(10 CHAR)", "42S21", 1430);
}

/* "{3x?}" stands for "?, ?, ?". */
static void expand(const char *in, char *out, size_t size)
{
    size_t n = 0;

    while (*in && n < size - 8) {
        int times = 0, used = 0;
        if (sscanf(in, "{%dx?}%n", &times, &used) == 1 && used > 0) {
            for (int i = 0; i < times && n < size - 8; i++)
                n += (size_t)snprintf(out + n, size - n, "%s?", i ? ", " : "");
            in += used;
        } else {
            out[n++] = *in++;
        }
    }
    out[n] = '\0';
}

/* What t/oracle-grammar lets pass passes here; what these rules of it refuse is refused. */
void the_grammar_gate_agrees(void **state)
{
    static const char *const rules[] = {"on-conflict",
                                        "foreign-type",
                                        "foreign-word",
                                        "foreign-call",
                                        "if-exists",
                                        "colon-cast",
                                        "returning",
                                        "on-update",
                                        "lob-key",
                                        "too-long",
                                        "varchar2-length",
                                        "row-inequality",
                                        "merge-on",
                                        "in-list",
                                        "locked-page",
                                        "semicolon",
                                        "empty-string",
                                        "name-length",
                                        "quoted",
                                        "bare-transaction",
                                        "block",
                                        "plsql",
                                        NULL};
    char path[512], line[1024], sql[8192], rule[40], got[8];
    size_t passed = 0, stopped = 0, faults = 0;

    (void)state;
    snprintf(path, sizeof(path), "%s/t/oracle-grammar/samples.txt", getenv("srcdir"));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        const char *bar = strstr(line, " | ");
        if (line[0] == '#' || !bar || sscanf(line, "%39[a-z0-9-]", rule) != 1)
            continue;
        line[strcspn(line, "\n")] = '\0';
        expand(bar + 3, sql, sizeof(sql));
        const SQLRETURN r = SQLPrepare(one.stmt, (SQLCHAR *)sql, SQL_NTS);
        if (strcmp(rule, "ok") == 0 || strcmp(rule, "schema") == 0) {
            passed++;
            if (r != SQL_SUCCESS && ++faults)
                print_error("ORA-%05d: %s\n", native_of(SQL_HANDLE_STMT, one.stmt, got), sql);
        }
        for (size_t i = 0; rules[i]; i++) {
            if (strcmp(rule, rules[i]) != 0 || strncmp(sql, "CREATE INDEX", 12) == 0)
                continue; /* an index: which columns are LOBs is not known here */
            stopped++;
            if (r != SQL_ERROR && ++faults)
                print_error("%s is taken: %s\n", rule, sql);
        }
    }
    fclose(f);
    assert_true(passed > 50 && stopped > 40 && faults == 0);
}
