/* recipients.c: trees of recipients, flat and without recursion.
 * Invariants: nodes are in pre-order; nodes[i].end is the first index outside of its subtree; a
 * node's recipients are ascending by text and distinct. */
#include "wire/recipients.h"

#include <stdlib.h>
#include <string.h>

#include "wire/own.h"
#include "wire/scan.h"

#define GROUP_CODE_LEN 5 /* "MGR::" */

void recipient_free(struct recipient *r)
{
    if (!r)
        return;
    free(r->text);
    *r = (struct recipient){0};
}

/* Decimal with an optional sign, 0 to 2^31 - 1: what the peers' integer parser takes. */
static bool group_parse(const char *s, int32_t *out)
{
    bool negative = *s == '-';
    int64_t v = 0;

    if (*s == '-' || *s == '+')
        s++;
    if (*s == 0)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        v = v * 10 + (*s - '0');
        if (v > INT32_MAX)
            return false;
    }
    *out = (int32_t)v;
    return !negative || v == 0;
}

static bool mediator_group_parse(const char *text, struct recipient *out, struct error *err)
{
    struct buffer b = BUFFER_INIT;

    if (!group_parse(text + GROUP_CODE_LEN, &out->group))
        return error_set(err, ERR_MALFORMED, "expected MGR:: and a number from 0 on",
                         "\"%.100s\" is no mediator group", text);
    out->kind = RECIPIENT_MEDIATOR_GROUP;
    buffer_printf(&b, "MGR::%d", out->group);
    if (!buffer_ok(&b, err) || !own_strn(buffer_bytes(&b), &out->text, err)) {
        buffer_free(&b);
        return false;
    }
    buffer_free(&b);
    return true;
}

bool recipient_parse(const char *text, struct recipient *out, struct error *err)
{
    *out = (struct recipient){0};
    if (strnlen(text, MEMBER_TEXT_MAX + 1) > MEMBER_TEXT_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "a recipient has more than %d characters",
                         MEMBER_TEXT_MAX);
    if (strncmp(text, "MGR::", GROUP_CODE_LEN) == 0)
        return mediator_group_parse(text, out, err);
    if (strncmp(text, "SOD::", GROUP_CODE_LEN) == 0) {
        out->kind = RECIPIENT_SEQUENCERS; /* what follows is ignored, as by the peers */
        return own_str(RECIPIENT_SEQUENCERS_TEXT, &out->text, err);
    }
    if (strncmp(text, "ALL::", GROUP_CODE_LEN) == 0) {
        out->kind = RECIPIENT_ALL;
        return own_str(RECIPIENT_ALL_TEXT, &out->text, err);
    }
    out->kind = RECIPIENT_MEMBER;
    return member_parse(text, &out->member, NULL, err) && own_str(text, &out->text, err);
}

void recipients_free(struct recipients *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->n_all; i++)
        free(r->all[i].text);
    free(r->all);
    free(r->nodes);
    *r = (struct recipients){0};
}

static bool grow(void **array, uint32_t *cap, uint32_t needed, size_t size, struct error *err)
{
    uint32_t more = *cap > 0 ? *cap : 4;
    void *p;

    if (needed <= *cap)
        return true;
    while (more < needed && more < UINT32_MAX / 2)
        more *= 2;
    p = more < needed ? NULL : realloc(*array, more * size);
    if (!p)
        return error_set(err, ERR_MEMORY, NULL, "no memory for recipients");
    *array = p;
    *cap = more;
    return true;
}

static bool push_node(struct recipients *r, uint32_t depth, struct error *err)
{
    if (!grow((void **)&r->nodes, &r->cap_nodes, r->n_nodes + 1, sizeof(*r->nodes), err))
        return false;
    r->nodes[r->n_nodes] = (struct recipients_node){r->n_all, 0, r->n_nodes + 1, depth};
    r->n_nodes++;
    return true;
}

/* Adds to the last node, which is still growing. Takes over *item. */
static bool push_recipient(struct recipients *r, struct recipient *item, struct error *err)
{
    if (!grow((void **)&r->all, &r->cap_all, r->n_all + 1, sizeof(*r->all), err)) {
        recipient_free(item);
        return false;
    }
    r->all[r->n_all++] = *item;
    r->nodes[r->n_nodes - 1].n++;
    return true;
}

static int compare_recipients(const void *a, const void *b)
{
    return strcmp(((const struct recipient *)a)->text, ((const struct recipient *)b)->text);
}

