/* generator.h: topology transactions of every mapping, signed with real keys, in chains that do not
 * depend on each other: each transaction needs those of its own chain before it, and nothing else
 * beside a fresh synchronizer. So any order that keeps the chains gives the same state. Includes of
 * cmocka stand before it. */
#ifndef T_TOPOLOGY_GENERATOR_H
#define T_TOPOLOGY_GENERATOR_H
#include "t/topology/make.h"

struct generated {
    struct buffer raw; /* W(30) SignedTopologyTransaction */
    size_t chain;
    enum topology_verdict verdict; /* that it gets after those before it in its chain */
};

struct generator {
    struct signer owner; /* may sign for the synchronizer */
    const char *psid;
    char synchronizer[UID_TEXT_SIZE];
    const char
        *sequencer; /* uid of the one that the genesis names; NULL: its list stays as it is */
    struct generated *at;
    size_t n, cap, n_chains;
    bool is_scarce; /* only what a benchmark wants: nothing that is refused */
};

/* owner and psid are borrowed. */
void generator_open(struct generator *g, struct signer owner, const char *psid);
void generator_close(struct generator *g);
/* Appends chains until there are at least n transactions: participants, participants by permission,
 * mediator groups, decentralised namespaces, in turn; the first is of the synchronizer itself. */
void generator_fill(struct generator *g, size_t n);
/* An upgrade announced, followed by a sequencer, and taken back. It freezes all else, so it can
 * only stand last. */
void generator_upgrade(struct generator *g);
/* A participant that joins: the last thing, so that its download holds all before it. keys: its
 * node, for the caller to close. */
void generator_join(struct generator *g, struct node *out, const char *name);
#endif
