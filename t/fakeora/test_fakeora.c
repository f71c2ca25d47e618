/* test_fakeora.c: each behaviour of the imitated driver, through unixODBC as the server uses it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/fakeora/session.h"
#include "t/only.h"

/* ---- who it is ---- */

static void it_calls_itself_oracle(void **state)
{
    SQLUSMALLINT txn = 0;
    char name[40];
    SQLSMALLINT len;

    (void)state;
    assert_true(SQL_SUCCEEDED(SQLGetInfo(one.dbc, SQL_DBMS_NAME, name, sizeof(name), &len)));
    assert_string_equal(name, "Oracle");
    assert_true(SQL_SUCCEEDED(SQLGetInfo(one.dbc, SQL_TXN_CAPABLE, &txn, sizeof(txn), &len)));
    assert_int_equal(txn, SQL_TC_DDL_COMMIT);
}

static void columns_are_upper_case_and_decimal(void **state)
{
    SQLCHAR name[40];
    SQLSMALLINT len, type, digits, null;
    SQLLEN number = 0;
    SQLULEN size;

    (void)state;
    ok(&one, "SELECT COUNT(*) AS n_rows, MAX(id) AS top FROM ot");
    assert_true(SQL_SUCCEEDED(
        SQLDescribeCol(one.stmt, 1, name, sizeof(name), &len, &type, &size, &digits, &null)));
    assert_string_equal((char *)name, "N_ROWS");
    assert_int_equal(type, SQL_DECIMAL);
    assert_int_equal(size, 19);
    assert_true(
        SQL_SUCCEEDED(SQLColAttribute(one.stmt, 2, SQL_DESC_NAME, name, sizeof(name), &len, NULL)));
    assert_string_equal((char *)name, "TOP");
    assert_true(
        SQL_SUCCEEDED(SQLColAttribute(one.stmt, 1, SQL_DESC_CONCISE_TYPE, NULL, 0, NULL, &number)));
    assert_int_equal(number, SQL_DECIMAL);
}

static void what_is_not_there_is_not_there(void **state)
{
    SQLUINTEGER dead = 7;

    (void)state;
    assert_int_equal(SQLSetConnectAttr(one.dbc, SQL_ATTR_LOGIN_TIMEOUT, (SQLPOINTER)5, 0),
                     SQL_ERROR);
    expect(SQL_HANDLE_DBC, one.dbc, "HYC00", 0);
    assert_int_equal(SQLSetConnectAttr(one.dbc, SQL_ATTR_CONNECTION_TIMEOUT, (SQLPOINTER)5, 0),
                     SQL_ERROR);
    expect(SQL_HANDLE_DBC, one.dbc, "HYC00", 0);
    fault("before 3113");
    assert_int_equal(run(&one, "SELECT 1 FROM dual"), SQL_ERROR);
    assert_true(
        SQL_SUCCEEDED(SQLGetConnectAttr(one.dbc, SQL_ATTR_CONNECTION_DEAD, &dead, 0, NULL)));
    assert_int_equal(dead, SQL_CD_FALSE); /* it lies */
}

/* ---- connecting ---- */

static void connect_fails(const char *dbq, const char *user, const char *password,
                          const char *state, int native)
{
    struct session s = {0};

    assert_int_equal(try_connect(&s, dbq, user, password), SQL_ERROR);
    expect(SQL_HANDLE_DBC, s.dbc, state, native);
    disconnect(&s);
}

static void connect_works(const char *dbq, const char *user, const char *password)
{
    struct session s = {0};

    if (!SQL_SUCCEEDED(try_connect(&s, dbq, user, password)))
        expect(SQL_HANDLE_DBC, s.dbc, "", 0);
    disconnect(&s);
}

