/* secret.h: the password of an account: where it comes from, and that nobody reads it in a message.
 * Internal to storage/. Threads: any, after secret_init. */
#ifndef STORAGE_SECRET_H
#define STORAGE_SECRET_H
#include "storage/db.h"

struct secret {
    char *password, *file; /* NULL: none; the file is read each time, so that it may change */
    char *options;         /* the driver's further keywords: they may hold others */
    bool is_bare;          /* Oracle's driver: braces only where a value would end early */
};

/* Copies what cfg says. Release with secret_free also after a failure. Fails: ERR_MEMORY. */
MUST_CHECK bool secret_init(struct secret *s, const struct db_config *cfg, struct error *err);
void secret_free(struct secret *s);
bool secret_has_password(const struct secret *s);
/* Appends ";PWD=..." as it is now, nothing when there is none; out's memory does not move later by
 * up to `more` bytes. Fails: ERR_CONFIG (a file that cannot be read), ERR_MEMORY. */
MUST_CHECK bool secret_append(const struct secret *s, size_t more, struct buffer *out,
                              struct error *err);
/* Blanks in text, a message of a driver, whatever connected or options hold as a secret; connected:
 * the connection string with which the driver was called. */
void secret_blank(const struct secret *s, const char *connected, char *text);
/* Releases a buffer that held a secret. */
void secret_buffer_free(struct buffer *b);
#endif
