/* rewrite.c: Oracle's text in PostgreSQL's words, token by token, and the fenced block as one
 * message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "t/fakeora/fakeora.h"

struct out {
    char *text;
    size_t len, cap;
    char *domains;
    size_t domains_size;
};

static void put(struct out *o, const char *at, size_t len)
{
    if (o->text && o->len + len + 1 > o->cap) {
        o->cap = 2 * (o->len + len + 1);
        char *more = realloc(o->text, o->cap);
        if (!more)
            free(o->text);
        o->text = more;
    }
    if (!o->text)
        return;
    memcpy(o->text + o->len, at, len);
    o->len += len;
    o->text[o->len] = '\0';
}

static void put_str(struct out *o, const char *text)
{
    put(o, text, strlen(text));
}

static bool refuse(struct ora_diag *d, int native, const char *text)
{
    diag_ora(d, native, text);
    return false;
}

/* A domain of schema sys: a RAW or VARCHAR2 that counts its bytes. */
static void put_domain(struct out *o, const char *prefix, const struct token *n)
{
    char name[40];
    const size_t len = strlen(o->domains);

    snprintf(name, sizeof(name), "%s_%.*s", prefix, (int)(n->len < 8 ? n->len : 8), n->at);
    if (!strstr(o->domains, name))
        snprintf(o->domains + len, o->domains_size - len, "%s ", name);
    put_str(o, "sys.");
    put_str(o, name);
}

/* VARCHAR2(n [BYTE|CHAR]) or RAW(n) at i; returns the token behind it. */
static size_t put_sized(struct out *o, const struct tokens *t, size_t i, bool is_ddl)
{
    const size_t close = token_close(t, i + 1);
    const bool is_raw = token_is(t, i, "RAW");
    const bool is_char = token_is(t, i + 3, "CHAR") || !is_ddl;

    if (is_raw && !is_ddl) {
        put_str(o, "BYTEA");
    } else if (is_raw) {
        put_domain(o, "raw", &t->v[i + 2]);
    } else if (is_char) {
        put_str(o, "VARCHAR(");
        put(o, t->v[i + 2].at, t->v[i + 2].len);
        put_str(o, ")");
    } else {
        put_domain(o, "vc", &t->v[i + 2]);
    }
    return close + 1;
}

/* Words that have another name, wherever they stand. */
static const char *const words[][2] = {
    {"NUMBER", "NUMERIC"},
    {"INTEGER", "NUMERIC(38)"},
    {"BLOB", "BYTEA"},
    {"CLOB", "TEXT"},
    {"MINUS", "EXCEPT"},
    {"NVL", "COALESCE"},
    {"SYSTIMESTAMP", "clock_timestamp()"},
};

static bool put_word(struct out *o, const struct tokens *t, size_t i)
{
    for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
        if (token_is(t, i, words[k][0])) {
            put_str(o, words[k][1]);
            return true;
        }
    }
    return false;
}

/* PCTFREE 50 and its like at i: the number of tokens to leave out. */
static size_t storage_clause(const struct tokens *t, size_t i)
{
    static const char *const numbers[] = {"PCTFREE", "PCTUSED", "INITRANS", "MAXTRANS", NULL};

    if (token_in(t, i, numbers) && i + 1 < t->n && t->v[i + 1].kind == TOKEN_NUMBER)
        return 2;
    return token_is(t, i, "ORGANIZATION") && token_is(t, i + 1, "INDEX") ? 2 : 0;
}

/* Writes the token at i, or what stands for it; returns the one behind. */
static size_t put_token(struct out *o, const struct tokens *t, size_t i, bool is_ddl)
{
    static const char *const sized[] = {"VARCHAR2", "VARCHAR", "RAW", NULL};
    const struct token *v = &t->v[i];
    const bool is_limit = i > 0 && (token_is(t, i - 1, "FIRST") || token_is(t, i - 1, "NEXT") ||
                                    token_is(t, i - 1, "OFFSET"));

    if (is_ddl && storage_clause(t, i) > 0)
        return i + storage_clause(t, i);
    if (token_in(t, i, sized) && token_is(t, i + 1, "("))
        return put_sized(o, t, i, is_ddl);
    if (token_is(t, i, "DBMS_LOB") && token_is(t, i + 2, "GETLENGTH")) {
        put_str(o, "LENGTH");
        return i + 3;
    }
    if (v->kind == TOKEN_PARAM && is_limit) {
        put_str(o, "(?)");
    } else if (v->kind == TOKEN_QUOTED) { /* what is upper case there is lower case here */
        for (size_t k = 0; k < v->len; k++) {
            const char ch = v->at[k];
            put(o, (const char[]){(char)(ch >= 'A' && ch <= 'Z' ? ch + 32 : ch)}, 1);
        }
    } else if (v->kind != TOKEN_WORD || !put_word(o, t, i)) {
        put(o, v->at, v->len);
    }
    return i + 1;
}

static void put_range(struct out *o, const struct tokens *t, size_t from, size_t to, bool is_ddl)
{
    for (size_t i = from; i < to;) {
        if (i > from && !t->v[i].is_glued)
            put_str(o, " ");
        i = put_token(o, t, i, is_ddl);
    }
}

/* ---- ALTER SESSION ---- */

