#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/logger.h"
#include "config/config.h"
#include "config/value.h"

#define SEQ                                                                                        \
    "sequencers:\n"                                                                                \
    "  seq:\n"                                                                                     \
    "    storage: {type: sqlite, file: seq.db}\n"                                                  \
    "    public-api: {port: 5001}\n"                                                               \
    "    admin-api: {port: 5002}\n"

/* Everything the report of a text says, "line:column: text\n" each. */
static char *problems(const char *text)
{
    struct config_report r = {0};
    struct config *c = NULL;
    char *out = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&out, &size);

    if (config_parse("etc/a.yaml", text, strlen(text), &c, &r))
        config_free(c);
    config_report_print(&r, "F", f);
    config_report_free(&r);
    fclose(f);
    return out;
}

static void expect(const char *text, const char *wanted)
{
    char *got = problems(text);

    if (strstr(got, wanted) == NULL)
        fail_msg("wanted: %s\ngot: %s", wanted, got);
    free(got);
}

static struct config *good(const char *text)
{
    struct config_report r = {0};
    struct config *c = NULL;

    if (!config_parse("etc/a.yaml", text, strlen(text), &c, &r)) {
        config_report_print(&r, "F", stderr);
        fail();
    }
    return c;
}

static void durations_and_sizes_have_units(void **state)
{
    int64_t v;

    (void)state;
    assert_true(value_duration("250ms", &v) && v == 250000);
    assert_true(value_duration("1.5s", &v) && v == 1500000);
    assert_true(value_duration("5m", &v) && v == 300000000);
    assert_true(value_duration("2d", &v) && v == INT64_C(172800000000));
    assert_true(value_duration("10 s", &v) && v == 10000000);
    assert_true(value_duration("0", &v) && v == 0);
    assert_false(value_duration("250", &v));
    assert_false(value_duration("s", &v));
    assert_false(value_duration("1.2.3s", &v));
    assert_false(value_duration("-1s", &v));
    assert_false(value_duration("0.0000001s", &v));
    assert_false(value_duration("99999999999999999999s", &v));
    assert_true(value_size("10MiB", &v) && v == 10485760);
    assert_true(value_size("512", &v) && v == 512);
    assert_true(value_size("10MB", &v) && v == 10000000);
    assert_false(value_size("10M", &v));
}

static void urls_have_scheme_host_and_port(void **state)
{
    static const char *const bad[] = {"127.0.0.1:5001",  "http://h",       "http://h:0",
                                      "http://h:65536",  "http://:1",      "ftp://h:1",
                                      "http://u:p@h:12", "http://h:1/path"};
    struct config_url u;

    (void)state;
    assert_true(value_url("https://[::1]:5001", &u));
    assert_string_equal(u.host, "::1");
    assert_true(u.is_tls && u.port == 5001);
    free(u.text);
    free(u.host);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (value_url(bad[i], &u))
            fail_msg("%s", bad[i]);
        free(u.text);
        free(u.host);
    }
}

static void distance_counts_edits_and_swaps(void **state)
{
    (void)state;
    assert_int_equal(value_distance("port", "port"), 0);
    assert_int_equal(value_distance("prot", "port"), 1);
    assert_int_equal(value_distance("lease-expiry", "lease-expriy"), 1);
    assert_int_equal(value_distance("", "abc"), 3);
    assert_int_equal(value_distance("kitten", "sitting"), 3);
}

static void a_file_is_read_with_its_defaults(void **state)
{
    struct config *c = good(SEQ "    high-availability: {lease-expiry: 3s}\n"
                                "logging: {level: debug, format: json}\n");
    const struct config_node *n = config_find(c, "seq");

    (void)state;
    assert_non_null(n);
    assert_int_equal(n->kind, CONFIG_S);
    assert_string_equal(n->storage.file, "etc/seq.db");
    assert_int_equal(n->public_api.port, 5001);
    assert_string_equal(n->public_api.address, "127.0.0.1");
    assert_int_equal(n->lease.lease_renew_us, 250000);
    assert_int_equal(n->lease.lease_expiry_us, 3000000);
    assert_int_equal(n->max_request_size, 10485760);
    assert_true(n->is_migrating);
    assert_false(n->lease.is_enabled);
    assert_int_equal(c->log_level, LOG_DEBUG);
    assert_int_equal(c->log_format, LOG_JSON);
    config_free(c);
}

