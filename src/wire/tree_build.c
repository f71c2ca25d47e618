/* tree_build.c: the submitter's trees. All nodes stand in one array, children before parents, so
 * that hashing and encoding are loops.
 * Invariants: node i's children have smaller indexes; parent[i] is set once i is a child. */
#include <stdlib.h>
#include <string.h>

#include "protocol_v31.pb-c.h"
#include "wire/informee_tree.h"
#include "wire/keys.h"
#include "wire/own.h"
#include "wire/scan.h"
#include "wire/tree_leaf.h"
#include "wire/versioned.h"

#define NONE UINT32_MAX

enum item_kind { ITEM_LEAF, ITEM_VIEW, ITEM_SINGLE, ITEM_BRANCH };

struct item {
    enum item_kind kind;
    struct hash hash;
    struct buffer leaf;   /* ITEM_LEAF: wrapped */
    uint32_t children[3]; /* NONE where there is none */
    uint32_t parent;
    bool is_right;      /* second child of a branch */
    bool is_open;       /* in the variant being encoded */
    struct buffer open; /* wrapped, in that variant */
};

struct builder {
    const struct tree_spec *spec;
    struct item *items;
    uint32_t n, cap;
    uint32_t metadata[3]; /* leaves: submitter, common, participant */
    uint32_t root_views;  /* NONE when there are no views */
    uint32_t *view_items; /* per view of the spec */
    uint32_t salts;       /* how many were used */
};

static bool add_item(struct builder *b, struct item *item, uint32_t *index, struct error *err)
{
    if (b->n == b->cap) {
        uint32_t cap = b->cap > 0 ? 2 * b->cap : 32;
        void *p = realloc(b->items, cap * sizeof(*b->items));

        if (!p) {
            buffer_free(&item->leaf);
            return error_set(err, ERR_MEMORY, NULL, "no memory for a tree");
        }
        b->items = p;
        b->cap = cap;
    }
    item->parent = NONE;
    *index = b->n;
    b->items[b->n++] = *item;
    return true;
}

/* Packs message (with salt m_salt filled in by the caller), wraps and hashes it. */
static bool add_leaf(struct builder *b, enum hash_purpose purpose, enum versioned_rule rule,
                     struct buffer *data, const uint8_t salt[SALT_LEN], uint32_t *index,
                     struct error *err)
{
    struct item item = {.kind = ITEM_LEAF, .children = {NONE, NONE, NONE}};

    if (!versioned_wrap(buffer_bytes(data), rule, &item.leaf, err) ||
        !merkle_leaf(purpose, salt, buffer_bytes(&item.leaf), &item.hash, err)) {
        buffer_free(&item.leaf);
        return false;
    }
    return add_item(b, &item, index, err);
}

static bool add_inner(struct builder *b, enum item_kind kind, const uint32_t *children, size_t n,
                      uint32_t *index, struct error *err)
{
    struct item item = {.kind = kind, .children = {NONE, NONE, NONE}};
    struct hash hashes[3];

    for (size_t i = 0; i < n; i++) {
        item.children[i] = children[i];
        hashes[i] = b->items[children[i]].hash;
    }
    if (!merkle_inner(hashes, n, &item.hash, err) || !add_item(b, &item, index, err))
        return false;
    for (size_t i = 0; i < n; i++) { /* not children[i]: index may point there */
        b->items[item.children[i]].parent = *index;
        b->items[item.children[i]].is_right = kind == ITEM_BRANCH && i == 1;
    }
    return true;
}

/* A sequence of views: singles, then neighbours paired until one is left. items: n view items,
 * overwritten. */
static bool add_sequence(struct builder *b, uint32_t *items, size_t n, uint32_t *root,
                         struct error *err)
{
    *root = NONE;
    if (n == 0)
        return true;
    for (size_t i = 0; i < n; i++)
        if (!add_inner(b, ITEM_SINGLE, &items[i], 1, &items[i], err))
            return false;
    while (n > 1) {
        size_t kept = 0;

        for (size_t i = 0; i < n; i += 2) {
            if (i + 1 == n)
                items[kept] = items[i];
            else if (!add_inner(b, ITEM_BRANCH, &items[i], 2, &items[kept], err))
                return false;
            kept++;
        }
        n = kept;
    }
    *root = items[0];
    return true;
}

