/* pem.h: PEM files: text, and in it base64 blocks with a label. Pure. */
#ifndef CLIENT_PEM_H
#define CLIENT_PEM_H
#include "base/buffer.h"

#define PEM_SIZE_MAX ((size_t)1 << 20)

struct pem_block {
    char label[40];
    char usage[40];     /* of the last line "usage: ..." before it, or "" */
    struct buffer data; /* decoded: a secret, maybe */
};
/* The next block at *at in text; advances *at. *found false: none is left. The caller wipes
 * out->data (buffer_wipe). Fails: ERR_MALFORMED, ERR_MEMORY. */
MUST_CHECK bool pem_next(struct bytes text, size_t *at, struct pem_block *out, bool *found,
                         struct error *err);
/* Reads a file of at most PEM_SIZE_MAX. Fails: ERR_IO, ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool pem_read_file(const char *path, struct buffer *out, struct error *err);
#endif
