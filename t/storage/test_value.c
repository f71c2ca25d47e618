/* test_value.c: what goes in comes out, or is refused before a driver sees it. */
#include "storage/catalogue.h"
#include "suite.h"

struct expected {
    struct value i, s, b;
    size_t rows;
};

static bool value_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    struct expected *x = ctx;

    (void)err;
    check_int(n, 5);
    check_int(cols[0].kind, x->i.kind);
    check(cols[0].i64 == x->i.i64);
    check_int(cols[1].kind, x->s.kind);
    check_int(cols[1].bytes.len, x->s.bytes.len);
    check(bytes_equal(cols[1].bytes, x->s.bytes));
    check_int(cols[1].bytes.len, strlen(value_cstr(&cols[1])));
    check_int(cols[2].kind, x->b.kind);
    check_int(cols[2].bytes.len, x->b.bytes.len);
    check(bytes_equal(cols[2].bytes, x->b.bytes));
    check_int(cols[3].i64, x->s.kind == VALUE_NULL);
    check(cols[4].kind == VALUE_NULL || (size_t)cols[4].i64 == x->b.bytes.len);
    x->rows++;
    return true;
}

static void round_trip(int64_t id, struct value i, struct value s, struct value b)
{
    const struct value v[] = {value_i64(id), i, s, b};
    struct expected x = {i, s, b.bytes.len > 0 ? b : value_null(), 0}; /* empty is NULL */
    struct error e;
    int64_t affected = -1;

    check_done(db_exec(suite_db, "t_value_insert", v, 4, 0, &affected, &e));
    check_int(affected, 1);
    check_done(db_query(suite_db, "t_value_read", v, 1, 0, value_row, &x, &e));
    check_int(x.rows, 1);
}

static void values_come_back_as_they_went_in(void **state)
{
    static const size_t sizes[] = {0,     1,     3,     4,       5,           255,
                                   1023,  1024,  1025,  4000,    4001,        8190,
                                   32768, 65535, 65537, 1000000, 10 * 1048576};
    const size_t max = 10 * 1048576;
    uint8_t *bytes = malloc(max);
    char *text = malloc(max + 1);
    int64_t id = 1;

    (void)state;
    check(bytes);
    check(text);
    for (size_t i = 0; i < max; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 256); /* NUL bytes among them */
        text[i] = (char)('a' + i % 26);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        text[sizes[i]] = '\0';
        round_trip(id++, value_i64(7), value_text(text), value_bytes(bytes_of(bytes, sizes[i])));
        text[sizes[i]] = 'x';
    }
    round_trip(id++, value_i64(INT64_MAX), value_text("x"), value_bytes(bytes_of("\0", 1)));
    round_trip(id++, value_i64(INT64_MIN),
               value_text("\xf0\x9f\x98\x80 h\xc3\xa9\xe2\x82\xac'\\%s?{}"),
               value_bytes(bytes_of("\0\0\0\0", 4)));
    round_trip(id++, value_i64(-1), value_text(" trailing "), value_null());
    round_trip(id++, value_null(), value_null(), value_null());
    round_trip(INT64_MIN, value_i64(0), value_text("a\nb\r\n\tc"), value_null());
    free(bytes);
    free(text);
}

static void empty_text_is_null(void **state)
{
    (void)state;
    round_trip(1, value_i64(1), value_text(""), value_null());
}

/* What a quoting, an encoding or a driver's own language could stumble over. */
static void any_text_comes_back(void **state)
{
    static const char *const texts[] = {
        "'",
        "''",
        "\"",
        "\\",
        "\\\\'",
        "%s%n",
        "?",
        "{fn now()}",
        "{",
        "}",
        ":name",
        "--",
        "/* x",
        "$1 $$",
        "`",
        "&amp;",
        " leading and trailing ",
        "a\nb\r\n\tc",
        "\x01\x02\x1b\x1f\x7f",
        "NULL",
        "0",
        "-1",
        "1e9",
        "E'\\x41'",
        "N'x'",
        "h\xc3\xa9\xe2\x82\xac", /* two and three bytes */
        "\xf0\x9f\x98\x80",      /* four */
        "\xf4\x8f\xbf\xbf",
        "\xef\xbf\xbd", /* the last code point; the replacement */
        "\xef\xbb\xbfmark",
        "e\xcc\x81", /* a combining accent stays apart */
        "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
        "\xe2\x80\xaertl",
        "\xc2\xa0",
        "\xe2\x80\xa8",
        "\xed\x9f\xbf",
        "\xee\x80\x80", /* beside the surrogates */
    };

    (void)state;
    for (size_t i = 0; i < RULES_N(texts); i++)
        round_trip((int64_t)i, value_i64((int64_t)i), value_text(texts[i]),
                   value_bytes(bytes_str(texts[i])));
}