static void connection_strings(void **state)
{
    const char *user = getenv("LS_TEST_ORACLE_USER"), *password = getenv("LS_TEST_ORACLE_PASSWORD");
    const char *port = getenv("LS_TEST_ORACLE_PORT"), *p = getenv("LS_TEST_ORACLE_ODD");
    char dbq[300], odd[100] = "{";
    size_t n = 1;

    (void)state;
    snprintf(dbq, sizeof(dbq), "127.0.0.1:%s/lockstep?connect_timeout=3", port);
    connect_works(dbq, user, password);
    snprintf(dbq, sizeof(dbq), "//[::1]:1,127.0.0.1:1,127.0.0.1:%s/lockstep", port);
    connect_works(dbq, user, password);
    snprintf(dbq, sizeof(dbq), "//localhost,127.0.0.1:%s/lockstep", port);
    connect_works(dbq, user, password);
    snprintf(dbq, sizeof(dbq),
             "(DESCRIPTION=(CONNECT_TIMEOUT=3)(ADDRESS=(PROTOCOL=TCP)(HOST=127.0.0.1)(PORT=%s))"
             "(CONNECT_DATA=(SERVICE_NAME=lockstep)))",
             port);
    connect_works(dbq, user, password);
    for (; *p; p++) {
        odd[n++] = *p;
        if (*p == '}')
            odd[n++] = *p;
    }
    odd[n] = '}';
    connect_works(dbq, "odd", odd);
    connect_fails(dbq, user, "wrong", "28000", 1017);
    connect_fails("//127.0.0.1:1/lockstep", user, password, "HY000", 12541);
    connect_fails("lockstep", user, password, "08004", 12154);
    snprintf(dbq, sizeof(dbq), "//127.0.0.1:%s/nowhere", port);
    connect_fails(dbq, user, password, "HY000", 12514);
    fault("before 12170 match=CONNECT");
    connect_fails(dbq, user, password, "HY000", 12170);
}

/* ---- binding ---- */

static void sixty_four_bits_are_refused(void **state)
{
    int64_t v = 1;
    SQLLEN ind = 8;

    (void)state;
    SQLPrepare(one.stmt, (SQLCHAR *)(uintptr_t) "SELECT id FROM ot WHERE id = ?", SQL_NTS);
    assert_int_equal(SQLBindParameter(one.stmt, 1, SQL_PARAM_INPUT, SQL_C_SBIGINT, SQL_NUMERIC, 19,
                                      0, &v, 8, &ind),
                     SQL_ERROR);
    expect(SQL_HANDLE_STMT, one.stmt, "HY004", 0);
    assert_int_equal(SQLBindParameter(one.stmt, 1, SQL_PARAM_INPUT, SQL_C_UBIGINT, SQL_NUMERIC, 19,
                                      0, &v, 8, &ind),
                     SQL_ERROR);
    expect(SQL_HANDLE_STMT, one.stmt, "HY004", 0);
    assert_int_equal(
        SQLBindParameter(one.stmt, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_BIGINT, 19, 0, &v, 8, &ind),
        SQL_ERROR);
    expect(SQL_HANDLE_STMT, one.stmt, "HY004", 0);
    assert_int_equal(SQLBindCol(one.stmt, 1, SQL_C_SBIGINT, &v, 8, &ind), SQL_ERROR);
    expect(SQL_HANDLE_STMT, one.stmt, "HY004", 0);
    ok(&one, "SELECT 1 FROM dual");
    assert_int_equal(SQLFetch(one.stmt), SQL_SUCCESS);
    assert_int_equal(SQLGetData(one.stmt, 1, SQL_C_SBIGINT, &v, 8, &ind), SQL_ERROR);
    expect(SQL_HANDLE_STMT, one.stmt, "HY004", 0);
}

static void numbers_are_text(void **state)
{
    static const char *const extremes[] = {"9223372036854775807", "-9223372036854775808", "0"};
    SQLLEN ind;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(SQL_SUCCEEDED(bind_number(&one, 1, extremes[i], &ind)));
        ok(&one, "INSERT INTO ot (id) VALUES (?)");
        SQLFreeStmt(one.stmt, SQL_RESET_PARAMS);
        assert_true(SQL_SUCCEEDED(bind_number(&one, 1, extremes[i], &ind)));
        assert_string_equal(ask(&one, "SELECT id FROM ot WHERE id = ?"), extremes[i]);
    }
    bind_number(&one, 1, "99999999999999999999", &ind);
    refused(&one, "INSERT INTO ot (id) VALUES (?)", "HY000", 1438);
    bind_number(&one, 1, "x", &ind);
    assert_int_equal(run(&one, "INSERT INTO ot (id) VALUES (?)"), SQL_ERROR);
}

