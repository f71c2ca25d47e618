/* gate.c: what Oracle refuses and PostgreSQL would take. t/oracle-grammar knows far more about
 * texts; here is what keeps a text of another dialect from passing unnoticed when it is run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "t/fakeora/fakeora.h"

#define NAME_MAX_BYTES 30 /* 128 since 12.2; ours are shorter */
#define IN_LIST_MAX    1000

static bool refuse(struct ora_diag *d, int native, const char *text)
{
    diag_ora(d, native, text);
    return false;
}

/* ---- kinds ---- */

bool text_kind_of(const struct tokens *t, enum text_kind *out, struct ora_diag *d)
{
    static const char *const queries[] = {"SELECT", "WITH", NULL};
    static const char *const writes[] = {"INSERT", "UPDATE", "DELETE", "MERGE",
                                         "LOCK",   "SET",    NULL};
    static const char *const ddl[] = {"CREATE", "ALTER",  "DROP",    "TRUNCATE",
                                      "GRANT",  "REVOKE", "COMMENT", NULL};

    if (token_is(t, 0, "ALTER") && token_is(t, 1, "SESSION"))
        *out = TEXT_SESSION;
    else if (token_is(t, 0, "BEGIN") || token_is(t, 0, "DECLARE"))
        *out = TEXT_BLOCK;
    else if (token_in(t, 0, queries))
        *out = TEXT_QUERY;
    else if (token_in(t, 0, writes))
        *out = TEXT_DML;
    else if (token_in(t, 0, ddl))
        *out = TEXT_DDL;
    else
        return refuse(d, 900, "invalid SQL statement");
    return true;
}

/* ---- single tokens ---- */

struct ban {
    const char *words[3]; /* one behind the other */
    int native;
    const char *says;
};

static const struct ban bans[] = {
    {{"::"}, 911, "invalid character (::)"},
    {{"LIMIT"}, 933, "SQL command not properly ended (LIMIT)"},
    {{"ON", "CONFLICT"}, 933, "SQL command not properly ended (ON CONFLICT)"},
    {{"ON", "UPDATE"}, 905, "missing keyword (ON UPDATE)"},
    {{"ILIKE"}, 920, "invalid relational operator (ILIKE)"},
    {{"EXCEPT"}, 933, "SQL command not properly ended (EXCEPT)"},
    {{"RECURSIVE"}, 905, "missing keyword (RECURSIVE)"},
    {{"IF", "EXISTS"}, 922, "missing or invalid option (IF EXISTS)"},
    {{"IF", "NOT", "EXISTS"}, 922, "missing or invalid option (IF NOT EXISTS)"},
    {{"FOR", "SHARE"}, 933, "SQL command not properly ended (FOR SHARE)"},
    {{"FOR", "KEY"}, 933, "SQL command not properly ended (FOR KEY SHARE)"},
    {{"FOR", "NO"}, 933, "SQL command not properly ended (FOR NO KEY UPDATE)"},
    {{"(", "VALUES"}, 903, "invalid table name (VALUES as a table)"},
    {{"EXTRACT", "(", "EPOCH"}, 907, "missing right parenthesis (EPOCH)"},
    {{"TRUE"}, 904, "invalid identifier (TRUE)"},
    {{"FALSE"}, 904, "invalid identifier (FALSE)"},
    {{"NOW", "("}, 904, "invalid identifier (NOW)"},
    {{"STRING_AGG", "("}, 904, "invalid identifier (STRING_AGG)"},
    {{"IFNULL", "("}, 904, "invalid identifier (IFNULL)"},
    {{"CURRENT_SETTING", "("}, 904, "invalid identifier (CURRENT_SETTING)"},
    {{"SET_CONFIG", "("}, 904, "invalid identifier (SET_CONFIG)"},
    {{"CLOCK_TIMESTAMP", "("}, 904, "invalid identifier (CLOCK_TIMESTAMP)"},
    {{"AS", "(", "UPDATE"}, 928, "missing SELECT keyword (a WITH that writes)"},
    {{"AS", "(", "INSERT"}, 928, "missing SELECT keyword (a WITH that writes)"},
    {{"AS", "(", "DELETE"}, 928, "missing SELECT keyword (a WITH that writes)"},
    {{"CREATE", "SCHEMA"}, 2420, "missing schema authorization clause"},
};

