/* The table of the topology's rules: mapping x operation x (accepted, proposed, each reason of
 * rejection). It is filled by trying: in every world, every variant of every mapping, added and
 * removed, at several serials, signed fully, in part, by a stranger and falsely. A cell that
 * nothing fills must be listed under `never`, with why; one that is listed there must stay empty. A
 * refusal changes nothing. Beside it stands who exactly must sign what, case by case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t/topology/worlds.h"
#include "topology/state.h"

/* What can come of a transaction: the protocol's names. */
static const char *const outcomes[] = {
    "Accepted",
    "Proposed",
    "SerialMismatch",
    "MaxSerialReached",
    "InternalError",
    "NoSignatureProvided",
    "NotAuthorizedByNamespaceKey",
    "NotFullyAuthorized",
    "NoDelegationFoundForKeys",
    "MultiTransactionHashMismatch",
    "SignatureCheckFailed",
    "InvalidSynchronizer",
    "OnboardingRestrictionInPlace",
    "NoCorrespondingActiveTxToRevoke",
    "InvalidOwnerToKeyMapping",
    "InvalidOwnerToKeyMappingRemoval",
    "InvalidTopologyMapping",
    "CannotRemoveMapping",
    "RemoveMustNotChangeMapping",
    "InsufficientKeys",
    "UnknownMembers",
    "MissingSynchronizerParameters",
    "NamespaceHasBeenRevoked",
    "NamespaceAlreadyInUse",
    "PartyIdConflictWithAdminParty",
    "ParticipantIdConflictWithPartyId",
    "MediatorsAlreadyInOtherGroups",
    "AnnouncedLsuTopologyFreeze",
    "InvalidSynchronizerSuccessor",
    "InvalidUpgradeTime",
    "NoLsuAnnounced",
    "LsuSequencerSuccessorInvalidSuccessorPsid",
    "ParticipantCannotRejoinSynchronizer",
    "CannotReregisterKeys",
    "ParticipantStillHostsParties",
    "MembersCannotRejoinSynchronizer",
};
#define OUTCOMES (sizeof(outcomes) / sizeof(outcomes[0]))

static const struct {
    enum mapping_code code;
    const char *name;
} mappings[] = {
    {MAPPING_NAMESPACE, "NamespaceDelegation"},
    {MAPPING_DECENTRALIZED, "DecentralizedNamespaceDefinition"},
    {MAPPING_KEYS, "OwnerToKeyMapping"},
    {MAPPING_TRUST, "SynchronizerTrustCertificate"},
    {MAPPING_PERMISSION, "ParticipantSynchronizerPermission"},
    {MAPPING_LIMITS, "PartyHostingLimits"},
    {MAPPING_PACKAGES, "VettedPackages"},
    {MAPPING_HOSTING, "PartyToParticipant"},
    {MAPPING_PARAMETERS, "SynchronizerParametersState"},
    {MAPPING_MEDIATORS, "MediatorSynchronizerState"},
    {MAPPING_SEQUENCERS, "SequencerSynchronizerState"},
    {MAPPING_SEQUENCING, "SequencingParametersState"},
    {MAPPING_PARTY_KEYS, "PartyToKeyMapping"},
    {MAPPING_UPGRADE, "LsuAnnouncement"},
    {MAPPING_SUCCESSOR, "LsuSequencerConnectionSuccessor"},
};
#define MAPPINGS (sizeof(mappings) / sizeof(mappings[0]))

#define M(code)  (1u << MAPPING_##code)
#define ALL      (~0u)
#define NONE     0u
#define BOUND                                                                                      \
    (M(TRUST) | M(PERMISSION) | M(LIMITS) | M(PARAMETERS) | M(MEDIATORS) | M(SEQUENCERS) |         \
     M(SEQUENCING) | M(UPGRADE))

/* The cells that cannot occur, and why: of an outcome, for these mappings when they are added and
 * for those when they are removed. The one place where this stands. */
