/* parameters.h: what a synchronizer fixes when it is made (static) and what its topology may change
 * (dynamic). Durations are microseconds. Threads: free of state. */
#ifndef TOPOLOGY_PARAMETERS_H
#define TOPOLOGY_PARAMETERS_H
#include "crypto/signature.h"
#include "protocol_v30.pb-c.h"

struct static_parameters {
    struct crypto_policy policy; /* what signatures and keys may be */
    int32_t protocol_version;    /* 35 */
    int32_t serial;
    int64_t topology_change_delay_us; /* from the sequencing of a change to its effect */
    bool enable_transparency_checks;
};

/* The protocol's defaults; delay 250 ms. */
void static_parameters_default(struct static_parameters *out);
/* From a plain StaticSynchronizerParameters. Fails: ERR_MALFORMED, ERR_UNSUPPORTED (version). */
MUST_CHECK bool static_parameters_parse(struct bytes message, struct static_parameters *out,
                                        struct error *err);
/* Appends a plain StaticSynchronizerParameters: the default lists, with version, serial, delay and
 * transparency checks of p. Fails: ERR_MEMORY. */
MUST_CHECK bool static_parameters_build(const struct static_parameters *p, struct buffer *out,
                                        struct error *err);

enum onboarding_restriction {
    ONBOARDING_OPEN = 1,
    ONBOARDING_LOCKED = 2,
    ONBOARDING_RESTRICTED_OPEN = 3,
    ONBOARDING_RESTRICTED_LOCKED = 4,
};

struct traffic_parameters {
    uint64_t max_base_traffic_amount;
    int64_t max_base_traffic_accumulation_us, set_balance_window_us;
    uint32_t read_vs_write_scaling_factor;
    uint64_t base_event_cost;
    bool enforce_rate_limiting, free_confirmation_responses;
};

struct dynamic_parameters {
    int64_t confirmation_response_timeout_us;
    int64_t mediator_reaction_timeout_us;
    int64_t assignment_exclusivity_timeout_us;
    int64_t ledger_time_record_time_tolerance_us;
    int64_t preparation_time_record_time_tolerance_us;
    int64_t reconciliation_interval_us;
    int64_t mediator_deduplication_timeout_us;
    int64_t sequencer_aggregate_submission_timeout_us;
    uint32_t max_request_size;               /* bytes */
    uint32_t confirmation_requests_max_rate; /* a second and participant */
    enum onboarding_restriction onboarding;
    bool has_catchup;
    uint32_t catchup_interval_skip, catchup_trigger;
    bool has_traffic;
    struct traffic_parameters traffic;
};

void dynamic_parameters_default(struct dynamic_parameters *out);
/* Fails: ERR_MALFORMED. */
MUST_CHECK bool dynamic_parameters_from(const P30__DynamicSynchronizerParameters *m,
                                        struct dynamic_parameters *out, struct error *err);
/* Appends a plain DynamicSynchronizerParameters. Fails: ERR_MEMORY. */
MUST_CHECK bool dynamic_parameters_build(const struct dynamic_parameters *p, struct buffer *out,
                                         struct error *err);
/* Locked for new participants, and open to those with a permission only. */
bool onboarding_is_locked(enum onboarding_restriction r);
bool onboarding_is_restricted(enum onboarding_restriction r);
#endif
