/* cast.h: who plays in the table of topology rules, and every mapping that they say: named variants
 * with all signers that they need. Includes of cmocka stand before it. */
#ifndef T_TOPOLOGY_CAST_H
#define T_TOPOLOGY_CAST_H
#include "t/topology/make.h"

struct cast {
    struct world w;       /* the owner is its sequencer: O */
    struct node owner2;   /* o: an owner to come */
    struct node a, b;     /* A, B: participants; 1, 2 and 3, 4: their member keys */
    struct node x, y;     /* X, Y: the owners of a decentralised namespace */
    struct node p;        /* P: a party with its own key */
    struct node m, s;     /* M, S: a mediator and a sequencer to come */
    struct node stranger; /* Z */
    const struct public_key *k, *l, *d, *n; /* K, L: keys of parties; D: A delegates to it; N: a new
                                              key of A for the protocol */
    char dns[FINGERPRINT_SIZE], duid[UID_TEXT_SIZE], dmember[MEMBER_TEXT_SIZE];
    char rootless[UID_TEXT_SIZE], odd[UID_TEXT_SIZE];
    char bank[UID_TEXT_SIZE], ext[UID_TEXT_SIZE], self[UID_TEXT_SIZE],
        sequencer_d[MEMBER_TEXT_SIZE];
    char other[UID_TEXT_SIZE]; /* another synchronizer */
    char next[PSID_TEXT_SIZE], later[PSID_TEXT_SIZE], elsewhere[PSID_TEXT_SIZE];
};

void cast_open(struct cast *c);
void cast_close(struct cast *c);
/* By its letter. */
struct signer cast_signer(const struct cast *c, char letter);

enum variant {
    NS_A,
    NS_B,
    NS_P,
    NS_X,
    NS_LINK,
    NS_LINK_LESS,
    NS_LINK_OPERATOR,
    NS_OF_D,
    DEF_D,
    DEF_D_LESS,
    DEF_D_ALONE,
    DEF_WRONG,
    DEF_SYNC_TWO,
    DEF_ROOTLESS,
    KEYS_A,
    KEYS_A_MORE,
    KEYS_A_MEDIATOR,
    KEYS_B,
    KEYS_B_LESS,
    KEYS_B_BARE,
    KEYS_D,
    KEYS_M_SEQUENCER,
    KEYS_MED_OLD,
    KEYS_SEQ_OLD,
    TRUST_A,
    TRUST_B,
    TRUST_D,
    TRUST_OTHER,
    TRUST_A_FLAGS,
    PERM_A,
    PERM_A_LESS,
    PERM_B,
    PERM_B_LATE,
    PERM_OTHER,
    LIMITS,
    LIMITS_OTHER,
    PKG_A,
    PKG_A_MORE,
    PKG_D,
    HOST_A,
    HOST_A_OPERATOR,
    HOST_A_LESS,
    HOST_A_TWO,
    HOST_AB,
    HOST_AB_RAISED,
    HOST_AB_ONBOARDING,
    HOST_AB_UP,
    HOST_A_LESS_TWO,
    HOST_B,
    HOST_KEY,
    HOST_KEYS,
    HOST_SELF,
    HOST_SELF_ROOTLESS,
    HOST_SELF_ODD,
    HOST_ADMIN_BAD,
    HOST_ADMIN,
    HOST_ADMIN_TWO,
    HOST_B_AT_A,
    PARAM,
    PARAM_MORE,
    PARAM_LOCKED,
    PARAM_RESTRICTED,
    PARAM_OTHER,
    MED_OLD,
    MED_TWICE,
    MED_NEW,
    MED_DOUBLE,
    MED_OTHER,
    SEQ_OLD,
    SEQ_NEW,
    SEQ_DOUBLE,
    SEQ_OTHER,
    SQP,
    SQP_MORE,
    SQP_OTHER,
    PTK,
    PTK_OPERATOR,
    PTK_MORE,
    UP,
    UP_LATER,
    UP_PAST,
    UP_SELF,
    UP_OTHER,
    SUC,
    SUC_MOVED,
    SUC_LATER,
    SUC_D,
    VARIANT_N
};
/* Fills k; the letters of all who must sign it when nothing like it is in store; its code. Release
 * with variant_free. */
const char *variant_make(struct cast *c, enum variant v, struct maker *k, enum mapping_code *code);
void variant_free(struct maker *k);
/* Signed by the letters; the signature of one with '!' behind it is damaged. */
struct buffer variant_sign(struct cast *c, enum variant v, int op, uint32_t serial,
                           const char *letters, bool is_proposal);
#endif