static const struct {
    const char *outcome;
    uint32_t added, removed;
    const char *why;
} never[] = {
    {"InternalError", ALL, ALL, "no rule gives it"},
    {"NoSignatureProvided", ALL, ALL, "without a signature nothing parses (shown below)"},
    {"MultiTransactionHashMismatch", ALL, ALL,
     "hashes that do not name their transaction do not parse (shown below)"},
    {"ParticipantStillHostsParties", ALL, ALL,
     "a rule of topology managers, not of what is sequenced"},
    {"MembersCannotRejoinSynchronizer", ALL, ALL,
     "a rule of topology managers, not of what is sequenced"},
    {"Accepted", NONE, M(PARAMETERS), "parameters are never removed"},
    {"Proposed", M(NAMESPACE), M(PARAMETERS),
     "a delegation has one clause, a plain namespace: a key that counts is all; parameters are "
     "never "
     "removed"},
    {"NotFullyAuthorized", M(NAMESPACE), M(PARAMETERS), "as for Proposed"},
    {"NotAuthorizedByNamespaceKey", ALL & ~(M(KEYS) | M(PARTY_KEYS) | M(HOSTING)), ALL,
     "only these mappings, added, are also signed by keys that they list"},
    {"NoDelegationFoundForKeys", NONE, M(PARAMETERS), "refused before: CannotRemoveMapping"},
    {"SignatureCheckFailed", NONE, M(PARAMETERS), "refused before: CannotRemoveMapping"},
    {"SerialMismatch", NONE, M(PARAMETERS), "refused before: CannotRemoveMapping"},
    {"MaxSerialReached", NONE, ALL & ~M(NAMESPACE),
     "what is added has a lower serial, and only a root certificate is removed twice"},
    {"InvalidSynchronizer", ALL & ~BOUND, ALL,
     "not bound to a synchronizer, or (successors) to the announced one; and nothing of another "
     "synchronizer is there to be removed"},
    {"NoCorrespondingActiveTxToRevoke", ALL, NONE, "of removals"},
    {"CannotRemoveMapping", ALL, ALL & ~M(PARAMETERS), "of the parameters"},
    {"RemoveMustNotChangeMapping", ALL, M(TRUST) | M(LIMITS),
     "of removals; a certificate's unique key is all that is compared, and a limit's is all of it"},
    {"OnboardingRestrictionInPlace", ALL & ~M(TRUST), ALL, "of a participant that joins"},
    {"MissingSynchronizerParameters", ALL & ~M(TRUST), ALL, "of a participant that joins"},
    {"ParticipantIdConflictWithPartyId", ALL & ~M(TRUST), ALL, "of a participant that joins"},
    {"ParticipantCannotRejoinSynchronizer", ALL & ~M(TRUST), ALL, "of a participant that joins"},
    {"InvalidOwnerToKeyMapping", ALL & ~M(KEYS), ALL, "of a member's keys"},
    {"CannotReregisterKeys", ALL & ~M(KEYS), ALL, "of a member's keys"},
    {"InvalidOwnerToKeyMappingRemoval", ALL, ALL & ~M(KEYS), "of a member's keys that are removed"},
    {"InvalidTopologyMapping", ALL & ~(M(DECENTRALIZED) | M(MEDIATORS) | M(SEQUENCERS)), ALL,
     "of names and thresholds"},
    {"InsufficientKeys", ALL & ~(M(TRUST) | M(HOSTING) | M(MEDIATORS) | M(SEQUENCERS)), ALL,
     "of what brings in a member"},
    {"UnknownMembers", ALL & ~M(HOSTING), ALL, "of a party's hosts"},
    {"PartyIdConflictWithAdminParty", ALL & ~M(HOSTING), ALL, "of a party's name"},
    {"NamespaceHasBeenRevoked", ALL & ~(M(NAMESPACE) | M(HOSTING)), ALL,
     "of delegations, and of parties that sign for themselves"},
    {"NamespaceAlreadyInUse", ALL & ~M(NAMESPACE), ALL,
     "of delegations in a decentralised namespace; the other way round there is none, because a "
     "delegation hangs from a root key, and no key has a hash of owners as its fingerprint"},
    {"MediatorsAlreadyInOtherGroups", ALL & ~M(MEDIATORS), ALL, "of mediators"},
    {"AnnouncedLsuTopologyFreeze", M(UPGRADE) | M(SUCCESSOR), M(UPGRADE) | M(SUCCESSOR),
     "the upgrade itself goes on"},
    {"InvalidSynchronizerSuccessor", ALL & ~M(UPGRADE), ALL, "of announcements"},
    {"InvalidUpgradeTime", ALL & ~M(UPGRADE), ALL, "of announcements"},
    {"NoLsuAnnounced", ALL & ~M(SUCCESSOR), ALL, "of successors' connections"},
    {"LsuSequencerSuccessorInvalidSuccessorPsid", ALL & ~M(SUCCESSOR), ALL,
     "of successors' connections"},
};
#define NEVER (sizeof(never) / sizeof(never[0]))