static void salt_to(const uint8_t salt[SALT_LEN], C30__Salt *m)
{
    c30__salt__init(m);
    m->algorithm_case = C30__SALT__ALGORITHM_HMAC;
    m->hmac = C30__HMAC_ALGORITHM__HMAC_ALGORITHM_HMAC_SHA256;
    m->salt = pb_bytes(bytes_of(salt, SALT_LEN));
}

static bool next_salt(struct builder *b, uint8_t salt[SALT_LEN], C30__Salt *m, struct error *err)
{
    if (!merkle_salt(b->spec->seed, b->salts, salt, err))
        return false;
    b->salts++;
    salt_to(salt, m);
    return true;
}

static bool pack(const void *message, struct buffer *out, struct error *err)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *at = buffer_reserve(out, size);

    if (at)
        out->len += protobuf_c_message_pack(message, at);
    return buffer_ok(out, err);
}

static char *borrowed(const char *s)
{
    return (char *)(uintptr_t)s; /* packing only reads it */
}

static bool add_submitter(struct builder *b, struct error *err)
{
    P31__SubmitterMetadata m = P31__SUBMITTER_METADATA__INIT;
    P30__DeduplicationPeriod period = P30__DEDUPLICATION_PERIOD__INIT;
    Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
    const struct tree_spec *s = b->spec;
    struct buffer data = BUFFER_INIT;
    uint8_t salt[SALT_LEN];
    C30__Salt salt_message;
    bool ok;

    if (!next_salt(b, salt, &salt_message, err))
        return false;
    duration.seconds = s->dedup_seconds;
    period.period_case = P30__DEDUPLICATION_PERIOD__PERIOD_DURATION;
    period.duration = &duration;
    m.salt = &salt_message;
    m.act_as = (char **)(uintptr_t)s->act_as; /* packing only reads it */
    m.n_act_as = s->n_act_as;
    m.user_id = borrowed(s->user_id);
    m.command_id = borrowed(s->command_id);
    m.submission_id = borrowed(s->submission_id);
    m.submitting_participant_uid = borrowed(s->submitting_participant);
    m.dedup_period = &period;
    m.max_sequencing_time = s->max_sequencing_time;
    ok = pack(&m, &data, err) &&
         add_leaf(b, HASH_SUBMITTER_METADATA, VERSIONED_V31, &data, salt, &b->metadata[0], err);
    buffer_free(&data);
    return ok;
}

static bool add_common(struct builder *b, struct error *err)
{
    P30__CommonMetadata m = P30__COMMON_METADATA__INIT;
    struct buffer data = BUFFER_INIT;
    uint8_t salt[SALT_LEN];
    C30__Salt salt_message;
    bool ok;

    if (!next_salt(b, salt, &salt_message, err))
        return false;
    m.salt = &salt_message;
    m.physical_synchronizer_id = borrowed(b->spec->psid);
    m.uuid = borrowed(b->spec->uuid);
    m.mediator_group = b->spec->mediator_group;
    ok = pack(&m, &data, err) &&
         add_leaf(b, HASH_COMMON_METADATA, VERSIONED_V30, &data, salt, &b->metadata[1], err);
    buffer_free(&data);
    return ok;
}

static bool add_participant(struct builder *b, struct error *err)
{
    P30__ParticipantMetadata m = P30__PARTICIPANT_METADATA__INIT;
    struct buffer data = BUFFER_INIT;
    uint8_t salt[SALT_LEN];
    C30__Salt salt_message;
    bool ok;

    if (!next_salt(b, salt, &salt_message, err))
        return false;
    m.salt = &salt_message;
    m.ledger_time = b->spec->ledger_time;
    m.preparation_time = b->spec->preparation_time;
    m.workflow_id = borrowed(b->spec->workflow_id);
    ok = pack(&m, &data, err) &&
         add_leaf(b, HASH_PARTICIPANT_METADATA, VERSIONED_V30, &data, salt, &b->metadata[2], err);
    buffer_free(&data);
    return ok;
}

/* One Quorum, by hand: fields 1 {index = 1, weight = 2} and threshold = 2. */
static void put_quorum(struct buffer *out, const struct quorum *q)
{
    struct buffer all = BUFFER_INIT, one = BUFFER_INIT;

    for (size_t i = 0; i < q->n; i++) {
        buffer_clear(&one);
        put_varint(&one, 1, q->confirmers[i].informee);
        put_varint(&one, 2, (uint64_t)q->confirmers[i].weight);
        put_bytes(&all, 1, buffer_bytes(&one));
    }
    put_varint(&all, 2, (uint64_t)q->threshold);
    put_bytes(out, 3, buffer_bytes(&all));
    out->failed = out->failed || all.failed || one.failed;
    buffer_free(&all);
    buffer_free(&one);
}