static void anchors_aliases_and_merge_keys_work(void **state)
{
    struct config *c =
        good("storage: &db {type: postgresql, server: h1, database: d, user: u}\n"
             "sequencers:\n"
             "  a: {storage: {<<: *db, schema: a, server: h2}, public-api: {port: 0},"
             " admin-api: {port: 0}}\n"
             "mediators:\n"
             "  m: {storage: {schema: m}, admin-api: {port: 0},"
             " sequencer-connections: [\"http://s1:5001\", \"https://s2:5001\"]}\n"
             "x-more: &more {type: sqlite, file: /no.db}\n"
             "x-file: &file {file: /p.db, max-connections: 3}\n"
             "participants:\n"
             "  p: {storage: {<<: [*file, *more], max-connections: 4, <<: {}}, api: "
             "{port: 0}, synchronizers: {s: \"http://s1:5001\"}}\n");
    const struct config_node *a = config_find(c, "a"), *m = config_find(c, "m");

    (void)state;
    assert_string_equal(a->storage.server, "h2");
    assert_string_equal(a->storage.database, "d");
    assert_string_equal(a->storage.schema, "a");
    assert_true(a->lease.is_enabled);
    assert_false(a->is_migrating);
    assert_string_equal(m->storage.server, "h1");
    assert_string_equal(m->storage.schema, "m");
    assert_int_equal(m->sequencers.n, 2);
    assert_true(m->sequencers.url[1].is_tls);
    assert_string_equal(config_find(c, "p")->storage.file, "/p.db");
    assert_int_equal(config_find(c, "p")->storage.max_connections, 4);
    config_free(c);
}

static void environment_and_files_bring_values(void **state)
{
    char path[] = "/tmp/lockstep-config-XXXXXX", text[512];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "s3cret\n", 7), 7);
    close(fd);
    setenv("LS_TEST_SCHEMA", "of-env", 1);
    snprintf(text, sizeof(text),
             "participants: {p: {storage: {type: postgresql, server: h, database: d, schema: "
             "\"${env:LS_TEST_SCHEMA}-1\", password: \"${file:%s}\", user: \"$${x}\"},"
             " api: {port: 0}, synchronizers: {s: [\"http://h:1\"]}}}\n",
             path);
    struct config *c = good(text);

    assert_string_equal(c->node[0].storage.schema, "of-env-1");
    assert_string_equal(c->node[0].storage.password, "s3cret");
    assert_string_equal(c->node[0].storage.user, "${x}");
    config_free(c);
    unlink(path);
    expect("logging: {level: \"${env:LS_TEST_NONE}\"}\n", "the environment has no LS_TEST_NONE");
    expect("logging: {level: \"${file:/nowhere/x}\"}\n", "${file:/nowhere/x}: No such file");
    expect("logging: {level: \"${envv:A}\"}\n",
           "write ${env:NAME}, ${file:PATH} or ${credential:NAME}");
    expect("logging: {level: \"${env:A\"}\n", "without its \"}\"");
}

static void every_problem_is_reported_at_its_place(void **state)
{
    char *got = problems("sequencers:\n"
                         "  seq:\n"
                         "    storage: {type: sqlite, file: seq.db}\n"
                         "    public-api: {prot: 5001, port: 99999}\n"
                         "    admin-api: {port: 5002, address: 0.0.0.0}\n"
                         "    high-availability: {lease-expiry: 300ms}\n");

    (void)state;
    assert_string_equal(
        got,
        "F:4:18: sequencers.seq.public-api.prot: unknown key; did you mean public-api.port? "
        "[LS-CONFIG]\n"
        "F:4:36: sequencers.seq.public-api.port: \"99999\" is wrong; write a whole number, 0 "
        "to 65535 [LS-CONFIG]\n"
        "F:5:29: sequencers.seq.admin-api.address: 0.0.0.0 is no loopback address, and whoever "
        "reaches this port may use it; write 127.0.0.1, or tls with client-auth: require "
        "[LS-CONFIG]\n"
        "F:6:25: sequencers.seq.high-availability.lease-expiry: 300ms is less than 3 x "
        "lease-renew (250ms); set 750ms or more [LS-CONFIG]\n");
    free(got);
}