static void empty_is_null(void **state)
{
    SQLLEN ind[2];

    (void)state;
    bind_text(&one, 1, "", &ind[0]);
    bind_bytes(&one, 2, SQL_VARBINARY, "", 0, &ind[1]);
    ok(&one, "INSERT INTO ot (id, name, r) VALUES (1, ?, ?)");
    assert_int_equal(ind[0], 0); /* the program's own is left alone */
    SQLFreeStmt(one.stmt, SQL_RESET_PARAMS);
    assert_string_equal(ask(&one, "SELECT id FROM ot WHERE name IS NULL AND r IS NULL"), "1");
    bind_text(&one, 1, "", &ind[0]);
    assert_string_equal(ask(&one, "SELECT id FROM ot WHERE name = ?"), "");
    SQLFreeStmt(one.stmt, SQL_RESET_PARAMS);
    bind_text(&one, 1, "", &ind[0]);
    refused(&one, "INSERT INTO ot2 (k) VALUES (?)", "23000", 1400);
}

static void bytes_come_back(void **state)
{
    const size_t size = 70000;
    uint8_t *in = malloc(size), *out = malloc(size);
    SQLLEN ind = 0, got = 0;

    (void)state;
    assert_true(in && out);
    for (size_t i = 0; i < size; i++)
        in[i] = (uint8_t)(i * 7);
    bind_bytes(&one, 1, SQL_LONGVARBINARY, in, size, &ind);
    ok(&one, "INSERT INTO ot (id, b) VALUES (1, ?)");
    ok(&one, "SELECT b FROM ot WHERE id = 1");
    assert_int_equal(SQLFetch(one.stmt), SQL_SUCCESS);
    assert_int_equal(SQLGetData(one.stmt, 1, SQL_C_BINARY, out, 10, &got), SQL_SUCCESS_WITH_INFO);
    expect(SQL_HANDLE_STMT, one.stmt, "01004", 0);
    assert_int_equal(got, (SQLLEN)size);
    assert_int_equal(SQLGetData(one.stmt, 1, SQL_C_BINARY, out + 10, (SQLLEN)size - 10, &got),
                     SQL_SUCCESS);
    assert_memory_equal(in, out, size);
    SQLFreeStmt(one.stmt, SQL_RESET_PARAMS);
    SQLFreeStmt(one.stmt, SQL_CLOSE);
    bind_text(&one, 1, "it's \\ \xc3\xa4\xf0\x9f\x94\x92 ?", &ind);
    ok(&one, "INSERT INTO ot (id, name) VALUES (2, ?)");
    SQLFreeStmt(one.stmt, SQL_RESET_PARAMS);
    assert_string_equal(ask(&one, "SELECT name FROM ot WHERE id = 2"),
                        "it's \\ \xc3\xa4\xf0\x9f\x94\x92 ?");
    free(in);
    free(out);
}

static void too_long_is_refused(void **state)
{
    char *big = calloc(1, 4100);
    SQLLEN ind;

    (void)state;
    assert_non_null(big);
    memset(big, 'x', 4099);
    bind_bytes(&one, 1, SQL_VARBINARY, big, 17, &ind);
    refused(&one, "INSERT INTO ot (id, r) VALUES (1, ?)", "HY000", 12899);
    bind_bytes(&one, 1, SQL_VARBINARY, big, 4001, &ind);
    refused(&one, "INSERT INTO ot (id, b) VALUES (1, ?)", "HY000", 1461);
    bind_bytes(&one, 1, SQL_LONGVARBINARY, big, 4001, &ind);
    ok(&one, "INSERT INTO ot (id, b) VALUES (1, ?)");
    bind_text(&one, 1, big, &ind);
    refused(&one, "INSERT INTO ot (id, name) VALUES (2, ?)", "HY000", 1461);
    bind_text(&one, 1, "123456789012345678901", &ind);
    refused(&one, "INSERT INTO ot (id, name) VALUES (2, ?)", "HY000", 12899);
    bind_text(&one, 1, "\xc3\xa4\xc3\xa4\xc3\xa4", &ind); /* 3 characters, 6 bytes */
    refused(&one, "INSERT INTO ot (id, short) VALUES (2, ?)", "HY000", 12899);
    SQLFreeStmt(one.stmt, SQL_RESET_PARAMS);
    refused(&one, "CREATE TABLE ot3 (r RAW(2001))", "HY000", 910);
    refused(&one, "CREATE TABLE ot3 (r VARCHAR2(4001 CHAR))", "HY000", 910);
    refused(&one, "CREATE TABLE ot3 (r NUMBER(39))", "HY000", 1727);
    free(big);
}

