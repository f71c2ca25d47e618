/* suite.c: runs the rules on one engine and writes its cells (LS_TEST_CELLS names the file). */
#include "suite.h"

#include <ctype.h>
#include <stdatomic.h>

#include "storage/catalogue.h"
#include "suite_calls.h"
#include "t/only.h"

#define RULES_MAX 200

enum cell_state { CELL_HOLE, CELL_RUNNING, CELL_OK, CELL_FAILED };
static const char *const state_names[] = {"hole", "FAIL", "ok", "FAIL"};

struct cell {
    const char *kind, *name, *note;
    enum cell_state state;
    long count;      /* checks */
    bool is_touched; /* by the running rule */
};

/* The rules of this run, the functions, the codes: one list, filled by main. */
static struct cell cells[RULES_MAX + SUITE_CALLS_N + SUITE_CODES_N];
static size_t ncells, nrules;
static struct cell *running;
static atomic_long checks; /* of the running rule; threads may count too */

static struct cell *cell_add(const char *kind, const char *name)
{
    struct cell *c = &cells[ncells++];

    *c = (struct cell){.kind = kind, .name = name};
    return c;
}

static struct cell *cell_find(const char *kind, const char *name, size_t len)
{
    for (size_t i = 0; i < ncells; i++)
        if (cells[i].kind[0] == kind[0] && strncmp(cells[i].name, name, len) == 0 &&
            cells[i].name[len] == '\0')
            return &cells[i];
    return NULL;
}

static void touch(struct cell *c)
{
    if (!c)
        return;
    c->is_touched = true;
    c->count++;
}

/* Every known function in the text of a check. */
void suite_checked(const char *expr)
{
    atomic_fetch_add(&checks, 1);
    while (*expr) {
        size_t n = 0;
        while (isalnum((unsigned char)expr[n]) || expr[n] == '_')
            n++;
        if (n > 0 && expr[n] == '(')
            touch(cell_find("function", expr, n));
        expr += n > 0 ? n : 1;
    }
}

void suite_code(enum error_code code)
{
    touch(cell_find("code", error_id(code), strlen(error_id(code))));
}

void suite_instead(const char *reason)
{
    if (running)
        running->note = reason;
}

void suite_code_instead(enum error_code code, const char *reason)
{
    struct cell *c = cell_find("code", error_id(code), strlen(error_id(code)));

    touch(c);
    if (c)
        c->note = reason;
}

/* The rule that ran last has ended: by its end, or by a check that failed. */
static void settle(void)
{
    if (!running)
        return;
    running->count = atomic_load(&checks);
    for (size_t i = nrules; i < ncells; i++) {
        if (!cells[i].is_touched)
            continue;
        cells[i].is_touched = false;
        if (running->state != CELL_OK)
            cells[i].state = CELL_FAILED;
        else if (cells[i].state == CELL_HOLE)
            cells[i].state = CELL_OK;
    }
    if (running->state == CELL_RUNNING)
        running->state = CELL_FAILED;
    running = NULL;
}

struct running_rule {
    const struct rule *rule;
    struct cell *cell;
};

static void run_rule(void **state)
{
    const struct running_rule *r = *state;
    void *none = NULL;

    settle();
    running = r->cell;
    running->state = CELL_RUNNING;
    atomic_store(&checks, 0);
    r->rule->fn(&none);
    running->state = atomic_load(&checks) > 0 ? CELL_OK : CELL_HOLE;
}

static int run_group(const struct rules *g, struct cell *first)
{
    struct CMUnitTest tests[RULES_MAX];
    struct running_rule all[RULES_MAX];

    for (size_t i = 0; i < g->n; i++) {
        all[i] = (struct running_rule){&g->list[i], first + i};
        tests[i] = (struct CMUnitTest){g->list[i].name, run_rule, g->list[i].setup,
                                       g->list[i].teardown, &all[i]};
    }
    const int failed = _cmocka_run_group_tests(g->name, tests, g->n, g->setup, g->teardown);
    settle();
    return failed;
}

/* ---- statements ---- */