/* ---- the table ---- */

static size_t reached[MAPPINGS][2][OUTCOMES];
static char first_world[MAPPINGS][2][OUTCOMES][24];

static size_t row_of(enum mapping_code code)
{
    for (size_t i = 0; i < MAPPINGS; i++)
        if (mappings[i].code == code)
            return i;
    fail_msg("no row for code %d", (int)code);
    return 0;
}

static size_t column_of(const struct topology_outcome *o)
{
    if (o->verdict == TOPOLOGY_ACCEPTED)
        return 0;
    if (o->verdict == TOPOLOGY_PROPOSED)
        return 1;
    for (size_t i = 2; i < OUTCOMES; i++) {
        size_t n = strlen(outcomes[i]);

        if (strncmp(o->reason, outcomes[i], n) == 0 && o->reason[n] == ':')
            return i;
    }
    fail_msg("not a reason of the protocol: %s", o->reason);
    return 0;
}

struct attempted {
    struct buffer tx;
    size_t row;
    bool is_removal, is_forged;
};

static size_t heads(const struct topology *t)
{
    struct topology_items items = {0};
    size_t n;
    struct error e;

    must(topology_rows(t, true, &items, &e), &e);
    n = items.n;
    topology_items_free(&items);
    return n;
}

/* Is the last row's transaction accepted already? Then its own signatures win. */
static bool is_known(const struct topology *t, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++)
        if (hash_equal(&t->rows.at[i]->hash, &t->rows.at[n_rows]->hash) &&
            t->rows.at[i]->rejection == NULL)
            return true;
    return false;
}

/* Tries it, notes what comes of it, and takes it back. What is refused leaves a row, and no change.
 */
static void attempt(const struct stage *s, const char *world, const struct attempted *one)
{
    struct state_mark mark = state_try(s->t);
    struct bytes tx = buffer_bytes(&one->tx);
    struct topology_outcome out;
    size_t column;
    struct error e;

    must(topology_apply(s->t, s->now, &tx, 1, &out, &e), &e);
    column = column_of(&out);
    if (reached[one->row][one->is_removal][column]++ == 0)
        snprintf(first_world[one->row][one->is_removal][column], 24, "%s", world);
    assert_int_equal(s->t->rows.n, mark.n_rows + 1);
    if (one->is_forged && out.verdict != TOPOLOGY_REJECTED && !is_known(s->t, mark.n_rows))
        fail_msg("%s: a forged signature passes in the world '%s'", mappings[one->row].name, world);
    if (out.verdict == TOPOLOGY_REJECTED) {
        assert_int_equal(s->t->n_changes, mark.n_changes);
        assert_int_equal(s->t->n_closed, 0);
    }
    state_take_back(s->t, &mark);
}

