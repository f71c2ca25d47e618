/* suite_calls.h: the functions and codes that the suite must have seen. table.sh compares both with
 * storage's headers and sources, and with the headers of the stores. */
#ifndef T_STORAGE_SUITE_CALLS_H
#define T_STORAGE_SUITE_CALLS_H
#include "base/error.h"

static const char *const suite_calls[] = {
    /* storage/db.h */
    "db_process_init",
    "db_open",
    "db_close",
    "db_dialect",
    "db_schema",
    "db_describe",
    "db_poison",
    "db_stats",
    "db_exec",
    "db_query",
    "db_txn",
    "txn_exec",
    "txn_query",
    "txn_insert_many",
    "db_fenced",
    "cursor_open",
    "cursor_next",
    "cursor_close",
    "db_clock_us",
    /* storage/lease.h */
    "lease_watch_observe",
    "lease_open",
    "lease_step",
    "lease_suspect",
    "lease_held",
    "lease_may_act",
    "lease_settle",
    "lease_release",
    "lease_close",
    "db_unblock",
    "fence_holder",
    /* storage/migrate.h */
    "db_migrate",
    "db_schema_check",
    "db_migrations",
    "db_verify",
    "db_grant",
    /* storage/catalogue.h */
    "catalogue_statements",
    "catalogue_migrations",
    "catalogue_setup",
    "catalogue_grants",
    "catalogue_find",
    "dialect_name",
    "dialect_parse",
    "statement_render",
    /* storage/doctor.h */
    "db_doctor",
    /* storage/value.h */
    "value_null",
    "value_i64",
    "value_text",
    "value_bytes",
    "value_cstr",
    /* sequencer/node_store.h */
    "node_store_read",
    "node_store_claim",
    "node_store_start",
    "node_store_settle",
    "node_store_own",
    "node_store_reap",
    "node_store_leave",
    "node_store_beat",
    "log_store_append",
    "log_page_free",
    "log_store_read",
    "log_store_row",
    /* sequencer/member_store.h */
    "members_open",
    "members_close",
    "members_reload",
    "members_get",
    "members_read",
    "members_peek",
    "members_revoke",
    "ack_store_write",
    "nonce_store_offer",
    "nonce_store_check",
    "nonce_store_take",
    /* sequencer/synchronizer_store.h */
    "synchronizer_free",
    "synchronizer_store_read",
    "synchronizer_store_write",
    /* mediator/mediator_store.h */
    "mediator_row_free",
    "mediator_store_read",
    "mediator_store_insert",
    "head_store_read",
    "outbox_store_write",
    "topology_store_each",
    "uuid_store_each",
    "verdict_store_each",
    /* participant/participant_impl.h, its store */
    "store_claim_position",
    "store_load",
    "store_load_topology",
    "store_begin",
    "store_commit",
    "store_read_command",
    "store_outcomes",
    /* node/node_identity.h */
    "node_identity_open",
    "node_identity_close",
    "node_identity_reload",
    "node_identity_generate",
    "node_identity_keys",
    "node_identity_authorized",
    "node_identity_authorize",
};
static const enum error_code suite_codes[] = {
    ERR_RETRY,    ERR_CONNECTION, ERR_UNKNOWN_OUTCOME, ERR_DUPLICATE, ERR_FENCED, ERR_READ_ONLY,
    ERR_FULL,     ERR_TIMEOUT,    ERR_UNAVAILABLE,     ERR_CONFIG,    ERR_SCHEMA, ERR_DATABASE,
    ERR_INTERNAL, ERR_LIMIT,      ERR_MALFORMED,       ERR_MEMORY,    ERR_IO,
};
#define SUITE_CALLS_N (sizeof(suite_calls) / sizeof(suite_calls[0]))
#define SUITE_CODES_N (sizeof(suite_codes) / sizeof(suite_codes[0]))
#endif
