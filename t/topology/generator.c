/* generator.c: see generator.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/topology/generator.h"

#define ADD TOPOLOGY_ADD_REPLACE
#define DEL TOPOLOGY_REMOVE

void generator_open(struct generator *g, struct signer owner, const char *psid)
{
    struct error e;

    memset(g, 0, sizeof(*g));
    g->owner = owner;
    g->psid = psid;
    must(psid_logical(psid, g->synchronizer, &e), &e);
}

void generator_close(struct generator *g)
{
    for (size_t i = 0; i < g->n; i++)
        buffer_free(&g->at[i].raw);
    free(g->at);
    memset(g, 0, sizeof(*g));
}

static void put(struct generator *g, struct buffer raw, enum topology_verdict verdict)
{
    if (g->n == g->cap) {
        g->cap = g->cap > 0 ? 2 * g->cap : 64;
        g->at = realloc(g->at, g->cap * sizeof(*g->at));
        assert_non_null(g->at);
    }
    g->at[g->n++] = (struct generated){raw, g->n_chains, verdict};
}

/* Signs and appends; by ends with a NULL keyring. */
static void say(struct generator *g, const struct signer *by, size_t n, int op, uint32_t serial,
                struct maker *k, enum topology_verdict verdict)
{
    put(g, sign_by(by, n, op, serial, &k->m, verdict == TOPOLOGY_PROPOSED), verdict);
}

static void one(struct generator *g, struct signer by, int op, uint32_t serial, struct maker *k)
{
    say(g, &by, 1, op, serial, k, TOPOLOGY_ACCEPTED);
}

static void bad(struct generator *g, struct signer by, int op, uint32_t serial, struct maker *k)
{
    if (!g->is_scarce)
        say(g, &by, 1, op, serial, k, TOPOLOGY_REJECTED);
}

static struct signer root_of(const struct node *n)
{
    return (struct signer){n->keys, n->ns};
}

static void identity(struct generator *g, struct node *n, enum member_kind kind, const char *name)
{
    node_open(n, kind, name);
    for (size_t i = 0; i < n->identity.n; i++) {
        struct buffer copy = BUFFER_INIT;

        buffer_append_bytes(&copy, buffer_bytes(&n->identity.at[i]));
        put(g, copy, TOPOLOGY_ACCEPTED);
    }
}

static const struct public_key *new_key(struct node *n, int spec, unsigned usages)
{
    const struct private_key *k;
    struct error e;

    must(keyring_generate(n->keys, KEY_SIGNING, spec, usages, &k, &e), &e);
    return k->pub;
}

static void uid_in(const struct node *n, const char *id, char out[UID_TEXT_SIZE])
{
    snprintf(out, UID_TEXT_SIZE, "%s::%s", id, n->ns);
}

/* All public keys of n but its namespace keys, in order. */
static size_t member_keys(struct node *n, const struct public_key **out)
{
    size_t found = 0;

    for (size_t i = 0; i < keyring_count(n->keys); i++) {
        const struct public_key *k = keyring_at(n->keys, i)->pub;

        if (k->kind == KEY_ENCRYPTION || (k->usages & USAGE_NAMESPACE) == 0)
            out[found++] = k;
    }
    return found;
}

static void rotate_keys(struct generator *g, struct node *n)
{
    const struct public_key *added = new_key(n, SIGNING_P384, USAGE_PROTOCOL | USAGE_PROOF);
    const struct public_key *keys[MAKE_MAX];
    struct signer by[] = {root_of(n), {n->keys, added->fingerprint}};
    struct maker k;

    size_t n_keys = member_keys(n, keys);

    make_keys(&k, n->member, keys, n_keys);
    say(g, by, 2, ADD, 2, &k, TOPOLOGY_ACCEPTED);
}