static void numbers_keep_64_bits(void **state)
{
    static const int64_t numbers[] = {
        INT64_MIN,
        INT64_MIN + 1,
        INT64_MAX,
        INT64_MAX - 1,
        0,
        1,
        -1,
        INT32_MAX,
        INT32_MIN,
        (int64_t)INT32_MAX + 1,
        (int64_t)INT32_MIN - 1,
        9007199254740993,
        -9007199254740993,
        UINT32_MAX,
        999999999999999999,
        1000000000000000000,
    };
    const struct value lowest[] = {value_i64(INT64_MIN)}, next[] = {value_i64(INT64_MIN + 1)};
    const struct value highest[] = {value_i64(INT64_MAX)};

    (void)state;
    for (size_t i = 0; i < RULES_N(numbers); i++)
        round_trip(numbers[i], value_i64(numbers[i]), value_null(), value_null());
    check_int(query_i64(suite_db, "t_value_less", lowest, 1), 0);
    check_int(query_i64(suite_db, "t_value_less", next, 1), 1);
    check_int(query_i64(suite_db, "t_value_less", highest, 1), RULES_N(numbers) - 1);
}

static void numbers_compare_as_numbers(void **state)
{
    const struct value ten[] = {value_i64(10)};

    (void)state;
    round_trip(1, value_i64(9), value_null(), value_null());
    round_trip(2, value_i64(100), value_null(), value_null());
    check_int(query_i64(suite_db, "t_value_by_i", ten, 1), 1);
}

static void nothing_becomes_null(void **state)
{
    const struct value text = value_text("x");

    (void)state;
    check_int(value_text(NULL).kind, VALUE_NULL);
    check_int(value_text("").kind, VALUE_NULL);
    check_int(value_bytes(bytes_of(NULL, 0)).kind, VALUE_NULL);
    check_int(value_bytes(bytes_of("", 0)).kind, VALUE_BYTES);
    check_int(value_i64(0).kind, VALUE_I64);
    check_int(value_null().bytes.len, 0);
    check_text(value_cstr(&text), "x");
}

/* ---- refused before the driver ---- */

/* t_value_insert with something that its header does not allow. */
static void refused_value(struct value i, struct value s, struct value b, enum error_code code,
                          const char *words)
{
    const struct value v[] = {value_i64(1), i, s, b};
    const int64_t sent = trace_sent();
    struct error e;

    check_refused(db_exec(suite_db, "t_value_insert", v, 4, 0, NULL, &e), code);
    check_says(e.cause, "t_value_insert: ");
    check_says(e.cause, words);
    check_int(trace_sent(), sent);
}

static void what_is_no_text_is_refused_before_the_driver(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\xff\xfe", 2},
        {"a\x80", 2},
        {"\xc3", 1},
        {"\xe2\x82", 2},
        {"\xf0\x9f\x98", 3},
        {"\xc0\xaf", 2},
        {"\xe0\x80\xaf", 3},
        {"\xed\xa0\x80", 3},
        {"\xf4\x90\x80\x80", 4},
        {"\xf8\x88\x80\x80\x80", 5},
        {"a\0b", 3},
        {"\0", 1},
    };

    (void)state;
    for (size_t i = 0; i < RULES_N(bad); i++)
        refused_value(value_null(),
                      (struct value){VALUE_TEXT, 0, bytes_of(bad[i].bytes, bad[i].len)},
                      value_null(), ERR_MALFORMED, "s is not UTF-8 without NUL");
    check_int(query_i64(suite_db, "t_value_count", NULL, 0), 0);
}

static void what_is_too_long_for_all_is_refused_before_the_driver(void **state)
{
    const struct bytes huge = bytes_of("", VALUE_BYTES_MAX + 1); /* nobody may look at it */

    (void)state;
    refused_value(value_null(), value_null(), value_bytes(huge), ERR_LIMIT, "b has 67108865 bytes");
    refused_value(value_null(), (struct value){VALUE_TEXT, 0, huge}, value_null(), ERR_LIMIT,
                  "s has 67108865 bytes");
}

