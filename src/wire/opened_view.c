/* opened_view.c: one view as its informees read it. */
#include <stdlib.h>
#include <string.h>

#include "protocol_v31.pb-c.h"
#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/scan.h"
#include "wire/tree_leaf.h"
#include "wire/tree_walk.h"

struct open_one {
    struct opened_view *view;
    bool is_found;
    size_t number;
};

static bool open_leaves(struct open_one *o, const struct tree_node *common,
                        const struct tree_node *participant, struct hash leaves[2],
                        struct error *err)
{
    struct view_common data;
    struct bytes payload;

    if (!leaf_view_common(common->bytes, &data, &leaves[0], err))
        return false;
    o->view->informees = data.informees;
    o->view->n_informees = data.n_informees;
    o->view->quorums = data.quorums;
    o->view->n_quorums = data.n_quorums;
    return leaf_view_participant(participant->bytes, &payload, &leaves[1], err) &&
           own_bytes(payload, &o->view->payload, err);
}

static bool enter(void *ctx, size_t number, size_t parent, struct view_position *position,
                  const struct tree_node *common, const struct tree_node *participant,
                  struct hash leaves[2], struct error *err)
{
    struct open_one *o = ctx;

    (void)parent;
    if (common->kind == NODE_OPEN && participant->kind == NODE_OPEN && !o->is_found) {
        o->is_found = true;
        o->number = number;
        o->view->position = *position;
        return open_leaves(o, common, participant, leaves, err);
    }
    view_position_free(position);
    return tree_node_blinded(common, &leaves[0], err) &&
           tree_node_blinded(participant, &leaves[1], err);
}

static void leave(void *ctx, size_t number, const struct hash *hash)
{
    struct open_one *o = ctx;

    if (o->is_found && o->number == number)
        o->view->hash = *hash;
}

static bool submitter(const struct tree_node *n, struct opened_view *out, struct hash *hash,
                      struct error *err)
{
    struct informee_tree tree = {0}; /* takes what the leaf says */
    bool ok;

    if (n->kind == NODE_BLINDED)
        return tree_node_blinded(n, hash, err) && own_str("", &out->submitting_participant, err);
    ok = leaf_submitter(n->bytes, &tree, hash, err) &&
         own_str(tree.submitting_participant, &out->submitting_participant, err);
    informee_tree_free(&tree);
    return ok;
}

static bool metadata(const struct tree_parts *parts, struct opened_view *out, struct hash hashes[3],
                     struct error *err)
{
    struct common_metadata common;
    bool ok;

    if (!submitter(&parts->submitter, out, &hashes[0], err))
        return false;
    if (parts->common.kind != NODE_OPEN)
        return error_set(err, ERR_MALFORMED, NULL, "common metadata are blinded");
    ok = leaf_common(parts->common.bytes, &common, &hashes[1], err);
    out->psid = common.psid;
    if (!ok)
        return false;
    if (parts->participant.kind == NODE_OPEN)
        return leaf_participant(parts->participant.bytes, &hashes[2], err);
    return tree_node_blinded(&parts->participant, &hashes[2], err);
}

static bool view_from(const struct tree_parts *parts, struct opened_view *out, struct error *err)
{
    struct open_one o = {.view = out};
    struct tree_visitor visitor = {&o, true, enter, leave};
    struct hash_list all = {0};
    struct hash hashes[4];
    bool has_views, ok;

    ok = metadata(parts, out, hashes, err) &&
         tree_walk(&parts->root_views, &visitor, &all, &hashes[3], &has_views, err);
    hash_list_free(&all);
    if (!ok)
        return false;
    if (!o.is_found)
        return error_set(err, ERR_MALFORMED, NULL, "no view is open");
    return merkle_inner(hashes, has_views ? 4 : 3, &out->root, err);
}

bool opened_view_parse(struct bytes light_tree, struct opened_view *out, struct error *err)
{
    struct tree_parts parts = {0};
    struct scan_field f;
    struct scan s;

    *out = (struct opened_view){0};
    if (!wire_check(&p31__light_transaction_view_tree__descriptor, light_tree, err))
        return false;
    s = scan_of(light_tree);
    while (scan_next(&s, &f))
        if (f.number == 1)
            tree_parts_merge(f.bytes, &parts);
    if (tree_parts_check(&parts, err) && view_from(&parts, out, err))
        return true;
    opened_view_free(out);
    return error_add(err, "view");
}

void opened_view_free(struct opened_view *v)
{
    if (!v)
        return;
    view_position_free(&v->position);
    free(v->psid);
    free(v->submitting_participant);
    own_strs_free(v->informees, v->n_informees);
    quorums_free(v->quorums, v->n_quorums);
    buffer_free(&v->payload);
    *v = (struct opened_view){0};
}
