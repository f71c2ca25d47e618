/* gzip.h: the compressed parts of a batch. Threads: free of state. */
#ifndef WIRE_GZIP_H
#define WIRE_GZIP_H
#include "base/buffer.h"

/* Appends what in unpacks to, at most limit bytes (exactly limit is allowed). The first member is
 * read with any header, what follows it is ignored. Memory grows with the output alone. Fails:
 * ERR_LIMIT (more than limit), ERR_MALFORMED (no gzip, corrupt, cut short), ERR_MEMORY; out is then
 * as before. */
MUST_CHECK bool gzip_read(struct bytes in, size_t limit, struct buffer *out, struct error *err);

/* Appends one member with the fixed header 1F8B0800 00000000 00FF and stored blocks. Peers compare
 * compressed bytes between replicas, so these never depend on a library, its version or a setting.
 * Nothing at all is packed as the empty fixed block 0300, as every other implementation does.
 * Fails: ERR_MEMORY. */
MUST_CHECK bool gzip_write(struct bytes in, struct buffer *out, struct error *err);
#endif