static void another_kind_is_refused_before_the_driver(void **state)
{
    (void)state;
    refused_value(value_text("7"), value_null(), value_null(), ERR_INTERNAL, "i is text");
    refused_value(value_null(), value_i64(7), value_null(), ERR_INTERNAL, "s is i64");
    refused_value(value_null(), value_null(), value_text("x"), ERR_INTERNAL, "b is text");
    refused_value(value_null(), value_bytes(bytes_str("x")), value_null(), ERR_INTERNAL,
                  "s is bytes");
}

struct with {
    const struct statement *s;
    const struct value *params, *row;
};

static bool with_txn(struct txn *t, void *ctx, struct error *err)
{
    const struct with *w = ctx;

    return called(txn_insert_many(t, w->s->name, w->params, w->s->nparams, w->row, 1, err));
}

static bool run_with(struct with w, struct error *err)
{
    const struct statement *s = w.s;

    if (s->fenced)
        return db_fenced(suite_db, s->name, w.params, s->nparams, w.row, s->nrow > 0, 0, NULL, err);
    if (s->nrow > 0)
        return db_txn(suite_db, 0, with_txn, &w, err);
    return db_exec(suite_db, s->name, w.params, s->nparams, 0, NULL, err);
}

#define LONGEST 4000 /* characters of any text(n) */
static char four_bytes[4 * (LONGEST + 1)];

/* All NULL, but for one text that is one character too long. */
static void refuse_long(const struct statement *s, const struct column *c, bool is_row, size_t at)
{
    struct value params[120], row[120];
    struct error e;
    char words[200];

    for (size_t k = 0; k < RULES_N(params); k++)
        params[k] = row[k] = value_null();
    const struct value v = {VALUE_TEXT, 0, bytes_of(four_bytes, 4 * ((size_t)c->max + 1))};
    (is_row ? row : params)[at] = v;
    const int64_t runs = trace_runs(s);
    const struct with w = {s, params, row};
    check_refused(run_with(w, &e), ERR_LIMIT);
    snprintf(words, sizeof(words), "%s: %s has %u characters, at most %u", s->name, c->name,
             c->max + 1, c->max);
    check_text(e.cause, words);
    check_int(trace_runs(s), runs);
}

static void every_declared_limit_is_kept(void **state)
{
    size_t n, limits = 0;
    const struct statement *s = called(catalogue_statements(db_dialect(suite_db), &n));

    (void)state;
    for (size_t i = 0; i < sizeof(four_bytes); i++)
        four_bytes[i] = "\xf0\x9f\x98\x80"[i % 4];
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < s[i].nparams; k++)
            if (s[i].params[k].max > 0 && s[i].params[k].kind == VALUE_TEXT) {
                refuse_long(&s[i], &s[i].params[k], false, k);
                limits++;
            }
        for (size_t k = 0; k < s[i].nrow; k++)
            if (s[i].row[k].max > 0 && s[i].row[k].kind == VALUE_TEXT) {
                refuse_long(&s[i], &s[i].row[k], true, k);
                limits++;
            }
    }
    check(limits > 20);
}

static bool long_name_txn(struct txn *t, void *ctx, struct error *err)
{
    struct value *v = log_rows(1, 1);

    v[2] = value_text(ctx);
    const bool ok = txn_insert_many(t, "t_log_many", NULL, 0, v, 1, err);
    free(v);
    return ok;
}

static void a_text_at_its_limit_is_stored(void **state)
{
    char text[4 * 101 + 1] = "";
    struct error e;

    (void)state;
    for (int i = 0; i < 101; i++)
        strcat(text, "\xf0\x9f\x98\x80");
    check_refused(db_txn(suite_db, 0, long_name_txn, text, &e), ERR_LIMIT);
    check_text(e.cause, "t_log_many: name has 101 characters, at most 100");
    text[400] = '\0'; /* 100 characters of four bytes */
    check_done(db_txn(suite_db, 0, long_name_txn, text, &e));
    check_int(query_i64(suite_db, "t_log_count", NULL, 0), 1);
}