/* Sorts the last node's recipients and drops duplicates. */
static void finish_set(struct recipients *r)
{
    struct recipients_node *node = &r->nodes[r->n_nodes - 1];
    struct recipient *at = r->all + node->first;
    uint32_t kept = 0;

    if (node->n > 1)
        qsort(at, node->n, sizeof(*at), compare_recipients);
    for (uint32_t i = 0; i < node->n; i++) {
        if (kept > 0 && strcmp(at[kept - 1].text, at[i].text) == 0)
            recipient_free(&at[i]);
        else
            at[kept++] = at[i];
    }
    node->n = kept;
    r->n_all = node->first + kept;
}

/* Appends one tree's own recipients as a node. bytes: RecipientsTree; its children are read by the
 * caller. */
static bool parse_node(struct recipients *r, struct bytes in, uint32_t depth, struct error *err)
{
    struct scan s = scan_of(in);
    struct scan_field f;

    if (!push_node(r, depth, err))
        return false;
    while (scan_next(&s, &f)) {
        char text[MEMBER_TEXT_SIZE];
        struct recipient item;

        if (f.number != 1)
            continue;
        if (f.wire != SCAN_BYTES || f.bytes.len > MEMBER_TEXT_MAX || !utf8_valid(f.bytes))
            return error_set(err, ERR_MALFORMED, NULL, "a recipient is no text of up to %d bytes",
                             MEMBER_TEXT_MAX);
        memcpy(text, f.bytes.data, f.bytes.len);
        text[f.bytes.len] = 0;
        if (!recipient_parse(text, &item, err) || !push_recipient(r, &item, err))
            return false;
    }
    if (s.failed)
        return error_set(err, ERR_MALFORMED, NULL, "recipients are cut short or no protobuf");
    if (r->nodes[r->n_nodes - 1].n == 0)
        return error_set(err, ERR_MALFORMED, NULL, "a node of a recipients tree is empty");
    finish_set(r);
    return true;
}

static bool parse_trees(struct bytes in, struct recipients *out, struct error *err)
{
    struct {
        struct scan children;
        uint32_t node;
    } stack[RECIPIENTS_DEPTH_MAX + 1];
    uint32_t depth = 0; /* messages open above the trees themselves */
    struct scan_field f;

    stack[0].children = scan_of(in);
    stack[0].node = 0;
    for (;;) {
        uint32_t number =
            depth == 0 ? 1 : 2; /* Recipients.recipients_tree, RecipientsTree.children */

        if (!scan_next(&stack[depth].children, &f)) {
            if (stack[depth].children.failed)
                return error_set(err, ERR_MALFORMED, NULL, "recipients are no protobuf");
            if (depth == 0)
                break;
            out->nodes[stack[depth].node].end = out->n_nodes;
            depth--;
            continue;
        }
        if (f.number != number)
            continue;
        if (f.wire != SCAN_BYTES)
            return error_set(err, ERR_MALFORMED, NULL, "a recipients tree is no message");
        if (depth >= RECIPIENTS_DEPTH_MAX)
            return error_set(err, ERR_LIMIT, NULL, "recipients nest deeper than %d",
                             RECIPIENTS_DEPTH_MAX);
        if (!parse_node(out, f.bytes, depth, err))
            return false;
        depth++;
        stack[depth].children = scan_of(f.bytes);
        stack[depth].node = out->n_nodes - 1;
    }
    if (out->n_nodes == 0)
        return error_set(err, ERR_MALFORMED, NULL, "an envelope has no recipients");
    return true;
}

bool recipients_parse(struct bytes in, struct recipients *out, struct error *err)
{
    *out = (struct recipients){0};
    if (parse_trees(in, out, err))
        return true;
    recipients_free(out);
    return false;
}