static void one_long_value_and_that_last(void **state)
{
    SQLLEN ind[3];

    (void)state;
    bind_bytes(&one, 1, SQL_LONGVARBINARY, "ab", 2, &ind[0]);
    bind_number(&one, 2, "1", &ind[1]);
    refused(&one, "INSERT INTO ot (b, id) VALUES (?, ?)", "HY000", 24816);
    bind_bytes(&one, 2, SQL_LONGVARBINARY, "ab", 2, &ind[1]);
    refused(&one, "INSERT INTO ot (id, b, c) VALUES (1, ?, ?)", "HY000", 1461);
    SQLFreeStmt(one.stmt, SQL_RESET_PARAMS);
    bind_text(&one, 1, "k", &ind[0]);
    bind_bytes(&one, 2, SQL_LONGVARBINARY, "ab", 2, &ind[1]);
    refused(&one,
            "MERGE INTO ot2 USING (SELECT CAST(? AS VARCHAR2(64 CHAR)) AS nk FROM dual) s"
            " ON (ot2.k = s.nk) WHEN MATCHED THEN UPDATE SET b = ?",
            "HY000", 1461);
    refused(&one, "INSERT INTO ot (id, name, b) VALUES (?, ?, ?)", "HY000", 1008);
}

/* ---- arrays ---- */

#define ROWS 3

static SQLRETURN insert_array(const char ids[ROWS][8], const char names[ROWS][8],
                              SQLUSMALLINT *status, SQLULEN *done)
{
    SQLLEN rows = 0;
    static SQLLEN id_len[ROWS], name_len[ROWS];
    SQLRETURN r;

    for (size_t i = 0; i < ROWS; i++) {
        id_len[i] = (SQLLEN)strlen(ids[i]);
        name_len[i] = (SQLLEN)strlen(names[i]);
    }
    SQLSetStmtAttr(one.stmt, SQL_ATTR_PARAMSET_SIZE, (SQLPOINTER)ROWS, 0);
    SQLSetStmtAttr(one.stmt, SQL_ATTR_PARAM_STATUS_PTR, status, 0);
    SQLSetStmtAttr(one.stmt, SQL_ATTR_PARAMS_PROCESSED_PTR, done, 0);
    SQLBindParameter(one.stmt, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_DECIMAL, 19, 0,
                     (SQLPOINTER)(uintptr_t)ids, 8, id_len);
    SQLBindParameter(one.stmt, 2, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 8, 0,
                     (SQLPOINTER)(uintptr_t)names, 8, name_len);
    r = run(&one, "INSERT INTO ot (id, name) VALUES (?, ?)");
    if (r == SQL_ERROR)
        expect(SQL_HANDLE_STMT, one.stmt, "23000", 1);
    else if (SQL_SUCCEEDED(SQLRowCount(one.stmt, &rows)))
        assert_int_equal(rows, ROWS); /* of all sets */
    SQLSetStmtAttr(one.stmt, SQL_ATTR_PARAMSET_SIZE, (SQLPOINTER)1, 0);
    SQLSetStmtAttr(one.stmt, SQL_ATTR_PARAM_STATUS_PTR, NULL, 0);
    SQLSetStmtAttr(one.stmt, SQL_ATTR_PARAMS_PROCESSED_PTR, NULL, 0);
    SQLFreeStmt(one.stmt, SQL_RESET_PARAMS);
    return r;
}

static void arrays_go_in_as_one(void **state)
{
    static const char good[ROWS][8] = {"1", "2", "3"}, bad[ROWS][8] = {"4", "1", "5"};
    static const char names[ROWS][8] = {"a", "", "c"};
    SQLUSMALLINT status[ROWS];
    SQLULEN done = 0;

    (void)state;
    manual(&one, true);
    assert_int_equal(insert_array(good, names, status, &done), SQL_SUCCESS);
    assert_string_equal(ask(&one, "SELECT COUNT(*) FROM ot"), "3");
    assert_string_equal(ask(&one, "SELECT id FROM ot WHERE name IS NULL"), "2");
    assert_int_equal(insert_array(bad, names, status, &done), SQL_ERROR);
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(status[i], SQL_PARAM_ERROR);
    assert_int_equal(done, ROWS);
    assert_string_equal(ask(&one, "SELECT COUNT(*) FROM ot"), "3"); /* none of the three */
    assert_true(SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_COMMIT)));
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot"), "3");
    manual(&one, false);
    SQLSetStmtAttr(one.stmt, SQL_ATTR_PARAMSET_SIZE, (SQLPOINTER)2, 0);
    refused(&one, "SELECT 1 FROM dual", "HYC00", 0);
}