static bool check_bans(const struct tokens *t, struct ora_diag *d)
{
    for (size_t b = 0; b < sizeof(bans) / sizeof(bans[0]); b++) {
        for (size_t i = 0; i < t->n; i++) {
            size_t k = 0;
            while (k < 3 && bans[b].words[k] && token_is(t, i + k, bans[b].words[k]))
                k++;
            if (k == 3 || !bans[b].words[k])
                return refuse(d, bans[b].native, bans[b].says);
        }
    }
    return true;
}

static bool is_upper(const struct token *v)
{
    for (size_t i = 1; i + 1 < v->len; i++)
        if (v->at[i] >= 'a' && v->at[i] <= 'z')
            return false;
    return true;
}

static bool check_token(const struct tokens *t, size_t i, enum text_kind kind, struct ora_diag *d)
{
    const struct token *v = &t->v[i];

    if (v->kind == TOKEN_QUOTED && !is_upper(v))
        return refuse(d, 904, "invalid identifier (our names are upper case)");
    if ((v->kind == TOKEN_WORD && v->len > NAME_MAX_BYTES) ||
        (v->kind == TOKEN_QUOTED && v->len > NAME_MAX_BYTES + 2))
        return refuse(d, 972, "identifier is too long");
    if (v->kind == TOKEN_WORD && v->len > 3 && strncasecmp(v->at, "pg_", 3) == 0)
        return refuse(d, 942, "table or view does not exist (pg_)");
    if (v->kind == TOKEN_STRING && v->len == 2)
        return refuse(d, 936, "missing expression ('' is NULL on Oracle: not imitated)");
    if (v->kind == TOKEN_STRING && v->is_glued && i > 0 && t->v[i - 1].kind == TOKEN_WORD)
        return refuse(d, 911, "invalid character (a literal with a prefix)");
    if (token_is(t, i, ";") && kind != TEXT_BLOCK)
        return refuse(d, 911, "invalid character (;)");
    if (token_is(t, i, "RETURNING")) {
        size_t k = i;
        while (k < t->n && !token_is(t, k, "INTO"))
            k++;
        if (k == t->n)
            return refuse(d, 925, "missing INTO keyword");
    }
    return true;
}

/* ---- types ---- */

static long number_at(const struct tokens *t, size_t i)
{
    return i < t->n && t->v[i].kind == TOKEN_NUMBER ? strtol(t->v[i].at, NULL, 10) : -1;
}

static bool type_starts(const struct tokens *t, size_t i, enum text_kind kind)
{
    return (kind == TEXT_DDL && i >= 2 && t->v[i - 1].kind == TOKEN_WORD) ||
           (i > 0 && token_is(t, i - 1, "AS"));
}

static bool check_type(const struct tokens *t, size_t i, enum text_kind kind, struct ora_diag *d)
{
    static const char *const foreign[] = {"BYTEA", "SERIAL",  "BIGSERIAL", "BIGINT", "TEXT",
                                          "BOOL",  "BOOLEAN", "JSONB",     "UUID",   "TIMESTAMPTZ",
                                          "INT2",  "INT4",    "INT8",      NULL};
    static const char *const sized[] = {"VARCHAR2", "VARCHAR", "RAW", NULL};
    const long n = token_is(t, i + 1, "(") ? number_at(t, i + 2) : -1;

    if (!type_starts(t, i, kind))
        return true;
    if (token_in(t, i, foreign))
        return refuse(d, 902, "invalid datatype");
    if (token_in(t, i, sized) && n < 0)
        return refuse(d, 906, "missing left parenthesis");
    if (token_in(t, i, sized) && n > (token_is(t, i, "RAW") ? 2000 : 4000))
        return refuse(d, 910, "specified length too long for its datatype");
    if (token_is(t, i, "NUMBER") && n > 38)
        return refuse(d, 1727, "numeric precision specifier is out of range (1 to 38)");
    return true;
}