/* Packages, by the root key and by a key that may sign nothing else. */
static void packages(struct generator *g, struct node *n)
{
    const char *ids[] = {"aa01", "bb02", "cc03"};
    const int codes[] = {MAPPING_PACKAGES};
    const struct public_key *d = new_key(n, SIGNING_ED25519, USAGE_NAMESPACE);
    struct signer root = root_of(n), delegate = {n->keys, d->fingerprint};
    struct maker k, link;

    make_packages(&k, n->uid, ids, 1);
    one(g, root, ADD, 1, &k);
    make_packages(&k, n->uid, ids, 2);
    bad(g, delegate, ADD, 2, &k);
    make_delegation(&link, n->ns, d, codes, 1);
    one(g, root, ADD, 1, &link);
    one(g, delegate, ADD, 2, &k);
    one(g, root, DEL, 2, &link);
    make_packages(&k, n->uid, ids, 3);
    bad(g, delegate, ADD, 3, &k);
    one(g, root, ADD, 3, &k);
}

static void parties(struct generator *g, struct node *n)
{
    const struct public_key *key = new_key(n, SIGNING_P256, USAGE_PROTOCOL | USAGE_PROOF);
    struct signer root = root_of(n), both[] = {root, {n->keys, key->fingerprint}};
    const char *host = n->uid;
    const int submission = PERMISSION_SUBMISSION, observation = PERMISSION_OBSERVATION;
    char bank[UID_TEXT_SIZE], external[UID_TEXT_SIZE];
    struct maker k;

    uid_in(n, "bank", bank);
    uid_in(n, "external", external);
    make_hosting(&k, bank, 1, &host, &submission, 1);
    one(g, root, ADD, 1, &k);
    make_hosting_keys(&k, &key, 1, 1);
    say(g, both, 2, ADD, 2, &k, TOPOLOGY_ACCEPTED);
    make_hosting(&k, bank, 1, &host, &observation, 1);
    bad(g, root, ADD, 2, &k);
    one(g, root, ADD, 3, &k);
    make_hosting(&k, external, 1, &host, &submission, 1);
    one(g, root, ADD, 1, &k);
    one(g, root, DEL, 2, &k);
    make_party_keys(&k, external, &key, 1, 1);
    say(g, both, 2, ADD, 1, &k, TOPOLOGY_ACCEPTED);
    one(g, root, DEL, 2, &k);
}

static void participant(struct generator *g)
{
    struct node n;
    struct maker k;

    identity(g, &n, MEMBER_PARTICIPANT, "p");
    make_trust(&k, n.uid, g->synchronizer);
    one(g, root_of(&n), ADD, 1, &k);
    packages(g, &n);
    rotate_keys(g, &n);
    parties(g, &n);
    node_close(&n);
}

/* What the owner says of a participant, until it removes it. */
static void permitted(struct generator *g)
{
    char party[UID_TEXT_SIZE];
    struct node n;
    struct maker k;

    identity(g, &n, MEMBER_PARTICIPANT, "q");
    make_permission(&k, n.uid, g->synchronizer, PERMISSION_OBSERVATION);
    bad(g, root_of(&n), ADD, 1, &k);
    one(g, g->owner, ADD, 1, &k);
    make_trust(&k, n.uid, g->synchronizer);
    one(g, root_of(&n), ADD, 1, &k);
    make_permission(&k, n.uid, g->synchronizer, PERMISSION_CONFIRMATION);
    one(g, g->owner, ADD, 2, &k);
    uid_in(&n, "limited", party);
    make_limits(&k, party, g->synchronizer);
    one(g, g->owner, ADD, 1, &k);
    one(g, g->owner, DEL, 2, &k);
    make_trust(&k, n.uid, g->synchronizer);
    one(g, g->owner, DEL, 2, &k);
    bad(g, root_of(&n), ADD, 3, &k);
    node_close(&n);
}

static void mediators(struct generator *g)
{
    uint32_t group = (uint32_t)(100 + g->n_chains);
    struct node a, b;
    struct maker k;

    identity(g, &a, MEMBER_MEDIATOR, "ma");
    identity(g, &b, MEMBER_MEDIATOR, "mb");
    const char *first[] = {a.uid, NULL}, *second[] = {b.uid, NULL}, *both[] = {a.uid, b.uid, NULL};

    make_mediators(&k, g->synchronizer, group, 1, first, NULL);
    bad(g, root_of(&a), ADD, 1, &k);
    one(g, g->owner, ADD, 1, &k);
    make_mediators(&k, g->synchronizer, group, 2, both, NULL);
    one(g, g->owner, ADD, 2, &k);
    make_mediators(&k, g->synchronizer, group, 1, first, second);
    one(g, g->owner, ADD, 3, &k);
    if (g->n_chains % 8 < 4)
        one(g, g->owner, DEL, 4, &k);
    node_close(&a);
    node_close(&b);
}