/* ---- transactions ---- */

static void a_failed_statement_alone_is_undone(void **state)
{
    (void)state;
    manual(&one, true);
    ok(&one, "INSERT INTO ot (id) VALUES (1)");
    refused(&one, "INSERT INTO ot (id) VALUES (1)", "23000", 1);
    ok(&one, "INSERT INTO ot (id) VALUES (2)");
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot"), "0");
    assert_true(SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_COMMIT)));
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot"), "2");
    ok(&one, "INSERT INTO ot (id) VALUES (3)");
    assert_true(SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_ROLLBACK)));
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot"), "2");
}

static void ddl_commits_before_and_after(void **state)
{
    (void)state;
    manual(&one, true);
    ok(&one, "INSERT INTO ot (id) VALUES (1)");
    ok(&one, "CREATE INDEX ot_ix ON ot (name)");
    assert_true(SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_ROLLBACK)));
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot"), "1");
    ok(&one, "INSERT INTO ot (id) VALUES (2)");
    refused(&one, "CREATE TABLE ot (id NUMBER(1))", "42S01", 955); /* even when it fails */
    assert_true(SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_ROLLBACK)));
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot"), "2");
    ok(&one, "DROP INDEX ot_ix");
    assert_true(SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_ROLLBACK)));
    refused(&one, "DROP INDEX ot_ix", "42S12", 1418);
}

static const char block[] = "BEGIN UPDATE ot SET name = ? WHERE id = ? AND r = ?;\n"
                            "IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20001, 'fenced');"
                            " END IF;\nCOMMIT; END;";

static SQLRETURN fenced_write(struct session *s, const char *name, const char *id)
{
    static const uint8_t holder[] = {0x27, 0, 0x5c};
    static SQLLEN ind[3]; /* the bindings stay */

    bind_text(s, 1, name, &ind[0]);
    bind_number(s, 2, id, &ind[1]);
    bind_bytes(s, 3, SQL_VARBINARY, holder, sizeof(holder), &ind[2]);
    return run(s, block);
}

static void the_fenced_block_commits_or_raises(void **state)
{
    SQLSMALLINT columns = -1;

    (void)state;
    ok(&one, "INSERT INTO ot (id, r) VALUES (1, HEXTORAW('27005C'))");
    manual(&one, true);
    ok(&one, "INSERT INTO ot (id) VALUES (2)");
    assert_int_equal(fenced_write(&one, "it's me", "1"), SQL_SUCCESS);
    SQLNumResultCols(one.stmt, &columns);
    assert_int_equal(columns, 0);
    assert_true(SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_ROLLBACK))); /* too late */
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot"), "2");
    assert_string_equal(ask(&two, "SELECT name FROM ot WHERE id = 1"), "it's me");
    /* again: no transaction was left behind */
    ok(&one, "INSERT INTO ot (id) VALUES (3)");
    assert_int_equal(fenced_write(&one, "again", "1"), SQL_SUCCESS);
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot"), "3");
    /* fenced: the transaction is open, what it wrote is still its own */
    ok(&one, "INSERT INTO ot (id) VALUES (4)");
    assert_int_equal(fenced_write(&one, "x", "9"), SQL_ERROR);
    expect(SQL_HANDLE_STMT, one.stmt, "HY000", 20001);
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot"), "3");
    assert_true(SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_ROLLBACK)));
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot"), "3");
    /* with autocommit too */
    manual(&one, false);
    assert_int_equal(fenced_write(&one, "auto", "1"), SQL_SUCCESS);
    assert_int_equal(fenced_write(&one, "auto", "9"), SQL_ERROR);
    expect(SQL_HANDLE_STMT, one.stmt, "HY000", 20001);
    assert_string_equal(ask(&two, "SELECT name FROM ot WHERE id = 1"), "auto");
    /* prepared once, run both ways: the block alone would not commit in the second */
    assert_int_equal(fenced_write(&one, "both", "1"), SQL_SUCCESS);
    ok(&two, "UPDATE ot SET name = 'other' WHERE id = 1");
    manual(&one, true);
    assert_int_equal(SQLExecute(one.stmt), SQL_SUCCESS);
    assert_true(SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_ROLLBACK)));
    assert_string_equal(ask(&two, "SELECT name FROM ot WHERE id = 1"), "both");
}