static void what_is_not_in_the_catalogue_is_not_prepared(void **state)
{
    const struct value v[] = {value_i64(1), value_i64(1)};
    const int64_t sent = trace_sent();
    struct error e;

    (void)state;
    check_refused(db_exec(suite_db, "DELETE FROM t_value", NULL, 0, 0, NULL, &e), ERR_INTERNAL);
    check_refused(db_query(suite_db, "no_such", NULL, 0, 0, any_row, NULL, &e), ERR_INTERNAL);
    check_refused(db_exec(suite_db, "t_value_update", v, 1, 0, NULL, &e), ERR_INTERNAL);
    check_says(e.cause, "1 parameters, its header has 2");
    check_int(trace_sent(), sent);
}

/* A statement of one dialect only is refused on the others like one that nobody has. */
static void a_statement_of_another_dialect_is_refused(void **state)
{
    struct error e;

    (void)state;
    for (int d = 0; d < DIALECT_N; d++) {
        size_t n;
        const struct statement *s = catalogue_statements((enum dialect)d, &n);
        for (size_t i = 0; i < n; i++)
            if (!catalogue_find(db_dialect(suite_db), s[i].name))
                check_refused(db_exec(suite_db, s[i].name, NULL, 0, 0, NULL, &e), ERR_INTERNAL);
    }
    check_text(dialect_name(db_dialect(suite_db)), dialect_name(engine_dialect()));
}

/* ---- queries ---- */

static bool refusing_row(void *ctx, const struct value *cols, size_t n, struct error *err)
{
    (void)cols;
    (void)n;
    (*(int *)ctx)++;
    return error_set(err, ERR_RETRY, NULL, "the callback's own");
}
static void a_refused_row_ends_the_query(void **state)
{
    const struct value id[] = {value_i64(1)};
    struct error e;
    int calls = 0;

    (void)state;
    round_trip(1, value_i64(9), value_null(), value_null());
    check_refused(db_query(suite_db, "t_value_read", id, 1, 0, refusing_row, &calls, &e),
                  ERR_RETRY);
    check_int(calls, 1);
    check_int(query_i64(suite_db, "t_value_count", NULL, 0), 1);
}
static void a_second_row_with_a_key_is_a_duplicate(void **state)
{
    const struct value v[] = {value_i64(1), value_i64(1), value_null(), value_null()};
    struct error e;

    (void)state;
    check_done(db_exec(suite_db, "t_value_insert", v, 4, 0, NULL, &e));
    check_refused(db_exec(suite_db, "t_value_insert", v, 4, 0, NULL, &e), ERR_DUPLICATE);
    check_int(query_i64(suite_db, "t_value_count", NULL, 0), 1);
}

static void a_row_that_breaks_a_rule_of_its_table_is_refused(void **state)
{
    struct error e;
    struct value *v = log_rows(1, 1);
    struct many m = {v, 1};

    (void)state;
    v[1] = value_null(); /* its column wants a value */
    check_refused(db_txn(suite_db, 0, many_txn, &m, &e), ERR_DATABASE);
    check_int(query_i64(suite_db, "t_log_count", NULL, 0), 0);
    free(v);
}

static const struct rule rules[] = {
    RULE_IN(values_come_back_as_they_went_in, clear_all, NULL),
    RULE_IN(empty_text_is_null, clear_all, NULL),
    RULE_IN(any_text_comes_back, clear_all, NULL),
    RULE_IN(numbers_keep_64_bits, clear_all, NULL),
    RULE_IN(numbers_compare_as_numbers, clear_all, NULL),
    RULE(nothing_becomes_null),
    RULE_IN(what_is_no_text_is_refused_before_the_driver, clear_all, NULL),
    RULE_IN(what_is_too_long_for_all_is_refused_before_the_driver, clear_all, NULL),
    RULE_IN(another_kind_is_refused_before_the_driver, clear_all, NULL),
    RULE(every_declared_limit_is_kept),
    RULE_IN(a_text_at_its_limit_is_stored, clear_all, NULL),
    RULE(what_is_not_in_the_catalogue_is_not_prepared),
    RULE(a_statement_of_another_dialect_is_refused),
    RULE_IN(a_refused_row_ends_the_query, clear_all, NULL),
    RULE_IN(a_second_row_with_a_key_is_a_duplicate, clear_all, NULL),
    RULE_IN(a_row_that_breaks_a_rule_of_its_table_is_refused, clear_all, NULL),
};
const struct rules value_rules = {"values", rules, RULES_N(rules), open_all, close_all};
