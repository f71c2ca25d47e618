/* version_check.c: one protocol version, so a question of membership. */
#include "sequencer/version_check.h"

#include "wire/versioned.h"

bool version_check(const int32_t *versions, size_t n, int32_t minimum, const char *client,
                   struct error *err)
{
    bool is_known = false;

    if (!client || !*client)
        return error_set(err, ERR_UNSUPPORTED, NULL, "the version of the client is not given");
    if (minimum > PROTOCOL_VERSION)
        return error_set(err, ERR_UNSUPPORTED, NULL,
                         "the client wants protocol version %d or later, this is %d", (int)minimum,
                         PROTOCOL_VERSION);
    for (size_t i = 0; i < n; i++)
        is_known = is_known || versions[i] == PROTOCOL_VERSION;
    return is_known ||
           error_set(err, ERR_UNSUPPORTED, NULL, "the client does not support protocol version %d",
                     PROTOCOL_VERSION);
}