/* Why an engine does without a statement. */
static const struct {
    const char *name, *engine, *why;
} absent[] = {
    {"session_setup", "sqlite", "no server: its limits are the connection's and the watchdog's"},
    {"session_unblock", "sqlite", "a stopped process blocks others until it goes on or ends"},
    {"schema_exists", "sqlite", "one file is one schema"},
    {"schema_create", "sqlite", "one file is one schema"},
    {"schema_version_lock", "sqlite", "BEGIN IMMEDIATE keeps other writers out"},
    {"session_schema", "sqlite", "one file is one schema"},
    {"session_schema", "postgresql", "session_setup does it"},
    {"migration_setup", "sqlite", "nothing has to be set for a migration"},
    {"txn_begin", "oracle", "the driver's calls: SQL_ATTR_AUTOCOMMIT and SQLEndTran"},
    {"txn_commit", "oracle", "the driver's calls: SQL_ATTR_AUTOCOMMIT and SQLEndTran"},
    {"txn_rollback", "oracle", "the driver's calls: SQL_ATTR_AUTOCOMMIT and SQLEndTran"},
    {"session_setup", "oracle", "no limits of a session: the watchdog has them"},
    {"session_unblock", "oracle", "a fenced write ends in one block, so nobody holds its lock"},
    {"schema_exists", "oracle", "a schema is an account, which a DBA makes"},
    {"schema_create", "oracle", "a schema is an account, which a DBA makes"},
    {"schema_version_lock", "oracle", "DDL commits: a row is held by another session"},
    {"migration_setup", "oracle", "nothing has to be set for a migration"},
    {"doctor_account", "sqlite", "no accounts"},
    {"doctor_lock_nowait", "sqlite", "no row locks"},
    {"doctor_standbys", "sqlite", "one file"},
    {"doctor_standbys", "oracle", "what Data Guard does is not seen by an account of ours"},
    {"session_check", "sqlite", "text is bytes: any_text_comes_back"},
    {"session_check", "postgresql", "the server converts: any_text_comes_back"},
};

static const char *why_absent(enum dialect d, const char *name)
{
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        if (strcmp(absent[i].name, name) == 0 && strcmp(absent[i].engine, dialect_name(d)) == 0)
            return absent[i].why;
    return NULL;
}

static void write_statement(FILE *f, enum dialect d, const char *name)
{
    const struct statement *s = catalogue_find(d, name);
    const char *note = s ? trace_complaint(s) : why_absent(d, name);

    if (!s)
        fprintf(f, "statement\t%s\t%s\t%d\t%s\n", name, note ? "ok" : "hole", note ? 1 : 0,
                note ? note : "");
    else
        fprintf(f, "statement\t%s\t%s\t%lld\t%s\n", name,
                *note           ? "FAIL"
                : trace_runs(s) ? "ok"
                                : "hole",
                (long long)trace_runs(s), note);
}

/* Of all dialects, each name once, those of the tests left out. */
static void write_statements(FILE *f, enum dialect engine)
{
    for (int d = 0; d < DIALECT_N; d++) {
        size_t n;
        const struct statement *s = catalogue_statements((enum dialect)d, &n);
        for (size_t i = 0; i < n; i++) {
            bool is_done = strncmp(s[i].name, "t_", 2) == 0;
            for (int before = 0; before < d && !is_done; before++)
                is_done = catalogue_find((enum dialect)before, s[i].name) != NULL;
            if (!is_done)
                write_statement(f, engine, s[i].name);
        }
    }
}

static int write_cells(const char *path, enum dialect engine)
{
    const bool is_described =
        trace_describe(engine == DIALECT_POSTGRES ? "SET search_path TO ls_test"
                       : engine == DIALECT_ORACLE ? "ALTER SESSION SET CURRENT_SCHEMA = LS_TEST"
                                                  : NULL);
    FILE *f = is_described ? fopen(path, "w") : NULL;

    if (!is_described)
        print_error("the driver cannot be asked for the kinds of results\n");
    if (!f) {
        print_error("%s cannot be written\n", path);
        return 1;
    }
    for (size_t i = 0; i < ncells; i++)
        fprintf(f, "%s\t%s\t%s\t%ld\t%s\n", cells[i].kind, cells[i].name,
                state_names[cells[i].state], cells[i].count, cells[i].note ? cells[i].note : "");
    write_statements(f, engine);
    return fclose(f) == 0 ? 0 : 1;
}

int main(void)
{
    static const struct rules *const groups[] = {
        &value_rules,    &txn_rules,         &parallel_rules, &fenced_rules, &cursor_rules,
        &migrate_rules,  &lease_rules,       &error_rules,    &open_rules,   &sequencer_rules,
        &mediator_rules, &participant_rules, &node_rules,
    };
    const char *path = getenv("LS_TEST_CELLS");
    struct cell *first[sizeof(groups) / sizeof(groups[0])];
    int failed = 0;

    test_only();
    db_process_init();
    for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
        first[g] = &cells[ncells];
        for (size_t i = 0; i < groups[g]->n; i++)
            cell_add("rule", groups[g]->list[i].name);
    }
    nrules = ncells;
    for (size_t i = 0; i < SUITE_CALLS_N; i++)
        cell_add("function", suite_calls[i]);
    for (size_t i = 0; i < SUITE_CODES_N; i++)
        cell_add("code", error_id(suite_codes[i]));
    for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
        failed += run_group(groups[g], first[g]);
    if (path && *path)
        failed += write_cells(path, engine_dialect());
    return failed > 0;
}
