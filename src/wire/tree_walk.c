/* tree_walk.c: depth first over sequences and views.
 * Invariants: a frame's children hold the hashes of what is finished below it; each byte of the
 * tree is unwrapped at its own level only, so that the walk is linear; positions are bounded in
 * sum. */
#include "wire/tree_walk.h"

#include <stdlib.h>
#include <string.h>

#include "protocol_v30.pb-c.h"
#include "wire/precheck.h"
#include "wire/scan.h"
#include "wire/versioned.h"

enum frame_kind { FRAME_BRANCH, FRAME_SINGLE, FRAME_VIEW };

struct frame {
    enum frame_kind kind;
    unsigned step;            /* how many of next were entered */
    unsigned n_next;          /* what is entered: two of a branch, one or none otherwise */
    struct tree_node next[2]; /* branch: first, second; single: data; view: subviews */
    struct hash children[3];
    size_t n_children;
    size_t number; /* FRAME_VIEW */
};

struct walk {
    const struct tree_visitor *visitor;
    struct hash_list *all;
    struct frame *stack;
    size_t depth, cap;
    size_t n_views;
    size_t position_bytes;
    struct hash result;
};

bool hash_list_add(struct hash_list *l, const struct hash *h, struct error *err)
{
    if (l->n == l->cap) {
        size_t cap = l->cap > 0 ? 2 * l->cap : 64;
        void *p = realloc(l->at, cap * sizeof(*l->at));

        if (!p)
            return error_set(err, ERR_MEMORY, NULL, "no memory for the hashes of a tree");
        l->at = p;
        l->cap = cap;
    }
    l->at[l->n++] = *h;
    return true;
}

static int compare_hashes(const void *a, const void *b)
{
    return hash_compare(a, b);
}

bool hash_list_distinct(struct hash_list *l, struct error *err)
{
    if (l->n > 1)
        qsort(l->at, l->n, sizeof(*l->at), compare_hashes);
    for (size_t i = 1; i < l->n; i++)
        if (hash_equal(&l->at[i - 1], &l->at[i]))
            return error_set(err, ERR_MALFORMED, NULL, "a tree holds one hash twice");
    return true;
}

void hash_list_free(struct hash_list *l)
{
    free(l->at);
    *l = (struct hash_list){0};
}

/* Merges a BlindableNode into n: of several occurrences the last counts, as in a oneof. */
static void node_merge(struct tree_node *n, struct bytes in)
{
    struct scan s = scan_of(in);
    struct scan_field f;

    while (scan_next(&s, &f)) {
        if (f.number == 1)
            *n = (struct tree_node){NODE_OPEN, f.bytes};
        else if (f.number == 2)
            *n = (struct tree_node){NODE_BLINDED, f.bytes};
    }
}

/* MerkleSeq: root_or_empty = 1. */
static void sequence_merge(struct tree_node *root, struct bytes in, bool *bad)
{
    struct scan s = scan_of(in);
    struct scan_field f;

    while (scan_next(&s, &f)) {
        if (f.number != 1)
            continue;
        node_merge(root, f.bytes);
        *bad = *bad || root->kind == NODE_ABSENT; /* there, and neither form */
    }
}

void tree_parts_merge(struct bytes in, struct tree_parts *out)
{
    struct scan s = scan_of(in);
    struct scan_field f;

    while (scan_next(&s, &f)) {
        switch (f.number) {
        case 1:
            node_merge(&out->submitter, f.bytes);
            break;
        case 2:
            node_merge(&out->common, f.bytes);
            break;
        case 3:
            node_merge(&out->participant, f.bytes);
            break;
        case 4:
            sequence_merge(&out->root_views, f.bytes, &out->is_broken);
            out->has_root_views = true;
            break;
        default:
            break;
        }
    }
}

