/* engine.h: which database the storage tests run on, from the environment (its scripts). */
#ifndef T_STORAGE_ENGINE_H
#define T_STORAGE_ENGINE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/db.h"

bool engine_is_postgres(void);
enum dialect engine_dialect(void);
void engine_config(struct db_config *cfg); /* the engine of this run, schema "ls_test" */
/* A place of its own beside it: another schema, another file. */
void engine_elsewhere(struct db_config *cfg, const char *name);
/* An order to the imitation of Oracle (t/fakeora/README); nothing on the others. */
void engine_fault(const char *order);
struct db *engine_open(void); /* migrated; fails the test when it cannot */
/* Asserts that what failed with this code, printing the error otherwise. */
void assert_code(const struct error *err, enum error_code code);
#define assert_done(call)                                                                          \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s [%s]", #call, e.cause, error_id(e.code));                             \
    } while (0)

int64_t query_i64(struct db *db, const char *stmt, const struct value *params, size_t n);
#endif