static size_t varint_len(size_t v)
{
    size_t n = 1;

    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

bool recipients_build(const struct recipients *r, struct buffer *out, struct error *err)
{
    size_t *size; /* of the RecipientsTree of each node */

    if (!own_array(r->n_nodes, sizeof(*size), &size, err))
        return false;
    for (uint32_t i = r->n_nodes; i-- > 0;) { /* children come after their parent */
        const struct recipients_node *node = &r->nodes[i];

        for (uint32_t j = node->first; j < node->first + node->n; j++) {
            size_t len = strlen(r->all[j].text);

            size[i] += 1 + varint_len(len) + len;
        }
        for (uint32_t c = i + 1; c < node->end; c = r->nodes[c].end)
            size[i] += 1 + varint_len(size[c]) + size[c];
    }
    for (uint32_t i = 0; i < r->n_nodes; i++) {
        const struct recipients_node *node = &r->nodes[i];

        buffer_append_varint(out, (node->depth == 0 ? 1u : 2u) << 3 | SCAN_BYTES);
        buffer_append_varint(out, size[i]);
        for (uint32_t j = node->first; j < node->first + node->n; j++)
            put_bytes(out, 1, bytes_str(r->all[j].text));
    }
    free(size);
    return buffer_ok(out, err);
}

static void undo(struct recipients *r, uint32_t n_all, uint32_t n_nodes)
{
    while (r->n_all > n_all)
        recipient_free(&r->all[--r->n_all]);
    r->n_nodes = n_nodes;
}

bool recipients_add(struct recipients *r, uint32_t depth, const char *const *texts, size_t n,
                    struct error *err)
{
    const uint32_t n_all = r->n_all, n_nodes = r->n_nodes;

    if (n == 0)
        return error_set(err, ERR_MALFORMED, NULL, "a node of a recipients tree is empty");
    if (depth >= RECIPIENTS_DEPTH_MAX)
        return error_set(err, ERR_LIMIT, NULL, "recipients nest deeper than %d",
                         RECIPIENTS_DEPTH_MAX);
    if (depth > 0 && (n_nodes == 0 || r->nodes[n_nodes - 1].depth + 1 < depth))
        return error_set(err, ERR_MALFORMED, NULL, "a recipients node has no parent");
    if (!push_node(r, depth, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct recipient item;

        if (!recipient_parse(texts[i], &item, err)) {
            recipient_free(&item);
            undo(r, n_all, n_nodes);
            return false;
        }
        if (!push_recipient(r, &item, err)) {
            undo(r, n_all, n_nodes);
            return false;
        }
    }
    finish_set(r);
    for (uint32_t i = n_nodes, above = depth; above > 0;) { /* the chain of parents grows */
        i--;
        if (r->nodes[i].depth + 1 == above) {
            r->nodes[i].end = r->n_nodes;
            above--;
        }
    }
    return true;
}

/* Appends nodes from .. to of r to out, their depths less up. */
static bool append_subtree(struct recipients *out, const struct recipients *r, uint32_t from,
                           struct error *err)
{
    const uint32_t up = r->nodes[from].depth, base = out->n_nodes;

    for (uint32_t i = from; i < r->nodes[from].end; i++) {
        const struct recipients_node *node = &r->nodes[i];

        if (!push_node(out, node->depth - up, err))
            return false;
        out->nodes[out->n_nodes - 1].end = base + (node->end - from);
        for (uint32_t j = node->first; j < node->first + node->n; j++) {
            struct recipient item = r->all[j];

            if (!own_str(item.text, &item.text, err) || !push_recipient(out, &item, err))
                return false;
        }
    }
    return true;
}

bool recipients_copy(struct recipients *to, const struct recipients *from, struct error *err)
{
    *to = (struct recipients){0};
    for (uint32_t i = 0; i < from->n_nodes; i = from->nodes[i].end) {
        if (!append_subtree(to, from, i, err)) {
            recipients_free(to);
            return false;
        }
    }
    return true;
}

static bool node_names(const struct recipients *r, const struct recipients_node *node,
                       const char *member, recipients_in_group *in_group, void *ctx)
{
    for (uint32_t i = node->first; i < node->first + node->n; i++) {
        const struct recipient *x = &r->all[i];

        if (x->kind == RECIPIENT_MEMBER ? strcmp(x->text, member) == 0 : in_group(ctx, x))
            return true;
    }
    return false;
}

bool recipients_filter(const struct recipients *r, const char *member,
                       recipients_in_group *in_group, void *ctx, struct recipients *out,
                       struct error *err)
{
    *out = (struct recipients){0};
    for (uint32_t i = 0; i < r->n_nodes;) {
        if (!node_names(r, &r->nodes[i], member, in_group, ctx)) {
            i++; /* descend: the next node in pre-order */
            continue;
        }
        if (!append_subtree(out, r, i, err)) {
            recipients_free(out);
            return false;
        }
        i = r->nodes[i].end;
    }
    return true;
}
