/* test_lockstep.c: the public library, as its users link it, against a fake sequencer. */
#include "fake_sequencer.h"

#include "lockstep/lockstep.h"

struct user {
    struct rpc_loop *loop;
    struct fake_events ev;
    struct fake seq;
    char url[64], key_file[64], public_file[64];
    struct gate events;
    int64_t last_ts;
    char last_id[LOCKSTEP_MESSAGE_ID_SIZE];
};

static void write_pem(const char *path, const char *label, const char *before, struct bytes der)
{
    static const char d[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fprintf(f, "%s-----BEGIN %s-----\n", before, label);
    for (size_t i = 0; i < der.len; i += 3) {
        size_t n = der.len - i < 3 ? der.len - i : 3;
        uint32_t v = (uint32_t)der.data[i] << 16 | (n > 1 ? (uint32_t)der.data[i + 1] << 8 : 0) |
                     (n > 2 ? der.data[i + 2] : 0);
        fprintf(f, "%c%c%c%c%s", d[v >> 18], d[v >> 12 & 63], n > 1 ? d[v >> 6 & 63] : '=',
                n > 2 ? d[v & 63] : '=', i / 3 % 16 == 15 ? "\n" : "");
    }
    fprintf(f, "\n-----END %s-----\n", label);
    assert_int_equal(fclose(f), 0);
}

static void temp_name(char *out, size_t size)
{
    snprintf(out, size, "lockstep-test-XXXXXX");
    int fd = mkstemp(out);
    assert_true(fd >= 0);
    close(fd);
}

static void user_open(struct user *u)
{
    struct buffer der = BUFFER_INIT;
    struct error err;

    memset(u, 0, sizeof(*u));
    gate_init(&u->events);
    must_ok(rpc_loop_open(1, NULL, &u->loop, &err), &err);
    fake_events_open(&u->ev);
    fake_open(&u->seq, &u->ev, u->loop, 0);
    snprintf(u->url, sizeof(u->url), "http://127.0.0.1:%d", u->seq.port);
    const struct private_key *k = keyring_newest(u->ev.keys, USAGE_PROTOCOL);
    temp_name(u->key_file, sizeof(u->key_file));
    temp_name(u->public_file, sizeof(u->public_file));
    must_ok(private_key_to_pkcs8(k, &der, &err), &err);
    write_pem(u->key_file, "PRIVATE KEY", "my key\n", buffer_bytes(&der));
    write_pem(u->public_file, "PUBLIC KEY", "", k->pub->spki);
    buffer_wipe(&der);
}

static void user_close(struct user *u)
{
    unlink(u->key_file);
    unlink(u->public_file);
    fake_close(&u->seq);
    fake_events_close(&u->ev);
    rpc_loop_close(u->loop);
}

static struct lockstep_options options_of(struct user *u, const char **urls)
{
    urls[0] = u->url;
    return (struct lockstep_options){.endpoints = urls,
                                     .n_endpoints = 1,
                                     .member = FAKE_MEMBER,
                                     .key_file = u->key_file,
                                     .sequencer_key_file = u->public_file};
}

static int on_event(void *context, const struct lockstep_event *e)
{
    struct user *u = context;

    u->last_ts = e->timestamp;
    snprintf(u->last_id, sizeof(u->last_id), "%s", e->message_id ? e->message_id : "");
    gate_add(&u->events);
    return 0;
}

static void what_is_sent_comes_back_in_the_stream(void **state)
{
    const char *urls[1], *to[] = {FAKE_MEMBER};
    char id[LOCKSTEP_MESSAGE_ID_SIZE];
    struct lockstep_options o;
    struct lockstep *ls;
    struct user u;

    (void)state;
    user_open(&u);
    fake_event(&u.ev, INT64_MIN, 10, NULL);
    o = options_of(&u, urls);
    assert_int_equal(lockstep_connect(&o, WAIT_US, &ls), LOCKSTEP_OK);
    assert_int_equal(lockstep_subscribe(ls, NULL, NULL, on_event, &u), LOCKSTEP_OK);
    gate_await(&u.events, 1);
    assert_int_equal(lockstep_state(ls, NULL, 0), LOCKSTEP_CONNECTED);
    assert_int_equal(lockstep_send(ls, to, 1, "hello", 5, 10 * US_PER_S, id), LOCKSTEP_OK);
    fake_event(&u.ev, 10, 20, id);
    gate_await(&u.events, 2);
    assert_int_equal(u.last_ts, 20);
    assert_string_equal(u.last_id, id);
    assert_int_equal(lockstep_ack(ls, 20), LOCKSTEP_OK);
    lockstep_close(ls);
    user_close(&u);
}

static void a_refused_message_says_so(void **state)
{
    const char *urls[1], *to[] = {FAKE_MEMBER};
    struct lockstep_options o;
    struct lockstep *ls;
    struct user u;

    (void)state;
    user_open(&u);
    o = options_of(&u, urls);
    mutex_lock(&u.seq.ev->m);
    u.seq.send_code = RPC_FAILED_PRECONDITION;
    mutex_unlock(&u.seq.ev->m);
    assert_int_equal(lockstep_connect(&o, WAIT_US, &ls), LOCKSTEP_OK);
    assert_int_equal(lockstep_send(ls, to, 1, "hello", 5, 10 * US_PER_S, NULL), LOCKSTEP_REFUSED);
    assert_non_null(strstr(lockstep_error(ls), "FAILED_PRECONDITION"));
    lockstep_close(ls);
    user_close(&u);
}

static void a_missing_key_file_is_named(void **state)
{
    const char *urls[1];
    struct lockstep_options o;
    struct lockstep *ls;
    struct user u;

    (void)state;
    user_open(&u);
    o = options_of(&u, urls);
    o.key_file = "no-such-file.pem";
    assert_int_equal(lockstep_connect(&o, 0, &ls), LOCKSTEP_INVALID);
    assert_null(ls);
    assert_non_null(strstr(lockstep_error(NULL), "no-such-file.pem"));
    user_close(&u);
}

static void a_key_file_that_is_damaged_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "no key at all\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n", /* does not end */
        "-----BEGIN PRIVATE KEY-----\n*&%\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", /* no key inside */
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        "-----BEGIN\n",
        "usage: everything\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "usage: a text that is far too long to be the name of any usage whatever\n",
    };
    const char *urls[1];
    struct lockstep_options o;
    struct lockstep *ls;
    struct user u;

    (void)state;
    user_open(&u);
    o = options_of(&u, urls);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        FILE *f = fopen(u.key_file, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(texts[i], 1, strlen(texts[i]), f), strlen(texts[i]));
        assert_int_equal(fclose(f), 0);
        assert_int_equal(lockstep_connect(&o, 0, &ls), LOCKSTEP_INVALID);
        assert_non_null(strstr(lockstep_error(NULL), u.key_file));
    }
    user_close(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_comes_back_in_the_stream),
        cmocka_unit_test(a_refused_message_says_so),
        cmocka_unit_test(a_missing_key_file_is_named),
        cmocka_unit_test(a_key_file_that_is_damaged_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
