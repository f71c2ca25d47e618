/* parameters.c: parameters from and to their messages; what the protocol refuses is refused. */
#include "topology/parameters.h"

#include <string.h>

#include "wire/precheck.h"
#include "wire/versioned.h"

#define MS           1000LL
#define SECOND       (1000 * MS)
#define MINUTE       (60 * SECOND)
#define HOUR         (60 * MINUTE)
#define DURATION_MAX (10000LL * 365 * 24 * HOUR / SECOND) /* seconds: about 10000 years */

void static_parameters_default(struct static_parameters *out)
{
    *out = (struct static_parameters){
        .policy = crypto_policy_default,
        .protocol_version = PROTOCOL_VERSION,
        .topology_change_delay_us = 250 * MS,
    };
}

static bool duration_read(const Google__Protobuf__Duration *d, const char *what, int64_t *us,
                          struct error *err)
{
    if (d == NULL)
        return error_set(err, ERR_MALFORMED, NULL, "%s is missing", what);
    if (d->seconds < 0 || d->seconds > DURATION_MAX || d->nanos < 0 || d->nanos > 999999999)
        return error_set(err, ERR_MALFORMED, NULL, "%s is out of range", what);
    *us = d->seconds * SECOND + d->nanos / 1000;
    return true;
}

static Google__Protobuf__Duration duration_of(int64_t us)
{
    Google__Protobuf__Duration d = GOOGLE__PROTOBUF__DURATION__INIT;

    d.seconds = us / SECOND;
    d.nanos = (int32_t)(us % SECOND * 1000);
    return d;
}

/* The mask of a list of enum values, which are ints to protobuf-c. */
static bool mask_read(const int *values, size_t n, const char *what, uint32_t *mask,
                      struct error *err)
{
    *mask = 0;
    for (size_t i = 0; i < n; i++)
        if (values[i] > 0 && values[i] < 32)
            *mask |= 1u << values[i];
    return *mask != 0 || error_set(err, ERR_MALFORMED, NULL, "%s is empty", what);
}

bool static_parameters_parse(struct bytes message, struct static_parameters *out, struct error *err)
{
    P30__StaticSynchronizerParameters *m =
        wire_unpack(&p30__static_synchronizer_parameters__descriptor, message, err);
    struct crypto_policy *c = &out->policy;
    bool ok = false;

    memset(out, 0, sizeof(*out));
    if (m == NULL)
        return error_add(err, "static synchronizer parameters");
    if (m->required_signing_specs == NULL || m->required_encryption_specs == NULL ||
        m->n_required_symmetric_key_schemes == 0 || m->n_required_hash_algorithms == 0) {
        error_set(err, ERR_MALFORMED, NULL, "static synchronizer parameters lack a required list");
        goto out;
    }
    const C30__RequiredSigningSpecs *s = m->required_signing_specs;
    const C30__RequiredEncryptionSpecs *e = m->required_encryption_specs;

    ok = mask_read((const int *)s->algorithms, s->n_algorithms, "signing algorithms",
                   &c->algorithms, err) &&
         mask_read((const int *)s->keys, s->n_keys, "signing key specs", &c->signing_specs, err) &&
         mask_read((const int *)e->keys, e->n_keys, "encryption key specs", &c->encryption_specs,
                   err) &&
         mask_read((const int *)m->required_crypto_key_formats, m->n_required_crypto_key_formats,
                   "key formats", &c->key_formats, err) &&
         mask_read((const int *)m->required_signature_formats, m->n_required_signature_formats,
                   "signature formats", &c->signature_formats, err) &&
         duration_read(m->topology_change_delay, "topology_change_delay",
                       &out->topology_change_delay_us, err);
    out->protocol_version = m->protocol_version;
    out->serial = m->serial;
    out->enable_transparency_checks = m->enable_transparency_checks != 0;
    if (ok && out->protocol_version != PROTOCOL_VERSION)
        ok = error_set(err, ERR_UNSUPPORTED, "use protocol version 35",
                       "protocol version %d is not supported", out->protocol_version);
    if (ok && out->serial < 0)
        ok = error_set(err, ERR_MALFORMED, NULL, "serial %d is negative", out->serial);
out:
    wire_message_free(m);
    return ok;
}

bool static_parameters_build(const struct static_parameters *p, struct buffer *out,
                             struct error *err)
{
    C30__SigningAlgorithmSpec algorithms[] = {1, 2, 3};
    C30__SigningKeySpec signing[] = {1, 2, 3, 4};
    C30__EncryptionAlgorithmSpec ciphers[] = {1, 2};
    C30__EncryptionKeySpec encryption[] = {1, 2};
    C30__SymmetricKeyScheme symmetric[] = {1};
    C30__HashAlgorithm hashes[] = {1};
    C30__CryptoKeyFormat keys[] = {3, 4, 5};
    C30__SignatureFormat signatures[] = {2, 3};
    C30__RequiredSigningSpecs s = C30__REQUIRED_SIGNING_SPECS__INIT;
    C30__RequiredEncryptionSpecs e = C30__REQUIRED_ENCRYPTION_SPECS__INIT;
    P30__StaticSynchronizerParameters m = P30__STATIC_SYNCHRONIZER_PARAMETERS__INIT;
    Google__Protobuf__Duration delay = duration_of(p->topology_change_delay_us);

