/* keys.h: keys and signatures between crypto/ and the messages of package crypto.v30. Structs of
 * crypto/ never meet protobuf elsewhere. Threads: free of state. */
#ifndef WIRE_KEYS_H
#define WIRE_KEYS_H
#include "crypto/key.h"
#include "crypto/signature.h"
#include "crypto_v30.pb-c.h"

#define SIGNATURE_BYTES_MAX 8192

/* From messages. *out: a reference of the caller. Legacy formats and schemes are migrated. Fails:
 * ERR_MALFORMED, ERR_UNSUPPORTED, ERR_MEMORY. */
MUST_CHECK bool key_from_signing(const C30__SigningPublicKey *m, struct public_key **out,
                                 struct error *err);
MUST_CHECK bool key_from_encryption(const C30__EncryptionPublicKey *m, struct public_key **out,
                                    struct error *err);
MUST_CHECK bool key_from_public(const C30__PublicKey *m, struct public_key **out,
                                struct error *err);

/* A message with all it points to, for use inside a message that is packed; usages is its storage.
 * It borrows from k and lives in *out: keep both until it is packed, and do not move *out. */
struct key_message {
    C30__SigningPublicKey signing;
    C30__EncryptionPublicKey encryption;
    C30__PublicKey key; /* points at one of the two */
    C30__SigningKeyUsage usages[8];
};
void key_to_message(const struct public_key *k, struct key_message *out);

/* Signatures: owned copies, format RAW normalised (a delegation's stays). Fails: ERR_MALFORMED,
 * ERR_MEMORY, ERR_UNSUPPORTED (a session key of a spec that this release lacks). */
MUST_CHECK bool signature_from_message(const C30__Signature *m, struct signature *out,
                                       struct error *err);
/* n messages. *out: array of n, NULL when n is 0; signatures_free. */
MUST_CHECK bool signatures_from_messages(C30__Signature *const *m, size_t n, struct signature **out,
                                         struct error *err);
void signatures_free(struct signature *s, size_t n);
/* A message with all it points to, as key_message: do not move *out until it is packed. */
struct signature_message {
    C30__Signature signature;
    C30__SignatureDelegation delegation;
};
/* Borrows from s. */
void signature_to_message(const struct signature *s, struct signature_message *out);
/* n messages in one piece of memory: free(*out). Borrows from s. NULL in *out when n is 0. Fails:
 * ERR_MEMORY. */
MUST_CHECK bool signatures_to_messages(const struct signature *s, size_t n, C30__Signature ***out,
                                       struct error *err);
#endif