static void wrong_values_say_what_was_expected(void **state)
{
    (void)state;
    expect(SEQ "    high-availability: {enabled: yes}\n", "\"yes\" is wrong; write true or false");
    expect(SEQ "    high-availability: {lease-renew: 250}\n",
           "\"250\" is wrong; write a duration such as 250ms, 30s or 5m, from 10ms to 1m");
    expect(SEQ "    parameters: {max-request-size: 10M}\n", "write a size such as");
    expect(SEQ "    public-api: []\n", "said twice");
    expect("participants: {p: {api: 5001}}\n",
           "participants.p.api: a value is wrong; write a mapping");
    expect("logging: {format: jsn}\n", "did you mean json?");
    expect("logging: {level: []}\n", "a list is wrong; write one of trace|debug");
    expect("mediators: {m: {sequencer-connections: [\"s1:5001\"]}}\n",
           "\"s1:5001\" is wrong; write a list");
    expect("participants: {p: {synchronizers: [\"http://s1:5001\"]}}\n",
           "a list is wrong; write a mapping, each a name");
    expect("sequencers: {\"a b\": {}}\n", "is no name");
    expect("sequencers: [a]\n", "sequencers: a list is wrong");
}

static void what_is_missing_or_contradicts_is_said(void **state)
{
    (void)state;
    expect("sequencers: {s: {}}\n", "1:14: sequencers.s.storage.type: missing; write sqlite");
    expect("sequencers: {s: {}}\n", "sequencers.s.public-api.port: missing");
    expect("participants: {p: {}}\n", "participants.p.synchronizers: missing");
    expect("participants: {p: {synchronizers: {a: \"http://h:1\", b: \"http://h:2\"}}}\n",
           "one synchronizer in this release");
    expect("sequencers: {s: {storage: {type: sqlite}}}\n", "storage.file: missing");
    expect("sequencers: {s: {storage: {type: sqlite, file: a, user: u}}}\n",
           "no meaning with sqlite");
    expect("sequencers: {s: {storage: {type: postgresql}}}\n", "storage.server: missing");
    expect("sequencers: {s: {storage: {type: postgresql, dsn: d, server: h}}}\n",
           "contradicts storage.dsn");
    expect("participants: {p: {storage: {type: sqlite, dsn: d, file: f}}}\n",
           "storage.file: contradicts storage.dsn");
    expect("participants: {p: {storage: {type: postgresql, dsn: d;PWD=hunter2}}}\n",
           "storage.dsn: not a name of odbc.ini; write the name alone");
    expect("synchronizer: {s: {storage: {type: sqlite, dsn: d}}}\n",
           "storage.dsn: the embedded mediator has a file of its own");
    expect("mediators: {m: {admin-api: {port: 1, address: 127.example.org}}}\n",
           "127.example.org is no loopback address");
    expect("sequencers: {s: {storage: {type: oracle}}}\n",
           "storage.database: missing; write the service");
    expect(SEQ "    high-availability: {enabled: true}\n", "sqlite is for one process");
    expect(SEQ "participants: {p: {api: {port: 5001}}}\n",
           "5001 is the port of sequencers.seq.public-api.port too");
    expect(SEQ "participants: {p: {storage: {type: sqlite, file: seq.db}}}\n",
           "the storage of sequencers.seq too");
    expect(SEQ "participants: {seq: {}}\n", "the name of two nodes");
    expect("logging: {level: info}\n", "no node; write");
    expect("", "nothing is configured");
}

