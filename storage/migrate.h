/* migrate.h: the schema. Numbered files per dialect (sql/DIALECT/NNNN-name.sql) are built into the
 * program; ls_schema_version remembers what was applied, with a checksum of its text.
 * All migrations are applied to every node's schema. One runner at a time: each migration is one
 * transaction under a lock where the engine allows that; where DDL commits, the texts run one by
 * one under a lease (claim.h) and each can be repeated. A newer schema is refused, but for a
 * migration whose name says that this program may run on it (sql/statements/README: expand and
 * contract). */
#ifndef STORAGE_MIGRATE_H
#define STORAGE_MIGRATE_H
#include "storage/db.h"

enum migration_state {
    MIGRATION_PENDING, /* here, not applied */
    MIGRATION_APPLIED,
    MIGRATION_CHANGED, /* applied with another text */
    MIGRATION_NEWER,   /* applied, newer than this program, and made so that it may run */
    MIGRATION_UNKNOWN, /* applied, and newer than this program */
};

struct migration_info {
    int64_t version;
    char name[64];
    char checksum[65]; /* SHA-256 of the text, hex: ours, or the database's for MIGRATION_UNKNOWN */
    int64_t applied_at; /* microseconds; 0 when pending */
    enum migration_state state;
};

/* Brings the schema up to this program; creates the configured schema of a PostgreSQL database when
 * it is missing. Safe against other starters and against being killed; does nothing when up to
 * date. *applied (may be NULL): how many were applied now. Fails: ERR_SCHEMA (the database is
 * newer, or an applied text was changed), or as db_txn. */
MUST_CHECK bool db_migrate(struct db *db, int *applied, struct error *err);

/* Gives the account `user`, under which nodes run, what it needs in the schema of db, whose account
 * owns the tables. Does nothing where there are no accounts, or when it is the same. */
MUST_CHECK bool db_grant(struct db *db, const char *user, struct error *err);

/* True when the schema is what this program needs. Fails: ERR_SCHEMA with the version found
 * and the advice to run `lockstep db migrate`. */
MUST_CHECK bool db_schema_check(struct db *db, struct error *err);

/* Every migration known here or there, in order. Free *out with free(). */
MUST_CHECK bool db_migrations(struct db *db, struct migration_info **out, size_t *n,
                              struct error *err);

/* Compares the tables and columns that the migrations make with those that are there, and calls fn
 * for each difference: checksums, missing tables, statements of the catalogue that cannot be
 * prepared. *problems counts them. */
typedef void problem_fn(void *ctx, const char *text);
MUST_CHECK bool db_verify(struct db *db, problem_fn *fn, void *ctx, size_t *problems,
                          struct error *err);
#endif