static bool add_view_common(struct builder *b, const struct view_spec *v, uint32_t *index,
                            struct error *err)
{
    struct buffer data = BUFFER_INIT;
    P30__ViewCommonData m = P30__VIEW_COMMON_DATA__INIT;
    uint8_t salt[SALT_LEN];
    C30__Salt salt_message;
    bool ok;

    if (!next_salt(b, salt, &salt_message, err))
        return false;
    m.salt = &salt_message;
    m.informees = (char **)(uintptr_t)v->informees; /* packing only reads it */
    m.n_informees = v->n_informees;
    ok = pack(&m, &data, err);
    for (size_t i = 0; i < v->n_quorums; i++)
        put_quorum(&data, &v->quorums[i]);
    ok = ok && buffer_ok(&data, err) &&
         add_leaf(b, HASH_VIEW_COMMON_DATA, VERSIONED_V30, &data, salt, index, err);
    buffer_free(&data);
    return ok;
}

static bool add_view_participant(struct builder *b, const struct view_spec *v, uint32_t *index,
                                 struct error *err)
{
    P31__ViewParticipantData m = P31__VIEW_PARTICIPANT_DATA__INIT;
    struct buffer data = BUFFER_INIT;
    uint8_t salt[SALT_LEN];
    C30__Salt salt_message;
    bool ok;

    if (!next_salt(b, salt, &salt_message, err))
        return false;
    m.salt = &salt_message;
    ok = pack(&m, &data, err);
    put_bytes(&data, PAYLOAD_FIELD, v->payload);
    ok = ok && buffer_ok(&data, err) &&
         add_leaf(b, HASH_VIEW_PARTICIPANT_DATA, VERSIONED_V31, &data, salt, index, err);
    buffer_free(&data);
    return ok;
}

/* View number, whose subviews (at depth + 1, up to end) have been added. */
static bool add_view(struct builder *b, size_t number, uint32_t *scratch, struct error *err)
{
    const struct view_spec *views = b->spec->views;
    uint32_t parts[3];
    size_t n = 0;

    if (!add_view_common(b, &views[number], &parts[0], err) ||
        !add_view_participant(b, &views[number], &parts[1], err))
        return false;
    for (size_t i = number + 1; i < b->spec->n_views && views[i].depth > views[number].depth; i++)
        if (views[i].depth == views[number].depth + 1)
            scratch[n++] = b->view_items[i];
    if (!add_sequence(b, scratch, n, &parts[2], err))
        return false;
    return add_inner(b, ITEM_VIEW, parts, n > 0 ? 3 : 2, &b->view_items[number], err);
}

/* Post-order over the flat list: a view is added when the next one is not below it any more. */
static bool add_views(struct builder *b, struct error *err)
{
    const struct tree_spec *s = b->spec;
    size_t open[TREE_DEPTH_MAX], depth = 0, n = 0;
    uint32_t *scratch = NULL;
    bool ok = own_array(s->n_views, sizeof(*scratch), &scratch, err);

    for (size_t i = 0; ok && i <= s->n_views; i++) {
        size_t next = i < s->n_views ? s->views[i].depth : 0;

        while (ok && depth > next)
            ok = add_view(b, open[--depth], scratch, err);
        if (i < s->n_views)
            open[depth++] = i;
    }
    for (size_t i = 0; ok && i < s->n_views; i++)
        if (s->views[i].depth == 0)
            scratch[n++] = b->view_items[i];
    ok = ok && add_sequence(b, scratch, n, &b->root_views, err);
    free(scratch);
    return ok;
}

/* ---- encoding ---- */

static void put_node(struct buffer *out, uint32_t number, const struct item *item)
{
    struct buffer node = BUFFER_INIT;

    if (item->is_open)
        put_bytes(&node, 1,
                  item->kind == ITEM_LEAF ? buffer_bytes(&item->leaf) : buffer_bytes(&item->open));
    else
        put_bytes(&node, 2, hash_as_bytes(&item->hash));
    put_bytes(out, number, buffer_bytes(&node));
    out->failed = out->failed || node.failed;
    buffer_free(&node);
}