bool tree_parts_check(const struct tree_parts *p, struct error *err)
{
    if (!p->is_broken && p->submitter.kind != NODE_ABSENT && p->common.kind != NODE_ABSENT &&
        p->participant.kind != NODE_ABSENT && p->has_root_views)
        return true;
    return error_set(err, ERR_MALFORMED, NULL, "a transaction tree lacks a part");
}

bool tree_node_blinded(const struct tree_node *n, struct hash *out, struct error *err)
{
    if (n->kind != NODE_BLINDED)
        return error_set(err, ERR_MALFORMED, NULL, "a part of a tree is open that must be blinded");
    return hash_parse(n->bytes, out, err);
}

static bool push(struct walk *w, const struct frame *f, struct error *err)
{
    if (w->depth == w->cap) {
        size_t cap = w->cap > 0 ? 2 * w->cap : 32;
        void *p = realloc(w->stack, cap * sizeof(*w->stack));

        if (!p)
            return error_set(err, ERR_MEMORY, NULL, "no memory for a deep tree");
        w->stack = p;
        w->cap = cap;
    }
    w->stack[w->depth++] = *f;
    return true;
}

/* A node below the top frame is finished. */
static bool deliver(struct walk *w, const struct hash *h, struct error *err)
{
    struct frame *top;

    if (!hash_list_add(w->all, h, err))
        return false;
    if (w->depth == 0) {
        w->result = *h;
        return true;
    }
    top = &w->stack[w->depth - 1];
    top->children[top->n_children++] = *h;
    return true;
}

static void patch_be32(struct buffer *b, size_t at, uint32_t v)
{
    if (b->failed)
        return;
    for (unsigned i = 0; i < 4; i++)
        b->data[at + i] = (uint8_t)(v >> (24 - 8 * i));
}

/* The place of the view that is entered from the top frame: upwards, one index per sequence. */
static bool position_of(struct walk *w, struct view_position *out, struct error *err)
{
    struct buffer key = BUFFER_INIT;
    uint32_t n = 1, m = 0;
    size_t at = 4;

    buffer_append_be32(&key, 0);
    buffer_append_be32(&key, 0);
    for (size_t i = w->depth; i-- > 0;) {
        const struct frame *f = &w->stack[i];

        if (f->kind == FRAME_BRANCH) {
            buffer_append_byte(&key, f->step == 2); /* the second was entered */
            m++;
        } else if (f->kind == FRAME_VIEW) {
            patch_be32(&key, at, m);
            at = key.len;
            buffer_append_be32(&key, 0);
            m = 0;
            n++;
        }
        if (w->position_bytes + key.len > TREE_POSITIONS_MAX) {
            buffer_free(&key);
            return error_set(err, ERR_LIMIT, NULL, "a tree with too many and too deep views");
        }
    }
    patch_be32(&key, at, m);
    patch_be32(&key, 0, n);
    if (!buffer_ok(&key, err)) {
        buffer_free(&key);
        return false;
    }
    w->position_bytes += key.len;
    *out = (struct view_position){key.data, key.len};
    return true;
}

static bool enter_view(struct walk *w, struct bytes wrapped, struct error *err)
{
    struct tree_node common = {0}, participant = {0};
    struct frame f = {.kind = FRAME_VIEW, .number = w->n_views};
    size_t parent = TREE_NO_PARENT;
    struct view_position position;
    bool has_subviews = false, bad = false;
    struct scan_field field;
    struct bytes data;
    struct scan s;

    if (!versioned_unwrap(wrapped, VERSIONED_V30, &data, NULL, err) ||
        !wire_check(&p30__view_node__descriptor, data, err))
        return false;
    s = scan_of(data);
    while (scan_next(&s, &field)) {
        if (field.number == 1)
            node_merge(&common, field.bytes);
        else if (field.number == 2)
            node_merge(&participant, field.bytes);
        else if (field.number == 3) {
            sequence_merge(&f.next[0], field.bytes, &bad);
            has_subviews = true;
        }
    }
    if (bad || !has_subviews || common.kind == NODE_ABSENT || participant.kind == NODE_ABSENT)
        return error_set(err, ERR_MALFORMED, NULL, "a view lacks a part");
    for (size_t i = w->depth; i-- > 0 && parent == TREE_NO_PARENT;)
        if (w->stack[i].kind == FRAME_VIEW)
            parent = w->stack[i].number;
    if (!position_of(w, &position, err))
        return false;
    w->n_views++;
    if (!w->visitor->enter(w->visitor->ctx, f.number, parent, &position, &common, &participant,
                           f.children, err))
        return false;
    if (!hash_list_add(w->all, &f.children[0], err) || !hash_list_add(w->all, &f.children[1], err))
        return false;
    f.n_children = 2;
    f.n_next = f.next[0].kind == NODE_ABSENT ? 0 : 1;
    return push(w, &f, err);
}