/* ---- clauses ---- */

/* The first of these words behind i at its depth, before that depth ends; n: none. */
static size_t find_at_depth(const struct tokens *t, size_t i, const char *const *words)
{
    for (size_t k = i + 1; k < t->n && t->v[k].depth >= t->v[i].depth; k++) {
        if (t->v[k].depth == t->v[i].depth && token_in(t, k, words))
            return k;
    }
    return t->n;
}

static bool check_select(const struct tokens *t, size_t i, struct ora_diag *d)
{
    static const char *const ends[] = {"FROM", "UNION", "INTERSECT", "MINUS", ";", NULL};
    static const char *const pages[] = {"FETCH", "OFFSET", NULL};
    const size_t end = find_at_depth(t, i, ends);
    bool has_page = token_is(t, i + 1, "DISTINCT");

    if (token_is(t, 0, "GRANT")) /* a privilege */
        return true;
    if (!token_is(t, end, "FROM"))
        return refuse(d, 923, "FROM keyword not found where expected");
    if (i != 0) /* a lock is at the end of the outermost */
        return true;
    for (size_t k = i; k < t->n; k++) {
        has_page = has_page || token_in(t, k, pages);
        if (has_page && token_is(t, k, "FOR") && token_is(t, k + 1, "UPDATE"))
            return refuse(d, 2014,
                          "cannot select FOR UPDATE from view with DISTINCT, GROUP BY, etc.");
    }
    return true;
}

static bool check_in_list(const struct tokens *t, size_t i, struct ora_diag *d)
{
    const size_t end = token_close(t, i);
    size_t items = 1;

    for (size_t k = i + 1; k < end; k++)
        items += t->v[k].depth == t->v[i].depth + 1 && token_is(t, k, ",");
    return items <= IN_LIST_MAX ||
           refuse(d, 1795, "maximum number of expressions in a list is 1000");
}

/* An alias behind AS, for a table: FROM t AS x, JOIN (...) AS x, UPDATE t AS x. */
static bool is_table_alias(const struct tokens *t, size_t i)
{
    static const char *const before[] = {"FROM", "JOIN", "USING", "UPDATE", "INTO", NULL};
    size_t open = i - 1;

    if (i < 2 || !token_is(t, i, "AS"))
        return false;
    if (token_is(t, i - 1, ")")) {
        while (open > 0 && !(token_is(t, open, "(") && t->v[open].depth == t->v[i].depth))
            open--;
        return open > 0 && token_in(t, open - 1, before);
    }
    return t->v[i - 1].kind == TOKEN_WORD && token_in(t, i - 2, before);
}

static bool check_clause(const struct tokens *t, size_t i, struct ora_diag *d)
{
    static const char *const orders[] = {"<", ">", "<=", ">=", NULL};

    if (token_is(t, i, "SELECT") && !check_select(t, i, d))
        return false;
    if (token_is(t, i, "IN") && token_is(t, i + 1, "(") && !check_in_list(t, i + 1, d))
        return false;
    if (is_table_alias(t, i))
        return refuse(d, 933, "SQL command not properly ended (AS before a table's alias)");
    if (token_is(t, i, "VALUES") && token_is(t, i + 1, "(") &&
        token_is(t, token_close(t, i + 1) + 1, ","))
        return refuse(d, 933, "SQL command not properly ended (several rows)");
    if (token_is(t, i, ")") && token_in(t, i + 1, orders) && token_is(t, i + 2, "(")) {
        for (size_t k = i + 3; k < token_close(t, i + 2); k++)
            if (t->v[k].depth == t->v[i + 2].depth + 1 && token_is(t, k, ","))
                return refuse(d, 1796, "this operator cannot be used with lists");
    }
    return true;
}

