#include "node/node_db.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "storage/migrate.h"

#define LOCK_WAIT_US (3 * US_PER_S)

void node_db_config(const struct config_storage *s, int64_t expiry_us, struct logger *lg,
                    char port_text[NODE_PORT_TEXT], struct db_config *out)
{
    static const char *const types[] = {"sqlite", "postgresql", "oracle"};
    static const char *const tls[] = {"disable", "require", "verify-ca", "verify-full"};

    snprintf(port_text, NODE_PORT_TEXT, "%" PRId64, s->port);
    *out = (struct db_config){
        .type = types[s->type],
        .dsn = s->dsn,
        .driver = s->driver,
        .server = s->server,
        .port = s->port > 0 ? port_text : NULL,
        .database = s->database,
        .user = s->user,
        .password = s->password,
        .password_file = s->password_file,
        .tls = s->tls >= 0 ? tls[s->tls] : NULL,
        .tls_root_file = s->tls_root_file,
        .tls_cert_file = s->tls_cert_file,
        .tls_key_file = s->tls_key_file,
        .schema = s->schema,
        .file = s->file,
        .options = s->options,
        .pool_max = (uint32_t)s->max_connections,
        .checkout_timeout_us = s->connection_timeout_us,
        .login_timeout_us = s->connection_timeout_us,
        .statement_timeout_us = s->statement_timeout_us,
        .idle_in_txn_timeout_us = expiry_us / 2,
        .logger = lg,
    };
}

bool node_db_open(const struct config_node *n, struct logger *lg, struct db **out,
                  struct error *err)
{
    char port[NODE_PORT_TEXT];
    struct db_config cfg;

    node_db_config(&n->storage, n->lease.lease_expiry_us, lg, port, &cfg);
    return db_open(&cfg, out, err);
}

bool node_db_migrate(const struct config_node *n, struct db *db, struct logger *lg, int *applied,
                     struct error *err)
{
    const struct config_storage *s = &n->storage;
    char port[NODE_PORT_TEXT];
    struct db_config cfg;
    struct db *owner = NULL;

    if (s->migration_user == NULL)
        return db_migrate(db, applied, err);
    node_db_config(s, n->lease.lease_expiry_us, lg, port, &cfg);
    cfg.user = s->migration_user;
    cfg.password = s->migration_password;
    cfg.password_file = s->migration_password_file;
    cfg.pool_max = 2;
    const bool ok = db_open(&cfg, &owner, err) && db_migrate(owner, applied, err) &&
                    (s->user == NULL || strcmp(s->user, s->migration_user) == 0 ||
                     db_grant(owner, s->user, err));
    db_close(owner);
    return ok || error_add(err, "storage.migration-user %s", s->migration_user);
}

bool node_db_lock(const struct config_storage *s, int *fd, struct error *err)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    const int64_t until = clock_mono_us() + LOCK_WAIT_US;

    *fd = -1;
    if (s->type != CONFIG_SQLITE || s->file == NULL)
        return true;
    int it = open(s->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (it < 0 && errno == EROFS) /* SQLite would say that it cannot open it */
        return error_set(err, ERR_READ_ONLY, "mount its file system for writing",
                         "DRIVER=%s;Database=%s: the file system is read-only",
                         s->driver != NULL ? s->driver : "sqlite", s->file);
    if (it < 0)
        return true;
    while (flock(it, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            break; /* a file system without such locks */
        if (clock_mono_us() > until) {
            close(it);
            return error_set(err, ERR_UNAVAILABLE,
                             "stop that one; replicas need postgresql, a file is for one process",
                             "storage sqlite, Database=%s is in use by another lockstepd", s->file);
        }
        (void)nanosleep(&pause, NULL);
    }
    *fd = it;
    return true;
}
