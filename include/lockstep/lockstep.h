/* lockstep.h: liblockstep, the C client of a Lockstep synchronizer. lockstep(3) says more.
 *
 * A member connects to one synchronizer through one or more endpoints of its sequencer, sends bytes
 * to other members, and reads its own stream of events, which has no gap and no repeat. When an
 * endpoint goes away, another continues.
 *
 * Threads: every function may be called from any thread, but lockstep_close once, after all others
 * have returned, and neither it nor lockstep_ack from a callback. Callbacks come on one thread of
 * the library. Times are microseconds since 1970-01-01 UTC; durations are microseconds. Errors:
 * functions return LOCKSTEP_OK or what went wrong; lockstep_error gives the words. */
#ifndef LOCKSTEP_LOCKSTEP_H
#define LOCKSTEP_LOCKSTEP_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct lockstep;

enum lockstep_result {
    LOCKSTEP_OK = 0,
    LOCKSTEP_INVALID = 1,     /* an argument, file or key is wrong; nothing was done */
    LOCKSTEP_UNAVAILABLE = 2, /* no sequencer took it; surely nothing was done */
    LOCKSTEP_REFUSED = 3,     /* the sequencer refused; surely nothing was done */
    LOCKSTEP_UNKNOWN = 4,     /* it may or may not be done; the stream will tell */
    LOCKSTEP_CLOSED = 5,      /* closed, or failed for good: see lockstep_state */
    LOCKSTEP_NO_MEMORY = 6
};

/* Zero-initialise, then set what is needed. Borrowed by lockstep_connect, which copies. */
struct lockstep_options {
    const char *const *endpoints; /* "http://host:port" or "https://host:port": 1 to 16 */
    size_t n_endpoints;
    const char *member; /* "PAR::name::fingerprint"; must be known to the synchronizer */
    /* PEM file, PKCS#8 "PRIVATE KEY" blocks, not encrypted: the member's signing keys as they are
     * registered. A line "usage: authentication" or "usage: protocol" before a block says what it
     * is for; without one, both. Of several for the protocol the last signs. */
    const char *key_file;
    /* PEM file, "PUBLIC KEY" blocks: the sequencer's keys that events must be signed by. NULL:
     * signatures of events are not checked, which trusts the connection (use https). */
    const char *sequencer_key_file;
    const char *synchronizer; /* the physical id expected, or NULL: the one of the endpoints */
    const char *trust_file;   /* https: PEM roots; NULL: the system's */
    int64_t timeout_us;       /* of each call; 0: 10 s */
};

/* Connects and logs in, in the background, for as long as it takes; waits up to wait_us for the
 * first endpoint to answer (0: does not wait). *out is the caller's, also with LOCKSTEP_UNAVAILABLE
 * (then it goes on trying); NULL with any other failure, whose words lockstep_error(NULL) gives on
 * this thread. */
int lockstep_connect(const struct lockstep_options *options, int64_t wait_us,
                     struct lockstep **out);
/* Ends everything, waits for a callback that runs, frees. NULL is allowed. */
void lockstep_close(struct lockstep *ls);

#define LOCKSTEP_MESSAGE_ID_SIZE 37

/* Sends content (1 byte to 8 MiB) to the recipients (member texts; the own one too if it is to come
 * back) as one message, and waits until the sequencer has it on disk (LOCKSTEP_OK) or it is known
 * why not. It can be sequenced until timeout_us from now, not later. message_id:
 * LOCKSTEP_MESSAGE_ID_SIZE bytes, gets the id that the own event will carry; may be NULL. It is
 * repeated at another endpoint as long as there is no answer; the sequencer delivers it once. */
int lockstep_send(struct lockstep *ls, const char *const *recipients, size_t n_recipients,
                  const void *content, size_t len, int64_t timeout_us, char *message_id);

/* One event of the own stream, borrowed during the callback. */
struct lockstep_event {
    int64_t timestamp;      /* rises with every event */
    uint8_t hash[34];       /* of the event: keep it with the timestamp to resume */
    const char *message_id; /* of an own message, else NULL */
    const char *error;      /* why the own message was refused at sequencing, else NULL */
    size_t n_contents;      /* contents that are for this member, in order */
    const void *const *content;
    const size_t *content_len;
};
/* Returns 0 to go on; anything else ends the subscription for good (lockstep_state: failed). It may
 * block: then no more is read than a bounded buffer holds. */
typedef int lockstep_event_fn(void *context, const struct lockstep_event *event);

/* Starts the stream, once per connection. after: the timestamp of the last event that was
 * processed, with its hash: the stream goes on behind it, and fails if the sequencer no longer has
 * the same event there. NULL, NULL: from the member's first event. */
int lockstep_subscribe(struct lockstep *ls, const int64_t *after, const uint8_t hash[34],
                       lockstep_event_fn *fn, void *context);

/* Says that events up to timestamp will never be asked for again, so that they may be pruned. */
int lockstep_ack(struct lockstep *ls, int64_t timestamp);

enum lockstep_state {
    LOCKSTEP_DISCONNECTED = 0, /* trying; or not subscribed yet */
    LOCKSTEP_CONNECTED = 1,    /* the subscription runs */
    LOCKSTEP_FAILED = 2 /* for good: two histories, a bad signature, the callback, no endpoint */
};
/* text: text_size bytes, gets the endpoint or the reason; may be NULL. */
enum lockstep_state lockstep_state(struct lockstep *ls, char *text, size_t text_size);

/* What went wrong in this thread's last call that failed. Good until its next call. ls is not
 * looked at and may be NULL. Never NULL. */
const char *lockstep_error(const struct lockstep *ls);
const char *lockstep_version(void); /* "0.1.0" */

#ifdef __cplusplus
}
#endif
#endif
