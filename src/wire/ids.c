/* ids.c: identifiers as texts. */
#include "wire/ids.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_name_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ':' ||
           c == '-' || c == '_' || c == ' ';
}

/* 1 to max characters of the charset; double_ok: "::" may be inside. */
static bool name_ok(const char *s, size_t len, size_t max, bool double_ok)
{
    if (len == 0 || len > max)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_name_char(s[i]) || (!double_ok && i > 0 && s[i] == ':' && s[i - 1] == ':'))
            return false;
    return true;
}

static bool uid_parse_n(const char *text, size_t len, struct uid *out)
{
    const char *sep = memmem(text, len, "::", 2);
    size_t id_len = sep ? (size_t)(sep - text) : 0;
    size_t ns_len = sep ? len - id_len - 2 : 0;

    if (!sep || len > UID_TEXT_MAX || !name_ok(text, id_len, ID_TEXT_MAX, false) ||
        !name_ok(sep + 2, ns_len, FINGERPRINT_SIZE - 1, false))
        return false;
    if (out) {
        memcpy(out->id, text, id_len);
        out->id[id_len] = 0;
        memcpy(out->ns, sep + 2, ns_len);
        out->ns[ns_len] = 0;
    }
    return true;
}

bool uid_parse(const char *text, struct uid *out, struct error *err)
{
    if (uid_parse_n(text, strnlen(text, UID_TEXT_MAX + 1), out))
        return true;
    return error_set(err, ERR_MALFORMED, "expected <id>::<namespace>",
                     "\"%.100s\" is no unique identifier", text);
}

static const char *const member_codes[] = {
    [MEMBER_PARTICIPANT] = "PAR::",
    [MEMBER_MEDIATOR] = "MED::",
    [MEMBER_SEQUENCER] = "SEQ::",
};

bool member_is(const char *member, enum member_kind kind)
{
    return strncmp(member, member_codes[kind], 5) == 0;
}

bool member_parse(const char *text, enum member_kind *kind, struct uid *out, struct error *err)
{
    static const enum member_kind kinds[] = {MEMBER_PARTICIPANT, MEMBER_MEDIATOR, MEMBER_SEQUENCER};

    for (size_t i = 0; i < 3; i++) {
        if (!member_is(text, kinds[i]))
            continue;
        if (strnlen(text, MEMBER_TEXT_MAX + 1) > MEMBER_TEXT_MAX || !uid_parse(text + 5, out, err))
            break;
        if (kind)
            *kind = kinds[i];
        return true;
    }
    return error_set(err, ERR_MALFORMED, "expected PAR::, MED:: or SEQ:: and <id>::<namespace>",
                     "\"%.100s\" is no member", text);
}

/* Decimal digits alone, up to 2^31 - 1. */
static bool number_parse(const char *s, size_t len, int32_t *out)
{
    int64_t v = 0;

    if (len == 0 || len > 10)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        v = v * 10 + (s[i] - '0');
    }
    if (v > INT32_MAX)
        return false;
    *out = (int32_t)v;
    return true;
}

bool psid_parse(const char *text, struct psid *out, struct error *err)
{
    size_t len = strnlen(text, PSID_TEXT_MAX + 1);
    struct psid p = {0};
    const char *first = len <= PSID_TEXT_MAX ? strstr(text, "::") : NULL;
    const char *second = first ? strstr(first + 2, "::") : NULL;
    const char *dash = second ? strchr(second + 2, '-') : NULL;

    if (dash && uid_parse_n(text, (size_t)(second - text), &p.logical) &&
        number_parse(second + 2, (size_t)(dash - second - 2), &p.protocol_version) &&
        number_parse(dash + 1, strlen(dash + 1), &p.serial)) {
        if (out)
            *out = p;
        return true;
    }
    return error_set(err, ERR_MALFORMED, "expected <id>::<namespace>::<protocol version>-<serial>",
                     "\"%.100s\" is no physical synchronizer id", text);
}

bool party_check(const char *text, struct error *err)
{
    if (name_ok(text, strnlen(text, UID_TEXT_MAX + 1), UID_TEXT_MAX, true))
        return true;
    return error_set(err, ERR_MALFORMED, "1 to 255 of A-Z a-z 0-9 : - _ and space",
                     "\"%.100s\" is no party", text);
}

bool message_id_check(const char *text, struct error *err)
{
    size_t units = 0;

    for (const char *p = text; *p && units <= MESSAGE_ID_MAX; p++) {
        uint8_t c = (uint8_t)*p;

        if ((c & 0xc0) != 0x80) /* a character starts here; from U+10000 on it has two units */
            units += c >= 0xf0 ? 2 : 1;
    }
    if (units <= MESSAGE_ID_MAX)
        return true;
    return error_set(err, ERR_MALFORMED, NULL, "a message id has more than %d characters",
                     MESSAGE_ID_MAX);
}

bool ts_check(int64_t ts, const char *what, struct error *err)
{
    if (ts >= TS_MIN && ts <= TS_MAX)
        return true;
    return error_set(err, ERR_MALFORMED, "microseconds since 1970, year 1 to 9999",
                     "%s %lld is out of range", what, (long long)ts);
}

const char *member_uid(const char *member)
{
    return member + 5;
}

void uid_format(const struct uid *uid, char out[UID_TEXT_SIZE])
{
    snprintf(out, UID_TEXT_SIZE, "%s::%s", uid->id, uid->ns);
}

void member_format(enum member_kind kind, const char *uid, char out[MEMBER_TEXT_SIZE])
{
    snprintf(out, MEMBER_TEXT_SIZE, "%s%.*s", member_codes[kind], UID_TEXT_MAX, uid);
}

void psid_format(const struct psid *psid, char out[PSID_TEXT_SIZE])
{
    snprintf(out, PSID_TEXT_SIZE, "%s::%s::%d-%d", psid->logical.id, psid->logical.ns,
             psid->protocol_version, psid->serial);
}

bool psid_logical(const char *psid, char out[UID_TEXT_SIZE], struct error *err)
{
    struct psid p;

    if (!psid_parse(psid, &p, err))
        return false;
    uid_format(&p.logical, out);
    return true;
}
