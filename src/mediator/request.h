/* request.h: the rules that a confirmation request must keep, in their order, at the topology of
 * its own ts. A request that keeps them yields its tally and the participants to tell. Follows spec
 * mediator.md 1.5. Threads: free of state. */
#ifndef MEDIATOR_REQUEST_H
#define MEDIATOR_REQUEST_H
#include "mediator/inbound.h"
#include "mediator/snapshot.h"
#include "mediator/tally.h"

/* In the order in which they are checked. */
enum request_fault {
    REQUEST_SOUND,
    REQUEST_BAD_SIGNATURE,       /* of the submitting participant over the root hash; race */
    REQUEST_NOT_HOSTED,          /* an informee without an active participant; race */
    REQUEST_NO_SUCH_GROUP,       /* unknown group, or without this mediator */
    REQUEST_WRONG_RECIPIENTS,    /* not exactly the declared group */
    REQUEST_INACTIVE_GROUP,      /* race */
    REQUEST_BAD_ROOT_RECIPIENTS, /* a root hash message not for {group, one participant} */
    REQUEST_ROOT_TWICE,          /* a participant with two root hash messages */
    REQUEST_BAD_ROOT_CONTENT,    /* payload, root hash or view type differ */
    REQUEST_WRONG_PARTICIPANTS,  /* root hash messages missing or superfluous; race */
    REQUEST_NO_VIEWS,            /* nobody to ask, nobody to tell */
    REQUEST_NO_THRESHOLD,        /* a view that approves itself */
    REQUEST_UNREACHABLE,         /* a quorum that its hosted confirmers cannot reach; race */
    REQUEST_WITH_TOPOLOGY,       /* beside a topology transaction */
};

struct request_result {
    enum request_fault fault;
    bool is_race;        /* the fault is not there at the submitter's topology: nobody's malice */
    char text[320];      /* what is wrong */
    struct tally *tally; /* REQUEST_SOUND: sealed; owned */
    char **participants; /* REQUEST_SOUND: "PAR::uid", ascending and distinct; owned */
    size_t n_participants;
};

/* Checks the one request of in, at envelope `at`. race_delay_us: how much older than the event the
 * submitter's topology may be, to be looked at for is_race. Fails: ERR_MEMORY, or the topology's.
 */
MUST_CHECK bool request_check(const struct inbound *in, size_t at, const struct snapshot *top,
                              int64_t race_delay_us, struct request_result *out, struct error *err);
void request_result_free(struct request_result *r); /* what it still owns, and zeroes it */

/* The participant of a tree of a root hash message's recipients: {some mediator group, one
 * participant}, no children; NULL when it is anything else. *group: which. */
const char *request_root_tree(const struct recipients *r, uint32_t root_node, int32_t *group);
#endif