static void keys_of_the_existing_implementation_name_ours(void **state)
{
    (void)state;
    expect(SEQ "    high-availability: {offline-duration: 8s}\n",
           "without meaning here; use high-availability.lease-expiry");
    expect(SEQ "    high-availability: {online-check-interval: 5s}\n",
           "use high-availability.lease-expiry");
    expect(SEQ "    high-availability: {keep-alive-interval: 50ms}\n",
           "use high-availability.lease-renew");
    expect(SEQ "    high-availability: {exclusive-storage: {connection-pool: {}}}\n",
           "use nothing: a lease in the database decides");
    expect(SEQ "    sequencer: {type: database}\n", "seq.sequencer.type: a key of the existing");
    expect(SEQ "    sequencer: {writer: {type: low-latency}}\n", "directly below the sequencer");
    expect("mediators: {m: {replication: {connection-pool: {connection: {passive-check-period: "
           "15s}}}}}\n",
           "use replication.lease-expiry");
    expect("mediators: {m: {storage: {parameters: {migrate-and-start: true}}}}\n",
           "use migrate-on-start");
    expect("canton: {}\n", "at the top of the file");
}

static void misspelt_and_misplaced_keys_are_recognised(void **state)
{
    (void)state;
    expect("sequencer: {}\n", "did you mean sequencers?");
    expect("loging: {}\n", "did you mean logging?");
    expect("mediators: {m: {public-api: {port: 1}}}\n",
           "not an option of a mediator; it belongs to a synchronizer or sequencer");
    expect(SEQ "    total-node-count: 5\n", "did you mean high-availability.total-node-count?");
    expect(SEQ "    xyzzy: 5\n", "lockstep.yaml(5) lists the keys");
}

static void nothing_follows_from_a_wrong_value(void **state)
{
    char *got = problems("sequencers: {s: {storage: {type: postgres, server: h, database: d},"
                         " public-api: {port: 0}, admin-api: {port: 0}}}\n");

    (void)state;
    assert_string_equal(got,
                        "F:1:34: sequencers.s.storage.type: \"postgres\" is wrong; did you mean "
                        "postgresql? (one of sqlite|postgresql|oracle) [LS-CONFIG]\n");
    free(got);
}