/* One signature of a over the transactions of two mappings, and b's own of each. */
static void say_two(struct generator *g, struct signer a, struct signer b, struct maker *x,
                    uint32_t xs, struct maker *y, uint32_t ys)
{
    struct buffer tx[2] = {BUFFER_INIT, BUFFER_INIT};
    struct hash h[2], sorted[2], multi;
    struct signature one_of_a, own;
    ProtobufCBinaryData names[2];
    struct error e;

    must(topology_tx_build(ADD, xs, &x->m, &tx[0], &e), &e);
    must(topology_tx_build(ADD, ys, &y->m, &tx[1], &e), &e);
    for (int i = 0; i < 2; i++)
        must(topology_tx_hash(buffer_bytes(&tx[i]), &h[i], &e), &e);
    bool in_order = hash_compare(&h[0], &h[1]) < 0;

    sorted[0] = h[in_order ? 0 : 1];
    sorted[1] = h[in_order ? 1 : 0];
    must(topology_multi_hash(sorted, 2, &multi, &e), &e);
    must(private_key_sign(keyring_find(a.keys, a.fingerprint), USAGE_NAMESPACE, &multi, &one_of_a,
                          &e),
         &e);
    for (int i = 0; i < 2; i++)
        names[i] = (ProtobufCBinaryData){HASH_LEN, sorted[i].b};
    for (int i = 0; i < 2; i++) {
        P30__SignedTopologyTransaction m = P30__SIGNED_TOPOLOGY_TRANSACTION__INIT;
        P30__MultiTransactionSignatures list = P30__MULTI_TRANSACTION_SIGNATURES__INIT;
        P30__MultiTransactionSignatures *lists = &list;
        struct signature_message sa, sb;
        C30__Signature *sas = &sa.signature, *sbs = &sb.signature;
        struct signed_topology_tx parsed;
        struct buffer raw = BUFFER_INIT;

        must(
            private_key_sign(keyring_find(b.keys, b.fingerprint), USAGE_NAMESPACE, &h[i], &own, &e),
            &e);
        signature_to_message(&one_of_a, &sa);
        signature_to_message(&own, &sb);
        m.transaction = (ProtobufCBinaryData){tx[i].len, tx[i].data};
        m.signatures = &sbs;
        m.n_signatures = 1;
        list.transaction_hashes = names;
        list.n_transaction_hashes = 2;
        list.signatures = &sas;
        list.n_signatures = 1;
        m.multi_transaction_signatures = &lists;
        m.n_multi_transaction_signatures = 1;
        must(signed_topology_tx_from(&m, &parsed, &e), &e);
        buffer_append_bytes(&raw, buffer_bytes(&parsed.raw));
        put(g, raw, TOPOLOGY_ACCEPTED);
        signed_topology_tx_free(&parsed);
        signature_free(&own);
        buffer_free(&tx[i]);
    }
    signature_free(&one_of_a);
}

static void proposed(struct generator *g, struct signer a, struct signer b, uint32_t serial,
                     struct maker *k)
{
    say(g, &a, 1, ADD, serial, k, TOPOLOGY_PROPOSED);
    put(g, sign_by(&b, 1, ADD, serial, &k->m, true), TOPOLOGY_ACCEPTED);
}