static bool enter_element(struct walk *w, struct bytes wrapped, struct error *err)
{
    struct tree_node first = {0}, second = {0}, single = {0};
    bool has[3] = {false, false, false};
    struct frame f = {0};
    struct scan_field field;
    struct bytes data;
    struct scan s;

    if (!versioned_unwrap(wrapped, VERSIONED_V30, &data, NULL, err) ||
        !wire_check(&p30__merkle_seq_element__descriptor, data, err))
        return false;
    s = scan_of(data);
    while (scan_next(&s, &field)) {
        if (field.number < 1 || field.number > 3)
            continue;
        has[field.number - 1] = true;
        node_merge(field.number == 1 ? &first : field.number == 2 ? &second : &single, field.bytes);
    }
    if (has[0] && has[1] && !has[2]) {
        f.kind = FRAME_BRANCH;
        f.n_next = 2;
        f.next[0] = first;
        f.next[1] = second;
    } else if (!has[0] && !has[1] && has[2]) {
        f.kind = FRAME_SINGLE;
        f.n_next = 1;
        f.next[0] = single;
    } else {
        return error_set(err, ERR_MALFORMED, NULL,
                         "an element of a sequence is neither a branch nor a single");
    }
    return push(w, &f, err);
}

static bool enter_node(struct walk *w, const struct tree_node *n, bool is_view, struct error *err)
{
    struct hash h;

    switch (n->kind) {
    case NODE_OPEN:
        return is_view ? enter_view(w, n->bytes, err) : enter_element(w, n->bytes, err);
    case NODE_BLINDED:
        if (!w->visitor->may_be_blinded)
            return error_set(err, ERR_MALFORMED, NULL, "a view is blinded that must be open");
        return hash_parse(n->bytes, &h, err) && deliver(w, &h, err);
    case NODE_ABSENT:
        break;
    }
    return error_set(err, ERR_MALFORMED, NULL, "a node of a tree is neither open nor blinded");
}

static bool finish_frame(struct walk *w, struct error *err)
{
    struct frame *top = &w->stack[w->depth - 1];
    struct hash h;

    if (!merkle_inner(top->children, top->n_children, &h, err))
        return false;
    if (top->kind == FRAME_VIEW)
        w->visitor->leave(w->visitor->ctx, top->number, &h);
    w->depth--;
    return deliver(w, &h, err);
}

bool tree_walk(const struct tree_node *root, const struct tree_visitor *visitor,
               struct hash_list *all, struct hash *out, bool *has_root, struct error *err)
{
    struct walk w = {.visitor = visitor, .all = all};
    bool ok;

    *has_root = root->kind != NODE_ABSENT;
    if (!*has_root)
        return true;
    ok = enter_node(&w, root, false, err);
    while (ok && w.depth > 0) {
        struct frame *top = &w.stack[w.depth - 1];

        if (top->step < top->n_next) {
            struct tree_node next = top->next[top->step++]; /* the stack may move */

            ok = enter_node(&w, &next, top->kind == FRAME_SINGLE, err);
        } else {
            ok = finish_frame(&w, err);
        }
    }
    free(w.stack);
    *out = w.result;
    return ok;
}
