noinst_LTLIBRARIES += libsequencer.la
libsequencer_la_SOURCES = \
	%D%/aggregation.c %D%/aggregation.h \
	%D%/apply.c %D%/apply.h \
	%D%/authentication_service.c \
	%D%/broadcast.c \
	%D%/check.c %D%/check.h \
	%D%/clock.c %D%/clock.h \
	%D%/connect_service.c \
	%D%/delivery_runner.c %D%/delivery_runner.h \
	%D%/download_service.c \
	%D%/entry.c %D%/entry.h \
	%D%/event_source.c %D%/event_source.h \
	%D%/frontier.c %D%/frontier.h \
	%D%/index.c %D%/index.h \
	%D%/log_store.c \
	%D%/member_store.c %D%/member_store.h \
	%D%/node_store.c %D%/node_store.h \
	%D%/outcome.c %D%/outcome.h \
	%D%/rate.c %D%/rate.h \
	%D%/refusal.c %D%/refusal.h \
	%D%/replica.h \
	%D%/sequencer.h %D%/sequencer_runner.c \
	%D%/service.c %D%/service.h \
	%D%/submission_service.c \
	%D%/subscription_service.c \
	%D%/synchronizer_store.c %D%/synchronizer_store.h \
	%D%/tail_runner.c %D%/tail_runner.h \
	%D%/token.c %D%/token.h \
	%D%/version_check.c %D%/version_check.h \
	%D%/view.c %D%/view.h \
	%D%/writer_runner.c %D%/writer_runner.h
SQL_STATEMENTS += sql/statements/sequencer.sql sql/statements/sequencer_member.sql
SQL_MIGRATIONS += sql/postgres/0002-sequencer.sql sql/sqlite/0002-sequencer.sql sql/oracle/0002-sequencer.sql

UNIT_TESTS += t/unit/test_sequencer_clock
t_unit_test_sequencer_clock_SOURCES = t/unit/test_sequencer_clock.c
t_unit_test_sequencer_clock_LDADD = libsequencer.la libbase.la $(CMOCKA_LIBS)

SEQUENCER_TEST_LIBS = libsequencer.la librpc.la libstorage.la $(LS_CORE_LIBS) $(OPENSSL_LIBS) \
	$(PROTOBUF_C_LIBS) $(ZLIB_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += t/unit/test_sequencer_token
t_unit_test_sequencer_token_SOURCES = t/unit/test_sequencer_token.c
t_unit_test_sequencer_token_LDADD = $(SEQUENCER_TEST_LIBS)

UNIT_TESTS += t/unit/test_sequencer_apply
t_unit_test_sequencer_apply_SOURCES = t/unit/test_sequencer_apply.c t/unit/topology_world.h
t_unit_test_sequencer_apply_LDADD = $(SEQUENCER_TEST_LIBS)

check_PROGRAMS += t/sequencer/test_service t/sequencer/test_replicas t/bench/bench_sequencer
t_sequencer_test_service_SOURCES = t/sequencer/test_service.c t/sequencer/harness.c \
	t/sequencer/harness.h
t_sequencer_test_service_LDADD = $(SEQUENCER_TEST_LIBS)
t_sequencer_test_replicas_SOURCES = t/sequencer/test_replicas.c t/sequencer/harness.c \
	t/sequencer/harness.h
t_sequencer_test_replicas_LDADD = $(SEQUENCER_TEST_LIBS)
BLACKBOX_TESTS += t/sequencer/sqlite.sh t/sequencer/postgres.sh
EXTRA_DIST += t/sequencer/sqlite.sh t/sequencer/postgres.sh t/bench/sequencer.sh

# Not a test: t/bench/sequencer.sh ENGINE prints figures.
t_bench_bench_sequencer_SOURCES = t/bench/bench_sequencer.c t/sequencer/harness.c \
	t/sequencer/harness.h
t_bench_bench_sequencer_LDADD = $(SEQUENCER_TEST_LIBS)
