/* informee_tree.c: FullInformeeTree with all its rules. */
#include "wire/informee_tree.h"

#include <stdlib.h>
#include <string.h>

#include "protocol_v30.pb-c.h"
#include "wire/keys.h"
#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/scan.h"
#include "wire/tree_leaf.h"
#include "wire/tree_walk.h"

/* Views while they are collected. leaf: kept for rule 4 until the end. */
struct collect {
    struct informee_tree *tree;
    uint8_t (*salts)[SALT_LEN]; /* of the common data of each view */
    size_t cap;
};

static bool make_room(struct collect *c, struct error *err)
{
    size_t cap = c->cap > 0 ? 2 * c->cap : 8;
    void *p;

    if (c->tree->n_views < c->cap)
        return true;
    p = realloc(c->tree->views, cap * sizeof(*c->tree->views));
    if (p)
        c->tree->views = p;
    if (p)
        p = realloc(c->salts, cap * sizeof(*c->salts));
    if (!p)
        return error_set(err, ERR_MEMORY, NULL, "no memory for views");
    c->salts = p;
    c->cap = cap;
    return true;
}

static struct view_common common_of(const struct collect *c, size_t number)
{
    const struct informee_view *v = &c->tree->views[number];
    struct view_common out = {{0}, v->informees, v->n_informees, v->quorums, v->n_quorums};

    memcpy(out.salt, c->salts[number], SALT_LEN);
    return out;
}

static bool enter(void *ctx, size_t number, size_t parent, struct view_position *position,
                  const struct tree_node *common, const struct tree_node *participant,
                  struct hash leaves[2], struct error *err)
{
    struct collect *c = ctx;
    struct informee_view v = {.position = *position};
    struct view_common data = {0};

    if (common->kind != NODE_OPEN)
        error_set(err, ERR_MALFORMED, NULL, "a view's common data is blinded");
    if (common->kind != NODE_OPEN || !make_room(c, err) ||
        !leaf_view_common(common->bytes, &data, &leaves[0], err)) {
        view_position_free(&v.position);
        return false;
    }
    v.informees = data.informees;
    v.n_informees = data.n_informees;
    v.quorums = data.quorums;
    v.n_quorums = data.n_quorums;
    c->tree->views[number] = v; /* from here on the tree owns it */
    memcpy(c->salts[number], data.salt, SALT_LEN);
    c->tree->n_views = number + 1;
    if (parent != TREE_NO_PARENT) {
        struct view_common above = common_of(c, parent);

        if (view_common_equal(&data, &above))
            return error_set(err, ERR_MALFORMED, NULL, "a view repeats its parent's common data");
    }
    if (!tree_node_blinded(participant, &leaves[1], err))
        return false;
    c->tree->views[number].participant_data = leaves[1];
    return true;
}

static void leave(void *ctx, size_t number, const struct hash *hash)
{
    struct collect *c = ctx;

    c->tree->views[number].hash = *hash;
}

static bool metadata(const struct tree_parts *parts, struct informee_tree *out,
                     struct hash hashes[3], struct error *err)
{
    struct common_metadata common;
    bool ok;

    if (parts->submitter.kind != NODE_OPEN || parts->common.kind != NODE_OPEN)
        return error_set(err, ERR_MALFORMED, NULL, "submitter or common metadata are blinded");
    if (!leaf_submitter(parts->submitter.bytes, out, &hashes[0], err))
        return false;
    ok = leaf_common(parts->common.bytes, &common, &hashes[1], err);
    out->psid = common.psid;
    memcpy(out->uuid, common.uuid, UUID_LEN);
    out->mediator_group = common.mediator_group;
    return ok && tree_node_blinded(&parts->participant, &hashes[2], err);
}

static bool tree_from(const struct tree_parts *parts, struct informee_tree *out, struct error *err)
{
    struct collect c = {.tree = out};
    struct tree_visitor visitor = {&c, false, enter, leave};
    struct hash hashes[4];
    struct hash_list all = {0};
    bool has_views, ok;

    ok = metadata(parts, out, hashes, err);
    for (size_t i = 0; ok && i < 3; i++)
        ok = hash_list_add(&all, &hashes[i], err);
    ok = ok && tree_walk(&parts->root_views, &visitor, &all, &hashes[3], &has_views, err) &&
         merkle_inner(hashes, has_views ? 4 : 3, &out->root, err) &&
         hash_list_add(&all, &out->root, err) && hash_list_distinct(&all, err);
    hash_list_free(&all);
    free(c.salts);
    return ok;
}

bool informee_tree_parse(struct bytes in, struct informee_tree *out, struct error *err)
{
    struct tree_parts parts = {0};
    struct scan_field f;
    struct scan s;

    *out = (struct informee_tree){0};
    if (!wire_check(&p30__full_informee_tree__descriptor, in, err))
        return false;
    s = scan_of(in);
    while (scan_next(&s, &f))
        if (f.number == 1)
            tree_parts_merge(f.bytes, &parts);
    if (tree_parts_check(&parts, err) && tree_from(&parts, out, err))
        return true;
    informee_tree_free(out);
    return error_add(err, "informee tree");
}

bool informee_message_parse(struct bytes in, struct informee_message *out, struct error *err)
{
    P30__InformeeMessage *m = NULL;
    struct buffer tree = BUFFER_INIT, signature = BUFFER_INIT;
    struct scan_field f;
    bool has_tree = false, ok = false;
    struct scan s;

    *out = (struct informee_message){0};
    if (!wire_check(&p30__informee_message__descriptor, in, err))
        return false;
    s = scan_of(in);
    while (scan_next(&s, &f)) {
        if (f.number == 1) {
            buffer_append_bytes(&tree, f.bytes); /* joined bytes are merged messages */
            has_tree = true;
        } else if (f.number == 2) {
            put_bytes(&signature, 2, f.bytes);
        }
    }
    if (!buffer_ok(&tree, err) || !buffer_ok(&signature, err))
        goto out;
    m = wire_unpack(&p30__informee_message__descriptor, buffer_bytes(&signature), err);
    if (!m)
        goto out;
    if (!has_tree || !m->submitting_participant_signature) {
        error_set(err, ERR_MALFORMED, NULL, "an informee message lacks %s",
                  has_tree ? "its signature" : "its tree");
        goto out;
    }
    ok = signature_from_message(m->submitting_participant_signature, &out->signature, err) &&
         informee_tree_parse(buffer_bytes(&tree), &out->tree, err);
out:
    wire_message_free(m);
    buffer_free(&tree);
    buffer_free(&signature);
    if (!ok)
        informee_message_free(out);
    return ok;
}

void informee_tree_free(struct informee_tree *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_views; i++) {
        view_position_free(&t->views[i].position);
        own_strs_free(t->views[i].informees, t->views[i].n_informees);
        quorums_free(t->views[i].quorums, t->views[i].n_quorums);
    }
    free(t->views);
    free(t->psid);
    free(t->submitting_participant);
    own_strs_free(t->act_as, t->n_act_as);
    free(t->user_id);
    free(t->command_id);
    free(t->submission_id);
    *t = (struct informee_tree){0};
}

void informee_message_free(struct informee_message *m)
{
    if (!m)
        return;
    informee_tree_free(&m->tree);
    signature_free(&m->signature);
}