    s.algorithms = algorithms, s.n_algorithms = 3;
    s.keys = signing, s.n_keys = 4;
    e.algorithms = ciphers, e.n_algorithms = 2;
    e.keys = encryption, e.n_keys = 2;
    m.required_signing_specs = &s;
    m.required_encryption_specs = &e;
    m.required_symmetric_key_schemes = symmetric, m.n_required_symmetric_key_schemes = 1;
    m.required_hash_algorithms = hashes, m.n_required_hash_algorithms = 1;
    m.required_crypto_key_formats = keys, m.n_required_crypto_key_formats = 3;
    m.required_signature_formats = signatures, m.n_required_signature_formats = 2;
    m.protocol_version = p->protocol_version;
    m.serial = p->serial;
    m.enable_transparency_checks = p->enable_transparency_checks;
    m.topology_change_delay = &delay;
    return wire_pack(&m, out, err);
}

void dynamic_parameters_default(struct dynamic_parameters *out)
{
    *out = (struct dynamic_parameters){
        .confirmation_response_timeout_us = 30 * SECOND,
        .mediator_reaction_timeout_us = 30 * SECOND,
        .assignment_exclusivity_timeout_us = MINUTE,
        .ledger_time_record_time_tolerance_us = MINUTE,
        .preparation_time_record_time_tolerance_us = 24 * HOUR,
        .reconciliation_interval_us = MINUTE,
        .mediator_deduplication_timeout_us = 48 * HOUR,
        .sequencer_aggregate_submission_timeout_us = 6 * MINUTE,
        .max_request_size = 10485760,
        .confirmation_requests_max_rate = 1000000,
        .onboarding = ONBOARDING_OPEN,
        .has_catchup = true,
        .catchup_interval_skip = 5,
        .catchup_trigger = 2,
    };
}

static bool traffic_from(const P30__TrafficControlParameters *m, struct traffic_parameters *out,
                         struct error *err)
{
    out->max_base_traffic_amount = m->max_base_traffic_amount;
    out->read_vs_write_scaling_factor = m->read_vs_write_scaling_factor;
    out->enforce_rate_limiting = m->enforce_rate_limiting != 0;
    out->free_confirmation_responses = m->free_confirmation_responses != 0;
    if (m->_base_event_cost_case ==
        P30__TRAFFIC_CONTROL_PARAMETERS___BASE_EVENT_COST_BASE_EVENT_COST)
        out->base_event_cost = m->base_event_cost;
    return duration_read(m->max_base_traffic_accumulation_duration,
                         "max_base_traffic_accumulation_duration",
                         &out->max_base_traffic_accumulation_us, err) &&
           duration_read(m->set_balance_request_submission_window_size,
                         "set_balance_request_submission_window_size", &out->set_balance_window_us,
                         err);
}

/* The invariants that the protocol's parser enforces. */
static bool dynamic_check(const struct dynamic_parameters *p, struct error *err)
{
    if (p->reconciliation_interval_us < SECOND || p->reconciliation_interval_us % SECOND != 0)
        return error_set(err, ERR_MALFORMED, NULL,
                         "reconciliation_interval is not a positive number of whole seconds");
    if (p->mediator_deduplication_timeout_us < 2 * p->preparation_time_record_time_tolerance_us)
        return error_set(err, ERR_MALFORMED, NULL,
                         "mediator_deduplication_timeout is below twice the preparation tolerance");
    if (p->onboarding < ONBOARDING_OPEN || p->onboarding > ONBOARDING_RESTRICTED_LOCKED)
        return error_set(err, ERR_MALFORMED, NULL, "unknown onboarding restriction %d",
                         (int)p->onboarding);
    if (p->max_request_size > INT32_MAX || p->confirmation_requests_max_rate > INT32_MAX)
        return error_set(err, ERR_MALFORMED, NULL, "a size or rate above 2^31-1");
    return true;
}

