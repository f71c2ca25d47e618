/* verify.h: an exported topology, checked from its bytes alone: every transaction is read, its
 * signatures are verified, and the rules of authorisation are replayed at the item's own times.
 * What does not hold is listed, and the replay goes on, so one reading names all of it. Pure: no
 * file, no clock. Threads: free of state. */
#ifndef TOPOLOGY_VERIFY_H
#define TOPOLOGY_VERIFY_H
#include "topology/snapshot.h"

#define TOPOLOGY_FILE_MAX (256u << 20) /* bytes of an unpacked export that are read by default */

struct topology_verify_options {
    const char *psid; /* NULL: taken from the file (the first mapping bound to a synchronizer), with
                         the protocol version and serial of parameters */
    const struct static_parameters *parameters; /* NULL: the defaults */
    size_t max_size;                            /* unpacked; 0: TOPOLOGY_FILE_MAX */
};

/* One thing that does not hold. */
struct topology_failure {
    size_t item;              /* from 1, in the order of the file */
    char hash[HASH_HEX_SIZE]; /* of the transaction; "" when it does not parse */
    char reason[300];         /* one line */
};

/* Zero-initialise. */
struct topology_verification {
    char psid[PSID_TEXT_SIZE];
    size_t n_items;
    size_t n_transactions;                      /* whose outcome is what the file says */
    size_t n_accepted, n_proposals, n_rejected; /* of those */
    size_t n_signatures;                        /* that count and verify */
    size_t n_superfluous;                       /* by keys that cannot count here: not looked at */
    struct hash hash; /* the initial-state hash; only when every item parses (has_hash) */
    bool has_hash;
    struct topology_failure *failures; /* in order of items */
    size_t n_failures;
};

/* Reads an export: form V1 or V2, as it is or packed with gzip. Appends. Fails: ERR_MALFORMED,
 * ERR_LIMIT (it unpacks to more than max_size; 0: TOPOLOGY_FILE_MAX), ERR_MEMORY. */
MUST_CHECK bool topology_export_read(struct bytes file, size_t max_size, struct topology_items *out,
                                     struct error *err);
/* Verifies items. True: *out says what was found; it is good when n_failures is 0. Fails:
 * ERR_MALFORMED (no psid to be found, or one that is not good), ERR_UNSUPPORTED, ERR_MEMORY. */
MUST_CHECK bool topology_verify_items(const struct topology_items *items,
                                      const struct topology_verify_options *options,
                                      struct topology_verification *out, struct error *err);
/* Both. */
MUST_CHECK bool topology_verify_file(struct bytes file,
                                     const struct topology_verify_options *options,
                                     struct topology_verification *out, struct error *err);
void topology_verification_free(struct topology_verification *v); /* what it owns, and zeroes it */
#endif
