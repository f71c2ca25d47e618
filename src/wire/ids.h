/* ids.h: identifiers as texts. A uid is `<id>::<namespace>`, the namespace a fingerprint; a member
 * is `PAR::<uid>`, `MED::<uid>` or `SEQ::<uid>`; a party and a logical synchronizer id are bare
 * uids; a physical synchronizer id (psid) is `<uid>::<protocol version>-<serial>`. All functions
 * take C strings (the pre-check refuses NUL). Threads: free of state. */
#ifndef WIRE_IDS_H
#define WIRE_IDS_H
#include "base/buffer.h"
#include "base/clock.h"
#include "crypto/key.h"

#define ID_TEXT_MAX      185 /* the part in front of the namespace, characters of [A-Za-z0-9:_ -] */
#define UID_TEXT_MAX     255
#define MEMBER_TEXT_MAX  300
#define PSID_TEXT_MAX    300
#define ID_TEXT_SIZE     (ID_TEXT_MAX + 1)
#define UID_TEXT_SIZE    (UID_TEXT_MAX + 1)
#define MEMBER_TEXT_SIZE (MEMBER_TEXT_MAX + 1)
#define PSID_TEXT_SIZE   (PSID_TEXT_MAX + 1)
#define MESSAGE_ID_MAX   73 /* UTF-16 units */

/* Timestamps are microseconds since 1970-01-01 UTC, TS_MIN to TS_MAX (base/clock.h). */

enum member_kind { MEMBER_PARTICIPANT, MEMBER_MEDIATOR, MEMBER_SEQUENCER };

struct uid {
    char id[ID_TEXT_SIZE];
    char ns[FINGERPRINT_SIZE];
};

struct psid {
    struct uid logical;
    int32_t protocol_version;
    int32_t serial; /* not negative */
};

/* All fail with ERR_MALFORMED and name the text. out may be NULL in the parse functions. */
MUST_CHECK bool uid_parse(const char *text, struct uid *out, struct error *err);
MUST_CHECK bool member_parse(const char *text, enum member_kind *kind, struct uid *out,
                             struct error *err);
MUST_CHECK bool psid_parse(const char *text, struct psid *out, struct error *err);
/* 1 to 255 of [A-Za-z0-9:_ -]; a party need not have a namespace. */
MUST_CHECK bool party_check(const char *text, struct error *err);
MUST_CHECK bool message_id_check(const char *text, struct error *err); /* empty is allowed */
MUST_CHECK bool ts_check(int64_t ts, const char *what, struct error *err);

/* The uid inside a member text that was checked ("PAR::x" gives "x"): points into member. */
const char *member_uid(const char *member);
/* True for a text that starts "PAR::", and so on; looks at nothing else. */
bool member_is(const char *member, enum member_kind kind);

/* Texts. uid_format cannot fail; member_format cuts nothing: a uid of up to 255 fits. */
void uid_format(const struct uid *uid, char out[UID_TEXT_SIZE]);
void member_format(enum member_kind kind, const char *uid, char out[MEMBER_TEXT_SIZE]);
void psid_format(const struct psid *psid, char out[PSID_TEXT_SIZE]);
/* The logical synchronizer id of a psid text. Fails: ERR_MALFORMED. */
MUST_CHECK bool psid_logical(const char *psid, char out[UID_TEXT_SIZE], struct error *err);
#endif
