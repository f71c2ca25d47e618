/* fuzz_key.c: a public key from outside. The first three bytes: kind, format and spec, usages; the
 * rest the key. What is taken has a fingerprint, and its own encoding gives the same key. */
#include <string.h>

#include "crypto/key.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct public_key *k, *again;
    struct error err;
    unsigned usages = 0;
    int values[5], n = 0;

    if (size < 3)
        return 0;
    enum key_kind kind = (data[0] & 1) != 0 ? KEY_SIGNING : KEY_ENCRYPTION;

    for (int u = 1; u <= 5; u++)
        if ((data[2] >> u & 1) != 0)
            values[n++] = u;
    if (kind == KEY_SIGNING && !key_usages_parse(values, (size_t)n, &usages, &err))
        return 0;
    if (!public_key_parse(kind, data[1] & 15, data[1] >> 4, usages, bytes_of(data + 3, size - 3),
                          &k, &err))
        return 0;
    MUST(fingerprint_text_valid(k->fingerprint) && strlen(k->fingerprint) == 68);
    MUST(public_key_parse(kind, KEY_FORMAT_SPKI, k->spec, k->usages, k->spki, &again, &err));
    MUST(public_key_equal(k, again));
    public_key_unref(k);
    public_key_unref(again);
    return 0;
}