static void broken_yaml_stops_with_a_place(void **state)
{
    (void)state;
    expect("a: [1, 2\n", "not YAML:");
    expect("a: {b: *none}\n", "1:8: *none: no anchor &none");
    expect("a: &a {b: *a}\n", "no anchor &a");
    expect("a: 1\n---\nb: 1\n", "a second document");
    expect("a: 1\na: 2\n", "2:1: a: said twice");
    expect("? [a]\n: 1\n", "a key is a name");
    expect("a: {<<: 5}\n", "merges mappings, this is a value");
    expect("\xff\xfe\xfd", "not YAML");
    char deep[200];

    memset(deep, '[', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    expect(deep, "more than 32 deep");
}

static void a_bomb_of_aliases_is_bounded(void **state)
{
    char text[8192] = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n", *got;

    (void)state;
    for (int i = 1; i < 30; i++) {
        size_t n = strlen(text);

        snprintf(text + n, sizeof(text) - n, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "*a%d,", i - 1);
        strcat(text, "]\n");
    }
    got = problems(text);
    assert_non_null(strstr(got, "a29: unknown key"));
    free(got);
}

static void a_flood_of_problems_is_bounded(void **state)
{
    struct config_report r = {0};
    struct config *c;
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    (void)state;
    for (int i = 0; i < 500; i++)
        fprintf(f, "zz%d: 1\n", i);
    fclose(f);
    assert_false(config_parse("a", text, size, &c, &r));
    assert_int_equal(r.n, CONFIG_PROBLEM_MAX);
    assert_int_equal(r.n_more, 400);
    config_report_free(&r);
    free(text);
}

static void no_report_shows_a_secret(void **state)
{
    char *got;

    (void)state;
    setenv("LS_TEST_SECRET", "hunter2-env", 1);
    got = problems("sequencers:\n"
                   "  s:\n"
                   "    storage: {type: \"${env:LS_TEST_SECRET}\", pasword: hunter2-a,\n"
                   "              password: [hunter2-b], options: {x: hunter2-c}}\n"
                   "    public-api: {port: \"${env:LS_TEST_SECRET}\"}\n"
                   "storage: \"postgres://u:hunter2-d@h\"\n");
    if (strstr(got, "hunter2") != NULL)
        fail_msg("%s", got);
    assert_non_null(strstr(got, "storage.pasword: unknown key; did you mean storage.password?"));
    assert_non_null(strstr(got, "storage.password: a list is wrong"));
    free(got);
}

static void the_embedded_mediator_has_storage_of_its_own(void **state)
{
    struct config_storage from = {.type = CONFIG_SQLITE, .file = (char *)"/a.b/demo.db"}, to;
    struct error err;

    (void)state;
    assert_true(config_storage_of_mediator(&from, &to, &err));
    assert_string_equal(to.file, "/a.b/demo-mediator.db");
    config_storage_free(&to);
    from = (struct config_storage){.type = CONFIG_POSTGRESQL, .schema = (char *)"demo"};
    assert_true(config_storage_of_mediator(&from, &to, &err));
    assert_string_equal(to.schema, "demo_mediator");
    config_storage_free(&to);
}

/* The manual's option list is the table, in both directions. */
static void the_manual_page_lists_exactly_the_options(void **state)
{
    const char *srcdir = getenv("srcdir");
    char path[1024], *page, wanted[256];
    struct config_option o;
    size_t n_items = 0, n_keys = 0;

    (void)state;
    snprintf(path, sizeof(path), "%s/man/lockstep.yaml.5", srcdir != NULL ? srcdir : ".");
    FILE *f = fopen(path, "re");

    assert_non_null(f);
    page = calloc(1, 1 << 18);
    assert_true(fread(page, 1, (1 << 18) - 1, f) > 0);
    fclose(f);
    for (size_t i = 0; config_option_at(i, &o); i++) {
        bool is_new = true;
        struct config_option before;

        for (size_t k = 0; k < i && config_option_at(k, &before); k++)
            is_new = is_new && strcmp(before.key, o.key) != 0;
        n_keys += is_new;
        snprintf(wanted, sizeof(wanted), "\n.It Ic %s\n", o.key);
        if (strstr(page, wanted) == NULL)
            fail_msg("lockstep.yaml(5) lacks %s", o.key);
        char *item = strstr(page, wanted) + strlen(wanted);
        char *end = strstr(item, "\n.It ");
        char text[2048];

        snprintf(text, sizeof(text), "%.*s",
                 (int)(end != NULL ? end - item : (ptrdiff_t)strlen(item)), item);
        if (o.fallback != NULL && strstr(text, o.fallback) == NULL)
            fail_msg("lockstep.yaml(5), %s: the default %s is not there", o.key, o.fallback);
        for (const char *c = o.choices; c != NULL && *c != '\0';) {
            snprintf(wanted, sizeof(wanted), "%.*s", (int)strcspn(c, "|"), c);
            if (strstr(text, wanted) == NULL)
                fail_msg("lockstep.yaml(5), %s: the choice %s is not there", o.key, wanted);
            c += strlen(wanted);
            c += *c == '|';
        }
    }
    for (char *p = page; (p = strstr(p, "\n.It Ic ")) != NULL; p++)
        n_items++;
    assert_int_equal(n_items, n_keys);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_and_sizes_have_units),
        cmocka_unit_test(urls_have_scheme_host_and_port),
        cmocka_unit_test(distance_counts_edits_and_swaps),
        cmocka_unit_test(a_file_is_read_with_its_defaults),
        cmocka_unit_test(anchors_aliases_and_merge_keys_work),
        cmocka_unit_test(environment_and_files_bring_values),
        cmocka_unit_test(every_problem_is_reported_at_its_place),
        cmocka_unit_test(wrong_values_say_what_was_expected),
        cmocka_unit_test(what_is_missing_or_contradicts_is_said),
        cmocka_unit_test(keys_of_the_existing_implementation_name_ours),
        cmocka_unit_test(misspelt_and_misplaced_keys_are_recognised),
        cmocka_unit_test(nothing_follows_from_a_wrong_value),
        cmocka_unit_test(broken_yaml_stops_with_a_place),
        cmocka_unit_test(a_bomb_of_aliases_is_bounded),
        cmocka_unit_test(a_flood_of_problems_is_bounded),
        cmocka_unit_test(no_report_shows_a_secret),
        cmocka_unit_test(the_embedded_mediator_has_storage_of_its_own),
        cmocka_unit_test(the_manual_page_lists_exactly_the_options),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