/* At the depth of the statement: UPDATE ... FROM, DELETE ... USING, CREATE INDEX ... WHERE. */
static bool check_first_word(const struct tokens *t, struct ora_diag *d)
{
    static const char *const from[] = {"FROM", ";", NULL}, *const use[] = {"USING", ";", NULL},
                             *const where[] = {"WHERE", NULL}, *const with[] = {"WITH", NULL};
    const size_t first = token_is(t, 0, "BEGIN") ? 1 : 0;

    if (token_is(t, first, "UPDATE") && token_is(t, find_at_depth(t, first, from), "FROM"))
        return refuse(d, 933, "SQL command not properly ended (UPDATE ... FROM)");
    if (token_is(t, first, "DELETE") && token_is(t, find_at_depth(t, first, use), "USING"))
        return refuse(d, 933, "SQL command not properly ended (DELETE ... USING)");
    if (token_is(t, 0, "CREATE") && (token_is(t, 1, "INDEX") || token_is(t, 2, "INDEX")) &&
        find_at_depth(t, 0, where) < t->n)
        return refuse(d, 933, "SQL command not properly ended (a partial index)");
    if (token_is(t, 0, "CREATE") && token_is(t, 1, "TABLE") && find_at_depth(t, 0, with) < t->n)
        return refuse(d, 922, "missing or invalid option (WITH)");
    return true;
}

bool gate_check(const struct tokens *t, enum text_kind kind, struct ora_diag *d)
{
    if (!check_bans(t, d) || !check_first_word(t, d))
        return false;
    for (size_t i = 0; i < t->n; i++)
        if (!check_token(t, i, kind, d) || !check_type(t, i, kind, d) || !check_clause(t, i, d))
            return false;
    if (token_is(t, 0, "MERGE"))
        return gate_merge(t, d);
    return kind != TEXT_DDL || gate_table(t, d);
}

/* ---- MERGE ---- */

static bool same_word(const struct token *a, const struct token *b)
{
    return a->len == b->len && strncasecmp(a->at, b->at, a->len) == 0;
}

/* Whether the ON clause between open and close speaks of this column of the target. */
static bool on_names(const struct tokens *t, size_t open, size_t close, const struct token *column)
{
    for (size_t i = open + 1; i < close; i++) {
        const bool has_prefix = i >= 2 && token_is(t, i - 1, ".");
        const bool is_targets =
            !has_prefix || same_word(&t->v[i - 2], &t->v[2]) || same_word(&t->v[i - 2], &t->v[3]);
        if (t->v[i].kind == TOKEN_WORD && !token_is(t, i + 1, ".") && is_targets &&
            same_word(&t->v[i], column))
            return true;
    }
    return false;
}

/* MERGE INTO target [alias] USING ... ON (...) WHEN MATCHED THEN UPDATE SET a = ..., b = ... */
bool gate_merge(const struct tokens *t, struct ora_diag *d)
{
    static const char *const on[] = {"ON", NULL};
    const size_t open = find_at_depth(t, 0, on) + 1;
    const size_t close = token_is(t, open, "(") ? token_close(t, open) : t->n;

    if (close >= t->n)
        return refuse(d, 969, "missing ON keyword");
    for (size_t i = close; i + 1 < t->n; i++) {
        if (!token_is(t, i, "UPDATE") || !token_is(t, i + 1, "SET"))
            continue;
        for (size_t k = i + 2; k < t->n && !token_is(t, k, "WHEN"); k++) {
            const bool is_first =
                t->v[k].depth == 0 && (token_is(t, k - 1, "SET") || token_is(t, k - 1, ",") ||
                                       (token_is(t, k - 1, ".") && token_is(t, k + 1, "=")));
            if (is_first && token_is(t, k + 1, "=") && on_names(t, open, close, &t->v[k]))
                return refuse(d, 38104, "Columns referenced in the ON Clause cannot be updated");
        }
    }
    return true;
}

/* ---- tables ---- */