/* Everything that is tried in each world. */
static size_t make_attempts(struct cast *c, struct attempted **out)
{
    static const uint32_t serials[] = {1, 2, 3, INT32_MAX};
    enum { BY_ALL, FORGED, BY_FIRST, PROPOSED, BY_LAST, BY_STRANGER, MODES };
    size_t n = 0;

    *out = calloc((size_t)VARIANT_N * 2 * 4 * MODES, sizeof(**out));
    assert_non_null(*out);
    for (int v = 0; v < VARIANT_N; v++) {
        enum mapping_code code;
        struct maker k;
        const char *all = variant_make(c, (enum variant)v, &k, &code);
        size_t len = strlen(all);

        variant_free(&k);
        for (size_t i = 0; i < 2 * 4 * MODES; i++) {
            size_t mode = i % MODES;
            bool is_removal = i >= 4 * MODES;
            char by[16];

            if (len == 1 && (mode == BY_FIRST || mode == BY_LAST))
                continue;
            snprintf(by, sizeof(by), "%s", all);
            if (mode == FORGED)
                snprintf(by, sizeof(by), "%c!%s", all[0], all + 1);
            else if (mode == BY_FIRST || mode == PROPOSED)
                by[1] = '\0';
            else if (mode == BY_LAST)
                snprintf(by, sizeof(by), "%c", all[len - 1]);
            else if (mode == BY_STRANGER)
                snprintf(by, sizeof(by), "N"); /* a key that nothing names */
            (*out)[n++] = (struct attempted){
                .tx = variant_sign(c, (enum variant)v,
                                   is_removal ? TOPOLOGY_REMOVE : TOPOLOGY_ADD_REPLACE,
                                   serials[i / MODES % 4], by, mode == PROPOSED),
                .row = row_of(code),
                .is_removal = is_removal,
                .is_forged = mode == FORGED,
            };
        }
    }
    return n;
}

static const char *why_never(size_t row, bool is_removal, size_t column)
{
    for (size_t i = 0; i < NEVER; i++)
        if (strcmp(never[i].outcome, outcomes[column]) == 0)
            return ((is_removal ? never[i].removed : never[i].added) >> mappings[row].code & 1) != 0
                       ? never[i].why
                       : NULL;
    return NULL;
}

/* Prints it; returns how many cells are wrong. */
static int print_table(void)
{
    int wrong = 0;

    for (size_t c = 0; c < OUTCOMES; c++)
        printf("%c %s\n", (int)(c < 26 ? 'a' + c : 'A' + c - 26), outcomes[c]);
    printf("\n%-42s ", "+ occurs  . cannot occur  ? empty  ! occurs");
    for (size_t c = 0; c < OUTCOMES; c++)
        printf("%c", (int)(c < 26 ? 'a' + c : 'A' + c - 26));
    printf("\n");
    for (size_t r = 0; r < 2 * MAPPINGS; r++) {
        size_t row = r / 2, op = r % 2;

        printf("%-34s %-7s ", mappings[row].name, op ? "remove" : "add");
        for (size_t c = 0; c < OUTCOMES; c++) {
            bool is_never = why_never(row, op, c) != NULL, occurs = reached[row][op][c] > 0;

            wrong += is_never == occurs;
            printf("%c", is_never ? (occurs ? '!' : '.') : (occurs ? '+' : '?'));
        }
        printf("\n");
    }
    for (size_t r = 0; r < 2 * MAPPINGS; r++)
        for (size_t c = 0; c < OUTCOMES; c++)
            if ((why_never(r / 2, r % 2, c) != NULL) == (reached[r / 2][r % 2][c] > 0))
                printf("%s, %s, %s: %s%s\n", mappings[r / 2].name, r % 2 ? "remove" : "add",
                       outcomes[c],
                       reached[r / 2][r % 2][c] ? "occurs, though it should not: "
                                                : "nothing fills this cell",
                       reached[r / 2][r % 2][c] ? first_world[r / 2][r % 2][c] : "");
    printf("\ncannot occur:\n");
    for (size_t i = 0; i < NEVER; i++)
        printf("  %s: %s\n", never[i].outcome, never[i].why);
    fflush(stdout);
    return wrong;
}

static void no_cell_of_the_table_is_empty(void **state)
{
    struct attempted *all;
    struct cast c;
    size_t n;

    (void)state;
    cast_open(&c);
    n = make_attempts(&c, &all);
    for (size_t i = 0; i < world_count; i++) {
        struct stage s = stage_open(&c, &world_kinds[i]);
        size_t before = heads(s.t);

        for (size_t k = 0; k < n; k++)
            attempt(&s, world_kinds[i].name, &all[k]);
        assert_int_equal(heads(s.t), before);
        topology_close(s.t);
    }
    printf("%zu attempts in %zu worlds\n", n, world_count);
    for (size_t k = 0; k < n; k++)
        buffer_free(&all[k].tx);
    free(all);
    cast_close(&c);
    if (print_table() > 0)
        fail_msg("the table has wrong cells");
}

