/* openssl.h: what the files of crypto/ share about the library below; not for other folders. */
#ifndef CRYPTO_OPENSSL_H
#define CRYPTO_OPENSSL_H
#include <openssl/err.h>

#include "base/error.h"

/* Takes the library's reason into err and empties its queue; returns false. */
static inline bool openssl_failed(struct error *err, enum error_code code, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return error_set(err, code, NULL, "%s%s%s", what, reason != NULL ? ": " : "",
                     reason != NULL ? reason : "");
}
#endif
