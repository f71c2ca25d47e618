/* worlds.h: states of a topology to try transactions in. Includes of cmocka stand before it. */
#ifndef T_TOPOLOGY_WORLDS_H
#define T_TOPOLOGY_WORLDS_H
#include "t/topology/cast.h"

struct stage {
    struct cast *c;
    struct topology *t;
    int64_t now; /* sequencing time of the next */
};

/* Applies one transaction at ts, and releases it. */
struct topology_outcome apply_at(struct topology *t, int64_t ts, struct buffer tx);

void world_roots(struct stage *s);
void world_joined(struct stage *s);
void world_full(struct stage *s);
void world_removed(struct stage *s);
void world_announced(struct stage *s);
void world_announced_no_more(struct stage *s);
void world_locked(struct stage *s);
void world_restricted(struct stage *s);
void world_two_owners(struct stage *s);
void world_two_owners_announced(struct stage *s);
void world_bare(struct stage *s);
void world_keyless(struct stage *s);
void world_roots_gone(struct stage *s);
void world_root_refused_for_ever(struct stage *s);
void world_name_taken(struct stage *s);
void world_both_host(struct stage *s);
void world_both_raised(struct stage *s);
void world_root_resigned(struct stage *s);
void world_link_gone(struct stage *s);
void world_link_restricted(struct stage *s);
void world_owner_gone(struct stage *s);
void world_admin_party(struct stage *s);
void world_host_gone(struct stage *s);
void world_mediator_keyless(struct stage *s);
void world_nothing_more(struct stage *s);

struct world_kind {
    const char *name;
    void (*make)(struct stage *s);
};
extern const struct world_kind world_kinds[];
extern const size_t world_count;

/* The genesis, and what the kind adds. The caller closes the topology. */
struct stage stage_open(struct cast *c, const struct world_kind *kind);
#endif