/* Two owners: everything needs both. */
static void decentralised(struct generator *g)
{
    char ns[FINGERPRINT_SIZE], party[UID_TEXT_SIZE], other[UID_TEXT_SIZE];
    struct node a, b;
    struct maker k, def;
    struct error e;

    identity(g, &a, MEMBER_PARTICIPANT, "da");
    identity(g, &b, MEMBER_PARTICIPANT, "db");
    const char *owners[] = {a.ns, b.ns}, *hosts[] = {a.uid, b.uid};
    const int permissions[] = {PERMISSION_CONFIRMATION, -PERMISSION_CONFIRMATION};
    struct signer by_a = root_of(&a), by_b = root_of(&b);

    must(decentralized_namespace(owners, 2, ns, &e), &e);
    make_trust(&k, a.uid, g->synchronizer);
    one(g, by_a, ADD, 1, &k);
    make_trust(&k, b.uid, g->synchronizer);
    one(g, by_b, ADD, 1, &k);
    make_definition(&def, ns, 2, owners, 2);
    proposed(g, by_a, by_b, 1, &def);
    snprintf(party, sizeof(party), "shared::%s", ns);
    snprintf(other, sizeof(other), "other::%s", ns);
    make_hosting(&k, party, 1, hosts, permissions, 2);
    proposed(g, by_b, by_a, 1, &k);
    make_definition(&def, ns, 1, owners, 2);
    make_hosting(&k, party, 2, hosts, permissions, 2);
    say_two(g, by_a, by_b, &def, 2, &k, 2);
    make_hosting(&k, other, 1, hosts, permissions, 1);
    one(g, by_a, ADD, 1, &k); /* one suffices now */
    make_hosting(&k, other, 2, hosts, permissions, 2);
    say(g, &by_a, 1, ADD, 2, &k, TOPOLOGY_PROPOSED); /* for ever: b does not host it */
    node_close(&a);
    node_close(&b);
}

static void synchronizer(struct generator *g)
{
    struct dynamic_parameters d;
    struct node n;
    struct maker k;

    dynamic_parameters_default(&d);
    for (uint32_t serial = 2; serial < 5; serial++) {
        d.assignment_exclusivity_timeout_us += 1000000;
        make_parameters(&k, g->synchronizer, &d);
        one(g, g->owner, ADD, serial, &k);
        bad(g, g->owner, ADD, serial + 3, &k);
        make_parameters_free(&k);
    }
    make_sequencing(&k, g->synchronizer, "first");
    one(g, g->owner, ADD, 1, &k);
    make_sequencing(&k, g->synchronizer, "second");
    one(g, g->owner, ADD, 2, &k);
    one(g, g->owner, DEL, 3, &k);
    identity(g, &n, MEMBER_SEQUENCER, "s");
    if (g->sequencer != NULL) {
        const char *active[] = {g->sequencer, NULL}, *observers[] = {n.uid, NULL};

        make_sequencers(&k, g->synchronizer, 1, active, observers);
        one(g, g->owner, ADD, 2, &k);
        make_sequencers(&k, g->synchronizer, 1, active, NULL);
        one(g, g->owner, ADD, 3, &k);
    }
    node_close(&n);
}

void generator_fill(struct generator *g, size_t n)
{
    static void (*const kinds[])(struct generator *) = {participant, permitted, mediators,
                                                        decentralised};

    while (g->n < n) {
        if (g->n_chains == 0)
            synchronizer(g);
        else
            kinds[(g->n_chains - 1) % 4](g);
        g->n_chains++;
    }
}

void generator_upgrade(struct generator *g)
{
    struct psid next;
    char successor[PSID_TEXT_SIZE];
    struct node n;
    struct maker up, to;
    struct error e;

    must(psid_parse(g->psid, &next, &e), &e);
    next.serial++;
    psid_format(&next, successor);
    identity(g, &n, MEMBER_SEQUENCER, "s");
    make_upgrade(&up, successor, 4102444800);
    make_successor(&to, n.member, successor, "https://127.0.0.1:1");
    bad(g, root_of(&n), ADD, 1, &to);
    one(g, g->owner, ADD, 1, &up);
    one(g, root_of(&n), ADD, 1, &to);
    make_successor(&to, n.member, successor, "https://127.0.0.1:2");
    one(g, root_of(&n), ADD, 2, &to);
    one(g, root_of(&n), DEL, 3, &to);
    one(g, g->owner, DEL, 2, &up);
    node_close(&n);
    g->n_chains++;
}

void generator_join(struct generator *g, struct node *out, const char *name)
{
    struct maker k;

    identity(g, out, MEMBER_PARTICIPANT, name);
    make_trust(&k, out->uid, g->synchronizer);
    one(g, root_of(out), ADD, 1, &k);
    g->n_chains++;
}
