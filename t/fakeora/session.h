/* session.h: two sessions at the imitated Oracle, for the tests of its driver. */
#ifndef FAKEORA_SESSION_H
#define FAKEORA_SESSION_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sql.h>
#include <sqlext.h>
#include <stdbool.h>

struct session {
    SQLHENV env;
    SQLHDBC dbc;
    SQLHSTMT stmt;
};
extern struct session one, two;

int native_of(SQLSMALLINT type, SQLHANDLE h, char *state);
void expect(SQLSMALLINT type, SQLHANDLE h, const char *state, int native);
SQLRETURN try_connect(struct session *s, const char *dbq, const char *user, const char *password);
void disconnect(struct session *s);
void connect_to(struct session *s);
void manual(struct session *s, bool is_manual);
SQLRETURN run(struct session *s, const char *text);
void ok(struct session *s, const char *text);
void refused(struct session *s, const char *text, const char *state, int native);
const char *ask(struct session *s, const char *text);
SQLRETURN bind_text(struct session *s, SQLUSMALLINT n, const char *v, SQLLEN *ind);
SQLRETURN bind_number(struct session *s, SQLUSMALLINT n, const char *v, SQLLEN *ind);
SQLRETURN bind_bytes(struct session *s, SQLUSMALLINT n, SQLSMALLINT type, const void *v, size_t len,
                     SQLLEN *ind);
void fault(const char *order);
int fresh(void **state);
int leave(void **state);

/* The tests of test_texts.c. */
void other_dialects_are_refused(void **state);
void long_lists_are_refused(void **state);
void oracle_texts_run(void **state);
void the_grammar_gate_agrees(void **state);
#endif