/* MerkleSeq in field number; root may be NONE: empty, and still there. */
static void put_sequence(struct buffer *out, uint32_t number, const struct builder *b,
                         uint32_t root)
{
    struct buffer seq = BUFFER_INIT;

    if (root != NONE)
        put_node(&seq, 1, &b->items[root]);
    put_bytes(out, number, buffer_bytes(&seq));
    out->failed = out->failed || seq.failed;
    buffer_free(&seq);
}

static bool encode_item(struct builder *b, struct item *item, struct error *err)
{
    struct buffer data = BUFFER_INIT;
    bool ok;

    switch (item->kind) {
    case ITEM_LEAF:
        return true;
    case ITEM_VIEW:
        put_node(&data, 1, &b->items[item->children[0]]);
        put_node(&data, 2, &b->items[item->children[1]]);
        put_sequence(&data, 3, b, item->children[2]);
        break;
    case ITEM_BRANCH:
        put_node(&data, 1, &b->items[item->children[0]]);
        put_node(&data, 2, &b->items[item->children[1]]);
        break;
    case ITEM_SINGLE:
        put_node(&data, 3, &b->items[item->children[0]]);
        break;
    }
    ok = buffer_ok(&data, err) &&
         versioned_wrap(buffer_bytes(&data), VERSIONED_V30, &item->open, err);
    buffer_free(&data);
    return ok;
}

/* Encodes {tree = 1 GenTransactionTree} with the nodes that are open. */
static bool encode_tree(struct builder *b, struct buffer *out, struct error *err)
{
    struct buffer tree = BUFFER_INIT;
    bool ok = true;

    for (uint32_t i = 0; i < b->n; i++)
        buffer_clear(&b->items[i].open);
    for (uint32_t i = 0; ok && i < b->n; i++)
        if (b->items[i].is_open)
            ok = encode_item(b, &b->items[i], err);
    for (uint32_t i = 0; i < 3; i++)
        put_node(&tree, i + 1, &b->items[b->metadata[i]]);
    put_sequence(&tree, 4, b, b->root_views);
    put_bytes(out, 1, buffer_bytes(&tree));
    ok = ok && buffer_ok(&tree, err) && buffer_ok(out, err);
    buffer_free(&tree);
    return ok;
}

static bool encode_informee_tree(struct builder *b, struct buffer *out, struct error *err)
{
    for (uint32_t i = 0; i < b->n; i++)
        b->items[i].is_open = true;
    b->items[b->metadata[2]].is_open = false;
    for (uint32_t i = 0; i < b->n; i++)
        if (b->items[i].kind == ITEM_VIEW)
            b->items[b->items[i].children[1]].is_open = false;
    return encode_tree(b, out, err);
}

static bool encode_light_tree(struct builder *b, size_t number, struct buffer *out,
                              struct error *err)
{
    const struct item *view = &b->items[b->view_items[number]];

    for (uint32_t i = 0; i < b->n; i++)
        b->items[i].is_open = false;
    for (uint32_t i = b->view_items[number]; i != NONE; i = b->items[i].parent)
        b->items[i].is_open = true;
    b->items[view->children[0]].is_open = true;
    b->items[view->children[1]].is_open = true;
    b->items[b->metadata[0]].is_open = b->spec->views[number].depth == 0;
    b->items[b->metadata[1]].is_open = true;
    b->items[b->metadata[2]].is_open = true;
    return encode_tree(b, out, err);
}

/* From the view upwards, as tree_walk does from its stack. */
static bool position_of(const struct builder *b, size_t number, struct view_position *out,
                        struct error *err)
{
    struct buffer wire = BUFFER_INIT, bits = BUFFER_INIT, index = BUFFER_INIT;
    bool ok;

    for (uint32_t i = b->view_items[number]; i != NONE; i = b->items[i].parent) {
        uint32_t parent = b->items[i].parent;

        if (parent != NONE && b->items[parent].kind == ITEM_BRANCH)
            buffer_append_byte(&bits, b->items[i].is_right);
        if (parent == NONE || b->items[parent].kind == ITEM_VIEW) { /* the top of a sequence */
            buffer_clear(&index);
            if (bits.len > 0)
                put_bytes(&index, 1, buffer_bytes(&bits));
            put_bytes(&wire, 1, buffer_bytes(&index));
            buffer_clear(&bits);
        }
    }
    ok = buffer_ok(&bits, err) && buffer_ok(&index, err) && buffer_ok(&wire, err) &&
         view_position_parse(buffer_bytes(&wire), out, err);
    buffer_free(&wire);
    buffer_free(&bits);
    buffer_free(&index);
    return ok;
}

