/* version_check.h: does a client speak our protocol version? Asked at handshake and challenge.
 * Pure. */
#ifndef SEQUENCER_VERSION_CHECK_H
#define SEQUENCER_VERSION_CHECK_H
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* minimum: 0 for none. client: the version of its program, which may not be empty. Fails:
 * ERR_UNSUPPORTED. */
MUST_CHECK bool version_check(const int32_t *versions, size_t n, int32_t minimum,
                              const char *client, struct error *err);
#endif