static void the_fenced_block_may_write_more(void **state)
{
    (void)state;
    ok(&one, "INSERT INTO ot (id) VALUES (1)");
    ok(&one, "BEGIN UPDATE ot SET d = 1 WHERE id = 1;"
             " IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20001, 'fenced'); END IF;"
             " INSERT INTO ot2 (k) VALUES ('a;b'); COMMIT; END;");
    assert_string_equal(ask(&two, "SELECT k FROM ot2"), "a;b");
    assert_int_equal(
        run(&one, "BEGIN UPDATE ot SET d = 1 WHERE id = 2;"
                  " IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20001, 'fenced'); END IF;"
                  " INSERT INTO ot2 (k) VALUES ('c'); COMMIT; END;"),
        SQL_ERROR);
    expect(SQL_HANDLE_STMT, one.stmt, "HY000", 20001);
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot2"), "1");
    refused(&one, "BEGIN UPDATE ot SET d = 1 WHERE id = 1; COMMIT; END;", "HY000", 6550);
    refused(&one, "BEGIN NULL; END;", "HY000", 6550);
    refused(&one, "DECLARE n NUMBER; BEGIN SELECT 1 INTO n FROM dual; COMMIT; END;", "HY000", 6550);
    refused(&one,
            "BEGIN UPDATE ot SET d = 1 WHERE id = 1;"
            " IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20001, 'fenced'); END IF; END;",
            "HY000", 6550);
}

static void locks_are_told_apart(void **state)
{
    (void)state;
    ok(&one, "INSERT INTO ot (id) VALUES (1)");
    manual(&one, true);
    ok(&one, "SELECT id FROM ot WHERE id = 1 FOR UPDATE");
    SQLFreeStmt(one.stmt, SQL_CLOSE);
    refused(&two, "SELECT id FROM ot WHERE id = 1 FOR UPDATE NOWAIT", "HY000", 54);
    assert_string_equal(ask(&two, "SELECT id FROM ot FOR UPDATE SKIP LOCKED"), "");
    assert_true(SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_COMMIT)));
}

static void schemas_are_users(void **state)
{
    (void)state;
    ok(&one, "ALTER SESSION SET CURRENT_SCHEMA = OTHER");
    refused(&one, "SELECT id FROM ot", "42S02", 942);
    ok(&one, "ALTER SESSION SET CURRENT_SCHEMA = \"LOCKSTEP\"");
    ok(&one, "SELECT id FROM ot");
    refused(&one, "ALTER SESSION SET CURRENT_SCHEMA = NOBODY", "HY000", 1435);
    ok(&one, "ALTER SESSION SET NLS_COMP = BINARY COMMIT_WAIT = WAIT");
    refused(&one, "ALTER SESSION SET search_path = other", "HY000", 2248);
    assert_string_equal(ask(&one, "SELECT table_name FROM user_tables WHERE table_name = 'OT'"),
                        "OT");
}

/* ---- faults ---- */

static void a_lost_session_stays_lost(void **state)
{
    (void)state;
    ok(&two, "INSERT INTO ot (id) VALUES (7)");
    manual(&one, true);
    ok(&one, "UPDATE ot SET d = 1 WHERE id = 7");
    fault("before 3113 match=SELECT 1");
    ok(&one, "INSERT INTO ot (id) VALUES (2)"); /* not that one */
    refused(&one, "SELECT 1 FROM dual", "HY000", 3113);
    refused(&one, "SELECT 1 FROM dual", "HY000", 3114);
    assert_int_equal(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_COMMIT), SQL_ERROR);
    expect(SQL_HANDLE_DBC, one.dbc, "HY000", 3114);
    /* it holds no lock any more, and what it wrote is gone */
    assert_string_equal(ask(&two, "SELECT d FROM ot WHERE id = 7 FOR UPDATE NOWAIT"), "-");
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot"), "1");
    disconnect(&one);
    connect_to(&one);
    assert_string_equal(ask(&one, "SELECT 1 FROM dual"), "1");
    fault("before 60 skip=1");
    ok(&one, "SELECT 1 FROM dual");
    refused(&one, "SELECT 1 FROM dual", "HY000", 60);
    ok(&one, "SELECT 1 FROM dual"); /* a deadlock does not end the session */
}