bool dynamic_parameters_from(const P30__DynamicSynchronizerParameters *m,
                             struct dynamic_parameters *out, struct error *err)
{
    memset(out, 0, sizeof(*out));
    if (!duration_read(m->confirmation_response_timeout, "confirmation_response_timeout",
                       &out->confirmation_response_timeout_us, err) ||
        !duration_read(m->mediator_reaction_timeout, "mediator_reaction_timeout",
                       &out->mediator_reaction_timeout_us, err) ||
        !duration_read(m->assignment_exclusivity_timeout, "assignment_exclusivity_timeout",
                       &out->assignment_exclusivity_timeout_us, err) ||
        !duration_read(m->ledger_time_record_time_tolerance, "ledger_time_record_time_tolerance",
                       &out->ledger_time_record_time_tolerance_us, err) ||
        !duration_read(m->reconciliation_interval, "reconciliation_interval",
                       &out->reconciliation_interval_us, err) ||
        !duration_read(m->mediator_deduplication_timeout, "mediator_deduplication_timeout",
                       &out->mediator_deduplication_timeout_us, err) ||
        !duration_read(m->sequencer_aggregate_submission_timeout,
                       "sequencer_aggregate_submission_timeout",
                       &out->sequencer_aggregate_submission_timeout_us, err))
        return false;
    out->preparation_time_record_time_tolerance_us = out->ledger_time_record_time_tolerance_us;
    if (m->preparation_time_record_time_tolerance != NULL &&
        !duration_read(m->preparation_time_record_time_tolerance,
                       "preparation_time_record_time_tolerance",
                       &out->preparation_time_record_time_tolerance_us, err))
        return false;
    if (m->participant_synchronizer_limits == NULL)
        return error_set(err, ERR_MALFORMED, NULL, "participant_synchronizer_limits is missing");
    out->confirmation_requests_max_rate =
        m->participant_synchronizer_limits->confirmation_requests_max_rate;
    out->max_request_size = m->max_request_size;
    out->onboarding = (enum onboarding_restriction)m->onboarding_restriction;
    if (m->acs_commitments_catchup != NULL) {
        out->has_catchup = true;
        out->catchup_interval_skip = m->acs_commitments_catchup->catchup_interval_skip;
        out->catchup_trigger = m->acs_commitments_catchup->nr_intervals_to_trigger_catchup;
    }
    out->has_traffic = m->traffic_control != NULL;
    if (out->has_traffic && !traffic_from(m->traffic_control, &out->traffic, err))
        return false;
    return dynamic_check(out, err);
}

bool dynamic_parameters_build(const struct dynamic_parameters *p, struct buffer *out,
                              struct error *err)
{
    P30__DynamicSynchronizerParameters m = P30__DYNAMIC_SYNCHRONIZER_PARAMETERS__INIT;
    P30__ParticipantSynchronizerLimits limits = P30__PARTICIPANT_SYNCHRONIZER_LIMITS__INIT;
    P30__AcsCommitmentsCatchUpConfig catchup = P30__ACS_COMMITMENTS_CATCH_UP_CONFIG__INIT;
    P30__TrafficControlParameters traffic = P30__TRAFFIC_CONTROL_PARAMETERS__INIT;
    Google__Protobuf__Duration d[] = {
        duration_of(p->confirmation_response_timeout_us),
        duration_of(p->mediator_reaction_timeout_us),
        duration_of(p->assignment_exclusivity_timeout_us),
        duration_of(p->ledger_time_record_time_tolerance_us),
        duration_of(p->preparation_time_record_time_tolerance_us),
        duration_of(p->reconciliation_interval_us),
        duration_of(p->mediator_deduplication_timeout_us),
        duration_of(p->sequencer_aggregate_submission_timeout_us),
        duration_of(p->traffic.max_base_traffic_accumulation_us),
        duration_of(p->traffic.set_balance_window_us),
    };

    m.confirmation_response_timeout = &d[0];
    m.mediator_reaction_timeout = &d[1];
    m.assignment_exclusivity_timeout = &d[2];
    m.ledger_time_record_time_tolerance = &d[3];
    m.preparation_time_record_time_tolerance = &d[4];
    m.reconciliation_interval = &d[5];
    m.mediator_deduplication_timeout = &d[6];
    m.sequencer_aggregate_submission_timeout = &d[7];
    m.max_request_size = p->max_request_size;
    m.onboarding_restriction = (P30__OnboardingRestriction)p->onboarding;
    limits.confirmation_requests_max_rate = p->confirmation_requests_max_rate;
    m.participant_synchronizer_limits = &limits;
    if (p->has_catchup) {
        catchup.catchup_interval_skip = p->catchup_interval_skip;
        catchup.nr_intervals_to_trigger_catchup = p->catchup_trigger;
        m.acs_commitments_catchup = &catchup;
    }
    if (p->has_traffic) {
        traffic.max_base_traffic_amount = p->traffic.max_base_traffic_amount;
        traffic.max_base_traffic_accumulation_duration = &d[8];
        traffic.read_vs_write_scaling_factor = p->traffic.read_vs_write_scaling_factor;
        traffic.set_balance_request_submission_window_size = &d[9];
        traffic.enforce_rate_limiting = p->traffic.enforce_rate_limiting;
        traffic.free_confirmation_responses = p->traffic.free_confirmation_responses;
        traffic._base_event_cost_case =
            P30__TRAFFIC_CONTROL_PARAMETERS___BASE_EVENT_COST_BASE_EVENT_COST;
        traffic.base_event_cost = p->traffic.base_event_cost;
        m.traffic_control = &traffic;
    }
    return wire_pack(&m, out, err);
}

bool onboarding_is_locked(enum onboarding_restriction r)
{
    return r == ONBOARDING_LOCKED || r == ONBOARDING_RESTRICTED_LOCKED;
}

bool onboarding_is_restricted(enum onboarding_restriction r)
{
    return r == ONBOARDING_RESTRICTED_OPEN || r == ONBOARDING_RESTRICTED_LOCKED;
}