static const char *const reserved[] = {
    "ACCESS",   "ADD",      "ALL",    "ALTER",    "AND",       "ANY",      "AS",       "ASC",
    "AUDIT",    "BETWEEN",  "BY",     "CHAR",     "CHECK",     "CLUSTER",  "COLUMN",   "COMMENT",
    "COMPRESS", "CONNECT",  "CREATE", "CURRENT",  "DATE",      "DECIMAL",  "DEFAULT",  "DELETE",
    "DESC",     "DISTINCT", "DROP",   "ELSE",     "EXCLUSIVE", "EXISTS",   "FILE",     "FLOAT",
    "FOR",      "FROM",     "GRANT",  "GROUP",    "HAVING",    "IN",       "INDEX",    "INITIAL",
    "INSERT",   "INTEGER",  "INTO",   "IS",       "LEVEL",     "LIKE",     "LOCK",     "LONG",
    "MINUS",    "MODE",     "MODIFY", "NOT",      "NOWAIT",    "NULL",     "NUMBER",   "OF",
    "OFFLINE",  "ON",       "ONLINE", "OPTION",   "OR",        "ORDER",    "PRIOR",    "PUBLIC",
    "RAW",      "RENAME",   "ROW",    "RESOURCE", "REVOKE",    "ROWID",    "ROWNUM",   "ROWS",
    "SELECT",   "SESSION",  "SET",    "SHARE",    "SIZE",      "SMALLINT", "START",    "SYNONYM",
    "SYSDATE",  "TABLE",    "THEN",   "TO",       "TRIGGER",   "UID",      "UNION",    "UNIQUE",
    "UPDATE",   "USER",     "VALUES", "VARCHAR",  "VARCHAR2",  "VIEW",     "WHENEVER", "WHERE",
    "WITH",     NULL};

static bool is_lob_column(const struct tokens *t, size_t open, const struct token *name)
{
    static const char *const lobs[] = {"BLOB", "CLOB", NULL};

    for (size_t i = open; i + 2 < t->n; i++)
        if ((token_is(t, i, "(") || token_is(t, i, ",")) && t->v[i + 1].kind == TOKEN_WORD &&
            same_word(&t->v[i + 1], name) && token_in(t, i + 2, lobs))
            return true;
    return false;
}

static bool check_keys(const struct tokens *t, size_t open, struct ora_diag *d)
{
    static const char *const lobs[] = {"BLOB", "CLOB", NULL};

    for (size_t i = open; i < t->n; i++) {
        if (token_in(t, i, lobs) && (token_is(t, i + 1, "PRIMARY") || token_is(t, i + 1, "UNIQUE")))
            return refuse(d, 2329, "column of datatype LOB cannot be unique or a primary key");
        const bool is_key =
            (token_is(t, i, "KEY") && token_is(t, i - 1, "PRIMARY")) || token_is(t, i, "UNIQUE");
        if (!is_key || !token_is(t, i + 1, "("))
            continue;
        for (size_t k = i + 2; k < token_close(t, i + 1); k++)
            if (is_lob_column(t, open, &t->v[k]))
                return refuse(d, 2329, "column of datatype LOB cannot be unique or a primary key");
    }
    return true;
}

bool gate_table(const struct tokens *t, struct ora_diag *d)
{
    static const char *const others[] = {"CONSTRAINT", "PRIMARY", "UNIQUE",
                                         "FOREIGN",    "CHECK",   NULL};
    size_t open = 0;

    if (!token_is(t, 1, "TABLE"))
        return true;
    if (token_is(t, 0, "ALTER") && token_is(t, 3, "ADD") && !token_is(t, 4, "(") &&
        token_in(t, 4, reserved) && !token_in(t, 4, others))
        return refuse(d, 904, "invalid identifier (reserved)");
    if (token_in(t, 2, reserved))
        return refuse(d, 903, "invalid table name");
    while (open < t->n && !token_is(t, open, "("))
        open++;
    for (size_t i = open; token_is(t, 0, "CREATE") && i < t->n; i++) {
        const bool is_start = i == open || (token_is(t, i, ",") && t->v[i].depth == 1);
        if (is_start && token_in(t, i + 1, reserved) && !token_in(t, i + 1, others))
            return refuse(d, 904, "invalid identifier (reserved)");
    }
    return check_keys(t, open, d);
}