static bool spec_check(const struct tree_spec *s, struct error *err)
{
    size_t above = 0; /* one more than the depth of the view before */

    if (s->n_views > TREE_VIEWS_MAX)
        return error_set(err, ERR_LIMIT, NULL, "%zu views, of at most %d", s->n_views,
                         TREE_VIEWS_MAX);
    for (size_t i = 0; i < s->n_views; i++) {
        if (s->views[i].depth > above)
            return error_set(err, ERR_MALFORMED, NULL, "view %zu has no parent", i);
        if (s->views[i].depth >= TREE_DEPTH_MAX)
            return error_set(err, ERR_LIMIT, NULL, "views nest deeper than %d", TREE_DEPTH_MAX);
        if (s->views[i].payload.len > TREE_PAYLOAD_MAX)
            return error_set(err, ERR_LIMIT, NULL, "a payload of %zu bytes, of at most %zu",
                             s->views[i].payload.len, TREE_PAYLOAD_MAX);
        above = s->views[i].depth + 1;
    }
    return true;
}

static bool finish(struct builder *b, struct built_tree *out, struct error *err)
{
    struct informee_tree check;
    struct hash hashes[4];

    for (size_t i = 0; i < 3; i++)
        hashes[i] = b->items[b->metadata[i]].hash;
    if (b->root_views != NONE)
        hashes[3] = b->items[b->root_views].hash;
    if (!merkle_inner(hashes, b->root_views != NONE ? 4 : 3, &out->root, err) ||
        !encode_informee_tree(b, &out->informee_tree, err) ||
        !own_array(b->spec->n_views, sizeof(*out->views), &out->views, err))
        return false;
    out->n_views = b->spec->n_views;
    for (size_t i = 0; i < out->n_views; i++) {
        out->views[i].hash = b->items[b->view_items[i]].hash;
        if (!position_of(b, i, &out->views[i].position, err) ||
            !encode_light_tree(b, i, &out->views[i].light_tree, err))
            return false;
    }
    /* What the mediator would refuse is refused here, with the same words. */
    if (!informee_tree_parse(buffer_bytes(&out->informee_tree), &check, err))
        return false;
    informee_tree_free(&check);
    return true;
}

bool built_tree_make(const struct tree_spec *spec, struct built_tree *out, struct error *err)
{
    struct builder b = {.spec = spec, .root_views = NONE};
    bool ok;

    *out = (struct built_tree){0};
    ok = spec_check(spec, err) &&
         own_array(spec->n_views, sizeof(*b.view_items), &b.view_items, err) &&
         add_submitter(&b, err) && add_common(&b, err) && add_participant(&b, err) &&
         add_views(&b, err) && finish(&b, out, err);
    for (uint32_t i = 0; i < b.n; i++) {
        buffer_free(&b.items[i].leaf);
        buffer_free(&b.items[i].open);
    }
    free(b.items);
    free(b.view_items);
    if (!ok)
        built_tree_free(out);
    return ok;
}

void built_tree_free(struct built_tree *t)
{
    if (!t)
        return;
    buffer_free(&t->informee_tree);
    for (size_t i = 0; t->views && i < t->n_views; i++) {
        view_position_free(&t->views[i].position);
        buffer_free(&t->views[i].light_tree);
    }
    free(t->views);
    *t = (struct built_tree){0};
}

bool informee_message_build(const struct built_tree *t, const struct signature *signature,
                            struct buffer *out, struct error *err)
{
    struct buffer message = BUFFER_INIT, content = BUFFER_INIT, signed_by = BUFFER_INIT;
    struct signature_message s;
    bool ok;

    signature_to_message(signature, &s);
    ok = pack(&s.signature, &signed_by, err);
    put_bytes(&message, 1, buffer_bytes(&t->informee_tree));
    put_bytes(&message, 2, buffer_bytes(&signed_by));
    put_bytes(&content, 1, buffer_bytes(&message));
    ok = ok && buffer_ok(&message, err) && buffer_ok(&content, err) &&
         versioned_wrap(buffer_bytes(&content), VERSIONED_V31, out, err);
    buffer_free(&message);
    buffer_free(&content);
    buffer_free(&signed_by);
    return ok;
}