static void a_killed_backend_is_3113_then_3114(void **state)
{
    (void)state;
    refused(&one, "SELECT pg_terminate_backend(1) FROM dual", "42S02", 942); /* not from here */
    assert_string_equal(ask(&one, "SELECT 1 FROM dual WHERE SYS_CONTEXT('USERENV', 'SESSIONID')"
                                  " = SYS_CONTEXT('USERENV', 'NOTHING')"),
                        "");
    ok(&one, "SELECT sys.fakeora_raise(28, 'your session has been killed') FROM dual WHERE 1 = 2");
    refused(&one, "SELECT sys.fakeora_raise(28, 'your session has been killed') FROM dual", "HY000",
            28);
    refused(&one, "SELECT 1 FROM dual", "HY000", 3114);
    run(&two, "SELECT sys.fakeora_end_session() FROM dual");
    expect(SQL_HANDLE_STMT, two.stmt, "HY000", 3113);
    refused(&two, "SELECT 1 FROM dual", "HY000", 3114);
}

static void the_answer_of_a_commit_is_lost(void **state)
{
    (void)state;
    manual(&one, true);
    ok(&one, "INSERT INTO ot (id, r) VALUES (1, HEXTORAW('27005C'))");
    fault("after 3113 match=COMMIT");
    assert_int_equal(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_COMMIT), SQL_ERROR);
    expect(SQL_HANDLE_DBC, one.dbc, "HY000", 3113);
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot"), "1");
    disconnect(&one);
    connect_to(&one);
    manual(&one, true);
    ok(&one, "INSERT INTO ot (id) VALUES (2)");
    fault("before 25408 match=COMMIT");
    assert_int_equal(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_COMMIT), SQL_ERROR);
    expect(SQL_HANDLE_DBC, one.dbc, "HY000", 25408);
    assert_string_equal(ask(&two, "SELECT COUNT(*) FROM ot"), "1");
    disconnect(&one);
    connect_to(&one);
    fault("after 3113 match=BEGIN UPDATE ot SET");
    assert_int_equal(fenced_write(&one, "late", "1"), SQL_ERROR);
    expect(SQL_HANDLE_STMT, one.stmt, "HY000", 3113);
    assert_string_equal(ask(&two, "SELECT name FROM ot WHERE id = 1"), "late");
    fault("before 3113 match=BEGIN UPDATE ot SET");
    assert_int_equal(fenced_write(&two, "never", "1"), SQL_ERROR);
    disconnect(&two);
    connect_to(&two);
    assert_string_equal(ask(&two, "SELECT name FROM ot WHERE id = 1"), "late");
}

static void a_timeout_is_a_cancel(void **state)
{
    (void)state;
    ok(&one, "INSERT INTO ot (id) VALUES (1)");
    manual(&one, true);
    ok(&one, "UPDATE ot SET d = 1 WHERE id = 1");
    assert_true(SQL_SUCCEEDED(SQLSetStmtAttr(two.stmt, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)1, 0)));
    refused(&two, "UPDATE ot SET d = 1 WHERE id = 1", "HY008", 1013);
    assert_true(SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, one.dbc, SQL_COMMIT)));
}

int main(void)
{
    test_only();
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, leave)
    const struct CMUnitTest tests[] = {
        T(it_calls_itself_oracle),
        T(columns_are_upper_case_and_decimal),
        T(what_is_not_there_is_not_there),
        T(connection_strings),
        T(sixty_four_bits_are_refused),
        T(numbers_are_text),
        T(empty_is_null),
        T(bytes_come_back),
        T(too_long_is_refused),
        T(one_long_value_and_that_last),
        T(arrays_go_in_as_one),
        T(a_failed_statement_alone_is_undone),
        T(ddl_commits_before_and_after),
        T(the_fenced_block_commits_or_raises),
        T(the_fenced_block_may_write_more),
        T(locks_are_told_apart),
        T(schemas_are_users),
        T(other_dialects_are_refused),
        T(long_lists_are_refused),
        T(oracle_texts_run),
        T(the_grammar_gate_agrees),
        T(a_lost_session_stays_lost),
        T(a_killed_backend_is_3113_then_3114),
        T(the_answer_of_a_commit_is_lost),
        T(a_timeout_is_a_cancel),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