/* CURRENT_SCHEMA is PostgreSQL's search_path; the other settings say what it does anyway. */
static bool put_session(struct out *o, const struct tokens *t, struct ora_diag *d)
{
    static const char *const ignored[] = {"COMMIT_LOGGING", "COMMIT_WAIT", "ISOLATION_LEVEL",
                                          "NLS_COMP",       "NLS_SORT",    "NLS_LENGTH_SEMANTICS",
                                          "TIME_ZONE",      NULL};

    if (token_is(t, 3, "CURRENT_SCHEMA") && token_is(t, 4, "=") && t->n == 6) {
        const bool is_quoted = t->v[5].kind == TOKEN_QUOTED;
        put_str(o, "SELECT sys.fakeora_schema('");
        put(o, t->v[5].at + is_quoted, t->v[5].len - (is_quoted ? 2 : 0));
        put_str(o, "')");
        return true;
    }
    bool ok = token_is(t, 2, "SET") && t->n > 3;
    for (size_t i = 3; ok && i < t->n; i += 3)
        ok = token_in(t, i, ignored) && token_is(t, i + 1, "=") && i + 2 < t->n;
    put_str(o, "SELECT 1 FROM dual");
    return ok || refuse(d, 2248, "invalid option for ALTER SESSION");
}

/* ---- the fenced block ---- */

static size_t statement_end(const struct tokens *t, size_t i)
{
    while (i < t->n && !token_is(t, i, ";"))
        i++;
    return i;
}

/* IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20001, 'text'); END IF; at i: the token behind
 * it, or i. */
static size_t fence_end(const struct tokens *t, size_t i)
{
    static const char *const shape[] = {
        "IF", "SQL", "%",  "ROWCOUNT", "=",  "0", "THEN", "RAISE_APPLICATION_ERROR",
        "(",  "-",   NULL, ",",        NULL, ")", ";",    "END",
        "IF", ";"};
    const size_t n = sizeof(shape) / sizeof(shape[0]);

    if (i + n > t->n)
        return i;
    for (size_t k = 0; k < n; k++) {
        const struct token *v = &t->v[i + k];
        if (k == 5 && v->kind == TOKEN_NUMBER && v->len == 1 && *v->at == '0')
            continue;
        if (k == 10 && (v->len != 5 || strncmp(v->at, "20", 2) != 0)) /* -20000 to -20999 */
            return i;
        if (!shape[k] ? v->kind != (k == 10 ? TOKEN_NUMBER : TOKEN_STRING)
                      : !token_is(t, i + k, shape[k]))
            return i;
    }
    return i + n;
}

/* One statement of the block with the fence behind it, if there is one. */
static size_t put_step(struct out *o, const struct tokens *t, size_t i, bool *has_fence)
{
    const size_t end = statement_end(t, i);
    const size_t behind = fence_end(t, end + 1);

    if (behind == end + 1) {
        put_range(o, t, i, end, false);
    } else { /* counted and raised by the server, in the same statement */
        *has_fence = true;
        put_str(o, "WITH fakeora_fence AS (");
        put_range(o, t, i, end, false);
        put_str(o, " RETURNING 1) SELECT sys.fakeora_fence(COUNT(*), ");
        put(o, t->v[end + 11].at, t->v[end + 11].len);
        put_str(o, ", ");
        put(o, t->v[end + 13].at, t->v[end + 13].len);
        put_str(o, ") FROM fakeora_fence");
    }
    put_str(o, "; ");
    return behind;
}

/* BEGIN statement; [fence] ... COMMIT; END; becomes one message: a client that is stopped at any
 * point holds no lock of the fence. Without an open transaction the message is one by itself. */
static bool put_block(struct out *o, const struct tokens *t, bool is_manual, struct ora_diag *d)
{
    static const char *const writes[] = {"INSERT", "UPDATE", "DELETE", NULL};
    bool has_fence = false;
    size_t i = 1;

    if (!token_is(t, 0, "BEGIN"))
        return refuse(d, 6550, "PL/SQL: only the block of a fenced write is imitated");
    while (token_in(t, i, writes) && statement_end(t, i) < t->n)
        i = put_step(o, t, i, &has_fence);
    if (!has_fence || i + 4 != t->n || !token_is(t, i, "COMMIT") || !token_is(t, i + 1, ";") ||
        !token_is(t, i + 2, "END") || !token_is(t, i + 3, ";"))
        return refuse(d, 6550, "PL/SQL: only the block of a fenced write is imitated");
    if (is_manual)
        put_str(o, "COMMIT");
    return true;
}

/* ALTER TABLE t ADD (c type): PostgreSQL takes one column, without the parentheses. */
static bool put_alter(struct out *o, const struct tokens *t, struct ora_diag *d)
{
    const size_t close = token_close(t, 4);

    for (size_t i = 5; i < close; i++)
        if (t->v[i].depth == 1 && token_is(t, i, ","))
            return refuse(d, 1735, "invalid ALTER TABLE option (one column at a time is imitated)");
    put_range(o, t, 0, 4, true);
    put_str(o, " ");
    put_range(o, t, 5, close, true);
    return true;
}

char *rewrite_text(const struct tokens *t, enum text_kind kind, bool is_manual, char *domains,
                   size_t domains_size, struct ora_diag *d)
{
    struct out o = {
        .text = calloc(1, 1), .cap = 1, .domains = domains, .domains_size = domains_size};
    bool ok = true;

    if (kind == TEXT_SESSION)
        ok = put_session(&o, t, d);
    else if (kind == TEXT_BLOCK)
        ok = put_block(&o, t, is_manual, d);
    else if (token_is(t, 0, "ALTER") && token_is(t, 3, "ADD") && token_is(t, 4, "("))
        ok = put_alter(&o, t, d);
    else
        put_range(&o, t, 0, t->n, kind == TEXT_DDL);
    if (ok && o.text)
        return o.text;
    if (ok)
        diag_set(d, "HY001", 0, "no memory");
    free(o.text);
    return NULL;
}