/* What `never` says of parsing. */
static void without_signatures_or_its_own_name_nothing_parses(void **state)
{
    P30__SignedTopologyTransaction m = P30__SIGNED_TOPOLOGY_TRANSACTION__INIT;
    P30__MultiTransactionSignatures list = P30__MULTI_TRANSACTION_SIGNATURES__INIT;
    P30__MultiTransactionSignatures *lists = &list;
    struct signed_topology_tx tx, parsed;
    ProtobufCBinaryData name;
    struct signature_message sig;
    C30__Signature *sigs = &sig.signature;
    struct cast c;
    struct buffer signed_;
    struct hash other;
    struct error e;

    (void)state;
    cast_open(&c);
    signed_ = variant_sign(&c, PKG_A, TOPOLOGY_ADD_REPLACE, 1, "A", false);
    must(signed_topology_tx_parse(buffer_bytes(&signed_), &tx, &e), &e);
    m.transaction = (ProtobufCBinaryData){tx.transaction.len, tx.transaction.data};
    assert_false(signed_topology_tx_from(&m, &parsed, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
    must(hash_of(HASH_TESTING, bytes_str("another"), &other, &e), &e);
    name = (ProtobufCBinaryData){HASH_LEN, other.b};
    signature_to_message(&tx.signatures[0], &sig);
    list.transaction_hashes = &name;
    list.n_transaction_hashes = 1;
    list.signatures = &sigs;
    list.n_signatures = 1;
    m.multi_transaction_signatures = &lists;
    m.n_multi_transaction_signatures = 1;
    assert_false(signed_topology_tx_from(&m, &parsed, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
    name.data = tx.hash.b;
    must(signed_topology_tx_from(&m, &parsed, &e), &e); /* its own: it parses */
    signed_topology_tx_free(&parsed);
    signed_topology_tx_free(&tx);
    buffer_free(&signed_);
    cast_close(&c);
}

/* ---- who must sign ---- */

#define ADD TOPOLOGY_ADD_REPLACE
#define DEL TOPOLOGY_REMOVE

/* In a world, a variant signed by the letters: what comes of it. */
static const struct {
    void (*world)(struct stage *s);
    enum variant v;
    int op;
    uint32_t serial;
    const char *by, *outcome;
} signing[] = {
    /* a delegation: its namespace; a root certificate: its key alone */
    {world_roots, NS_B, ADD, 1, "B", "Accepted"},
    {world_roots, NS_B, ADD, 1, "BA", "NoDelegationFoundForKeys"},
    {world_roots, NS_LINK, ADD, 1, "D", "NoDelegationFoundForKeys"},
    {world_roots, NS_LINK, ADD, 1, "X", "NoDelegationFoundForKeys"},
    {world_full, NS_LINK_LESS, ADD, 2, "D", "Accepted"}, /* it may sign delegations, its own too */
    {world_full, NS_LINK_OPERATOR, DEL, 2, "O", "Accepted"},
    {world_full, NS_LINK_OPERATOR, ADD, 2, "O",
     "NoDelegationFoundForKeys"}, /* to remove, not to add */
    {world_two_owners, NS_LINK_OPERATOR, DEL, 2, "O", "NotFullyAuthorized"},
    {world_two_owners, NS_LINK_OPERATOR, DEL, 2, "Oo", "Accepted"},
    /* a definition: at first all owners; then the old threshold, and each new owner */
    {world_roots, DEF_D, ADD, 1, "X", "NotFullyAuthorized"},
    {world_roots, DEF_D, ADD, 1, "Y", "NotFullyAuthorized"},
    {world_roots, DEF_D_LESS, ADD, 1, "X", "NotFullyAuthorized"}, /* all, whatever its threshold */
    {world_roots, DEF_D, ADD, 1, "XY", "Accepted"},
    {world_joined, DEF_D_LESS, ADD, 2, "X", "NotFullyAuthorized"},
    {world_joined, DEF_D_ALONE, ADD, 2, "X", "NotFullyAuthorized"},
    {world_joined, DEF_D_ALONE, ADD, 2, "XY", "Accepted"}, /* a name stays when owners go */
    {world_joined, DEF_SYNC_TWO, ADD, 2, "O", "NotFullyAuthorized"},
    {world_joined, DEF_SYNC_TWO, ADD, 2, "o", "NotFullyAuthorized"},
    {world_joined, DEF_D, DEL, 2, "X", "NotFullyAuthorized"},
    {world_removed, DEF_D, ADD, 3, "XY", "NotFullyAuthorized"}, /* nobody speaks for it any more */
    /* keys: the namespace, and each new signing key; encryption keys never */
    {world_roots, KEYS_A, ADD, 1, "A1", "NotFullyAuthorized"},
    {world_roots, KEYS_A, ADD, 1, "A2", "NotFullyAuthorized"},
    {world_roots, KEYS_A, ADD, 1, "12", "NotAuthorizedByNamespaceKey"},
    {world_roots, KEYS_A, ADD, 1, "A12", "Accepted"},
    {world_joined, KEYS_A_MORE, ADD, 2, "A", "NotFullyAuthorized"},
    {world_joined, KEYS_A_MORE, ADD, 2, "AN", "Accepted"}, /* the old ones need not again */
    {world_joined, KEYS_A, DEL, 2, "A", "InvalidOwnerToKeyMappingRemoval"},
    {world_joined, KEYS_B, DEL, 2, "B", "Accepted"},
    {world_joined, KEYS_B, DEL, 2, "34", "NoDelegationFoundForKeys"},
    {world_roots, PTK, ADD, 1, "A", "NotFullyAuthorized"},
    {world_roots, PTK, ADD, 1, "K", "NotAuthorizedByNamespaceKey"},
    {world_full, PTK_MORE, ADD, 2, "A", "NotFullyAuthorized"},
    {world_full, PTK_MORE, ADD, 2, "AL", "Accepted"},
    /* certificates and packages: the participant; permissions and limits: the synchronizer */
    {world_joined, TRUST_B, ADD, 1, "B", "Accepted"},
    {world_joined, TRUST_B, ADD, 1, "O", "NoDelegationFoundForKeys"},
    {world_joined, TRUST_D, ADD, 1, "Y", "NotFullyAuthorized"},
    {world_joined, PKG_A, ADD, 1, "O", "NoDelegationFoundForKeys"},
    {world_full, PKG_A_MORE, ADD, 2, "D", "Accepted"}, /* by the delegate */
    {world_full, PKG_A, DEL, 2, "O", "Accepted"},      /* the operator may remove anything */
    {world_joined, PERM_A, ADD, 1, "A", "NoDelegationFoundForKeys"},
    {world_joined, PERM_A, ADD, 1, "O", "Accepted"},
    {world_full, PERM_A, DEL, 2, "A", "NoDelegationFoundForKeys"},
    {world_joined, LIMITS, ADD, 1, "A", "NoDelegationFoundForKeys"},
    {world_joined, LIMITS, ADD, 1, "O", "Accepted"},
    /* the synchronizer's own */
    {world_joined, PARAM_MORE, ADD, 2, "A", "NoDelegationFoundForKeys"},
    {world_joined, PARAM_MORE, ADD, 2, "O", "Accepted"},
    {world_two_owners, PARAM_MORE, ADD, 2, "O", "NotFullyAuthorized"},
    {world_two_owners, PARAM_MORE, ADD, 2, "Oo", "Accepted"},
    {world_joined, MED_NEW, ADD, 1, "O", "Accepted"}, /* the mediator does not sign */
    {world_joined, SEQ_NEW, ADD, 2, "S", "NoDelegationFoundForKeys"},
    {world_joined, SEQ_NEW, ADD, 2, "O", "Accepted"},
    {world_joined, SQP, ADD, 1, "S", "NoDelegationFoundForKeys"},
    {world_joined, SQP, ADD, 1, "O", "Accepted"},
    {world_joined, UP, ADD, 1, "S", "NoDelegationFoundForKeys"},
    {world_joined, UP, ADD, 1, "O", "Accepted"},
    {world_announced, SUC_MOVED, ADD, 2, "O", "NoDelegationFoundForKeys"},
    {world_announced, SUC_MOVED, ADD, 2, "S", "Accepted"},
    {world_announced, SUC, DEL, 2, "O", "Accepted"},
    /* a party: what changes says who */
    {world_both_host, HOST_B_AT_A, ADD, 1, "BA", "PartyIdConflictWithAdminParty"},
    {world_joined, HOST_B_AT_A, ADD, 1, "B", "NotFullyAuthorized"}, /* a host must agree */
    {world_joined, HOST_B_AT_A, ADD, 1, "A", "NotFullyAuthorized"}, /* and the party */
    {world_joined, HOST_B_AT_A, ADD, 1, "BA", "Accepted"},
    {world_both_host, HOST_AB_RAISED, ADD, 2, "A", "NotFullyAuthorized"},
    {world_both_host, HOST_AB_RAISED, ADD, 2, "B", "NotFullyAuthorized"},
    {world_both_host, HOST_AB_RAISED, ADD, 2, "AB", "Accepted"},
    {world_both_host, HOST_AB_ONBOARDING, ADD, 2, "B", "NotFullyAuthorized"}, /* up: the party */
    {world_both_host, HOST_AB_ONBOARDING, ADD, 2, "A", "Accepted"},
    {world_both_host, HOST_A_LESS, ADD, 2, "B", "Accepted"}, /* a host leaves: it, or the party */
    {world_both_host, HOST_A_LESS, ADD, 2, "A", "Accepted"},
    {world_both_host, HOST_A_LESS, ADD, 2, "Z", "NoDelegationFoundForKeys"},
    {world_both_host, HOST_B, ADD, 2, "B", "NotFullyAuthorized"}, /* another host cannot say so */
    {world_both_host, HOST_AB, DEL, 2, "B", "NotFullyAuthorized"},
    {world_both_host, HOST_AB, DEL, 2, "A", "Accepted"},
    {world_both_host, HOST_AB, DEL, 2, "O", "Accepted"},
    {world_full, HOST_A_TWO, ADD, 2, "A", "Accepted"},
    {world_full, HOST_A_TWO, ADD, 2, "O", "NoDelegationFoundForKeys"},
    {world_full, HOST_A_LESS, ADD, 2, "A", "Accepted"},
    {world_full, HOST_KEY, ADD, 2, "A", "NotFullyAuthorized"}, /* a new key signs */
    {world_full, HOST_KEY, ADD, 2, "K", "NotAuthorizedByNamespaceKey"},
    {world_full, HOST_KEYS, ADD, 2, "AK", "NotFullyAuthorized"},
    {world_full, HOST_KEYS, ADD, 2, "AKL", "Accepted"},
    {world_joined, HOST_SELF, ADD, 1, "P", "NotFullyAuthorized"},
    {world_joined, HOST_SELF, ADD, 1, "PA", "Accepted"},
    {world_full, HOST_ADMIN, ADD, 1, "A", "Accepted"},
    {world_both_raised, HOST_AB_UP, ADD, 2, "B", "NotFullyAuthorized"}, /* lowers itself, no flag */
    {world_both_raised, HOST_AB_UP, ADD, 2, "A", "Accepted"},
    {world_both_host, HOST_A_LESS_TWO, ADD, 2, "B",
     "NotFullyAuthorized"}, /* leaves, no threshold */
    {world_both_host, HOST_A_LESS_TWO, ADD, 2, "A", "Accepted"},
    /* a party of its own key: no root certificate is needed, but a key for namespaces is */
    {world_joined, HOST_SELF_ROOTLESS, ADD, 1, "ZA", "Accepted"},
    {world_joined, HOST_SELF_ROOTLESS, ADD, 1, "A", "NotFullyAuthorized"},
    {world_joined, HOST_SELF_ODD, ADD, 1, "KA", "SignatureCheckFailed"},
    /* every signature that counts is checked, by namespace keys and others; one that does not is
     * not
     */
    {world_roots, KEYS_A, ADD, 1, "A!12", "SignatureCheckFailed"},
    {world_roots, KEYS_A, ADD, 1, "A12!", "SignatureCheckFailed"},
    {world_roots, PTK, ADD, 1, "AK!", "SignatureCheckFailed"},
    {world_joined, PARAM_MORE, ADD, 2, "OZ!", "Accepted"},
    {world_two_owners, PARAM_MORE, ADD, 2, "Oo!", "SignatureCheckFailed"},
    {world_joined, KEYS_A_MORE, ADD, 2, "A1!N", "SignatureCheckFailed"}, /* need not, but counts */
    /* what stands in the way, by name */
    {world_joined, DEF_ROOTLESS, ADD, 1, "ZX", "InvalidTopologyMapping"},
    {world_joined, KEYS_B_BARE, ADD, 2, "B", "InvalidOwnerToKeyMapping"},
    {world_nothing_more, KEYS_MED_OLD, DEL, 2, "O", "InvalidOwnerToKeyMappingRemoval"},
    {world_nothing_more, KEYS_SEQ_OLD, DEL, 2, "O", "InvalidOwnerToKeyMappingRemoval"},
    {world_joined, TRUST_A_FLAGS, DEL, 2, "A", "Accepted"},
    {world_restricted, TRUST_B, ADD, 1, "B", "OnboardingRestrictionInPlace"},
    {world_full, HOST_ADMIN_TWO, ADD, 1, "A", "PartyIdConflictWithAdminParty"},
    {world_admin_party, TRUST_A, ADD, 1, "A", "Accepted"},
    {world_host_gone, HOST_AB_ONBOARDING, ADD, 2, "A", "Accepted"}, /* who is there may stay */
    {world_mediator_keyless, MED_NEW, ADD, 2, "O", "Accepted"},
    /* more signatures of what is accepted: nothing is missing, whatever has been revoked since */
    {world_owner_gone, PKG_D, ADD, 1, "Y", "Accepted"},
    {world_owner_gone, PKG_D, DEL, 2, "Y", "NotFullyAuthorized"},
    /* delegations: restricted, revoked, and without their root */
    {world_full, HOST_A_LESS, ADD, 2, "D", "Accepted"},
    {world_link_restricted, HOST_A_LESS, ADD, 2, "D", "NoDelegationFoundForKeys"},
    {world_link_restricted, PKG_A_MORE, ADD, 2, "D", "Accepted"},
    {world_link_restricted, NS_LINK, ADD, 3, "D", "NoDelegationFoundForKeys"},
    {world_link_gone, PKG_A_MORE, ADD, 2, "D", "NoDelegationFoundForKeys"},
    {world_root_resigned, PKG_A_MORE, ADD, 2, "A", "NoDelegationFoundForKeys"},
    {world_root_resigned, PKG_A_MORE, ADD, 2, "D", "NoDelegationFoundForKeys"},
};
#define SIGNING (sizeof(signing) / sizeof(signing[0]))

static void each_mapping_is_signed_by_whom_the_protocol_says(void **state)
{
    struct cast c;
    int wrong = 0;

    (void)state;
    cast_open(&c);
    for (size_t w = 0; w < world_count; w++) {
        struct stage s = stage_open(&c, &world_kinds[w]);

        for (size_t i = 0; i < SIGNING; i++) {
            if (signing[i].world != world_kinds[w].make)
                continue;
            struct state_mark mark = state_try(s.t);
            struct topology_outcome out =
                apply_at(s.t, s.now,
                         variant_sign(&c, signing[i].v, signing[i].op, signing[i].serial,
                                      signing[i].by, false));

            if (strcmp(outcomes[column_of(&out)], signing[i].outcome) != 0) {
                printf("case %zu, %s: by %s: %s, expected %s\n", i, world_kinds[w].name,
                       signing[i].by, out.verdict == TOPOLOGY_ACCEPTED ? "accepted" : out.reason,
                       signing[i].outcome);
                wrong++;
            }
            state_take_back(s.t, &mark);
        }
        topology_close(s.t);
    }
    cast_close(&c);
    fflush(stdout);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_cell_of_the_table_is_empty),
        cmocka_unit_test(without_signatures_or_its_own_name_nothing_parses),
        cmocka_unit_test(each_mapping_is_signed_by_whom_the_protocol_says),
    };

    return cmocka_run_group_tests_name("topology table", tests, NULL, NULL);
}
