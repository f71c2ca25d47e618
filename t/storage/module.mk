# The storage tests: one program, run on each engine by a script.
STORAGE_TEST_SQL = %D%/sql/statements/test.sql %D%/sql/postgres/9001-test.sql %D%/sql/sqlite/9001-test.sql \
	%D%/sql/oracle/9001-test.sql %D%/sql/oracle/9002-lease.sql
STORAGE_TEST_SQL += %D%/sql/statements/lease.sql %D%/sql/postgres/9002-lease.sql %D%/sql/sqlite/9002-lease.sql
gen/sql_catalogue_test.c: $(SQL_STATEMENTS) $(SQL_MIGRATIONS) $(STORAGE_TEST_SQL) storage/embed.awk storage/embed.sh
	$(AM_V_GEN)$(SHELL) $(srcdir)/storage/embed.sh '$(AWK)' $(srcdir) $@ $(SQL_STATEMENTS) \
		$(SQL_MIGRATIONS) $(STORAGE_TEST_SQL)
CLEANFILES += gen/sql_catalogue_test.c gen/sql_catalogue_test.c.tmp
EXTRA_DIST += $(STORAGE_TEST_SQL) t/lib.sh

UNIT_TESTS += t/unit/test_storage t/unit/test_oracle
t_unit_test_oracle_SOURCES = t/unit/test_oracle.c
t_unit_test_oracle_LDADD = libstorage.la libbase.la $(CMOCKA_LIBS)
t_unit_test_storage_SOURCES = t/unit/test_storage.c
t_unit_test_storage_LDADD = libstorage.la libbase.la $(CMOCKA_LIBS)

UNIT_TESTS += t/unit/test_socket_find
t_unit_test_socket_find_SOURCES = t/unit/test_socket_find.c
t_unit_test_socket_find_LDADD = libstorage.la libbase.la $(CMOCKA_LIBS)

UNIT_TESTS += t/unit/test_doctor
t_unit_test_doctor_SOURCES = t/unit/test_doctor.c
t_unit_test_doctor_LDADD = libstorage.la libbase.la $(CMOCKA_LIBS)

check_PROGRAMS += %D%/test_engine
t_storage_test_engine_SOURCES = %D%/suite.c %D%/suite.h %D%/suite_calls.h %D%/suite_data.c %D%/trace.c \
	%D%/test_value.c %D%/test_txn.c %D%/test_parallel.c %D%/test_fenced.c %D%/test_cursor.c \
	%D%/test_migrate.c %D%/test_lease.c %D%/test_errors.c %D%/test_open.c %D%/test_sequencer.c \
	%D%/test_mediator.c %D%/test_participant.c %D%/engine.c %D%/engine.h
nodist_t_storage_test_engine_SOURCES = gen/sql_catalogue_test.c
# What goes to the driver is seen by trace.c.
t_storage_test_engine_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=SQLPrepare,--wrap=SQLExecute,--wrap=SQLExecDirect,--wrap=SQLDriverConnect,--wrap=calloc
t_storage_test_engine_LDADD = libnode.la libsequencer.la libmediator.la libparticipant.la libclient.la \
	libstorage-core.la librpc.la libconfig.la $(LS_CORE_LIBS) \
	$(SYSTEMD_LIBS) $(PROTOBUF_C_LIBS) $(GRPC_LIBS) $(OPENSSL_LIBS) $(ZLIB_LIBS) $(CMOCKA_LIBS)
$(t_storage_test_engine_OBJECTS): | gen/stamp

check_PROGRAMS += %D%/test_oracle
t_storage_test_oracle_SOURCES = %D%/test_oracle.c %D%/engine.c %D%/engine.h
nodist_t_storage_test_oracle_SOURCES = gen/sql_catalogue_test.c
t_storage_test_oracle_LDADD = libstorage-core.la libbase.la $(CMOCKA_LIBS)

check_PROGRAMS += %D%/fault_client
t_storage_fault_client_SOURCES = %D%/fault_client.c %D%/engine.c %D%/engine.h
nodist_t_storage_fault_client_SOURCES = gen/sql_catalogue_test.c
t_storage_fault_client_LDADD = libstorage-core.la libbase.la $(CMOCKA_LIBS)

BLACKBOX_TESTS += %D%/doctor.sh %D%/doctor-oracle.sh
EXTRA_DIST += %D%/doctor.sh %D%/doctor-oracle.sh %D%/doctor-lib.sh

BLACKBOX_TESTS += %D%/sqlite.sh %D%/postgres.sh %D%/oracle.sh %D%/cli.sh %D%/faults.sh %D%/tls.sh %D%/secrets.sh
EXTRA_DIST += %D%/sqlite.sh %D%/postgres.sh %D%/oracle.sh %D%/cli.sh %D%/faults.sh %D%/tls.sh %D%/secrets.sh
# The table of all engines, when their runs have ended.
BLACKBOX_TESTS += %D%/table.sh
EXTRA_DIST += %D%/table.sh
CLEANFILES += %D%/cells-postgresql %D%/cells-sqlite %D%/cells-oracle
%D%/table.log: %D%/sqlite.log %D%/postgres.log %D%/oracle.log

# Not a test: t/bench/storage.sh ENGINE prints figures.
check_PROGRAMS += t/bench/bench_storage
t_bench_bench_storage_SOURCES = t/bench/bench_storage.c %D%/engine.c %D%/engine.h
nodist_t_bench_bench_storage_SOURCES = gen/sql_catalogue_test.c
t_bench_bench_storage_LDADD = libstorage-core.la libbase.la $(CMOCKA_LIBS)
EXTRA_DIST += t/bench/storage.sh

# Two processes that compete for a lease. Exported, so that the drivers bind to what hook.c defines.
check_PROGRAMS += %D%/lease_peer
t_storage_lease_peer_SOURCES = %D%/lease_peer.c %D%/peer_race.c %D%/peer.h %D%/hook.c %D%/hook.h \
	%D%/engine.c %D%/engine.h
nodist_t_storage_lease_peer_SOURCES = gen/sql_catalogue_test.c
t_storage_lease_peer_LDADD = libstorage-core.la libbase.la $(CMOCKA_LIBS)
t_storage_lease_peer_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
BLACKBOX_TESTS += %D%/lease-sqlite.sh %D%/lease-postgres.sh %D%/lease-faults-sqlite.sh %D%/lease-faults-postgres.sh
EXTRA_DIST += %D%/lease-faults-sqlite.sh %D%/lease-faults-postgres.sh %D%/lease_faults.py
EXTRA_DIST += %D%/lease-sqlite.sh %D%/lease-postgres.sh %D%/lease_world.py %D%/lease_stop.py
BLACKBOX_TESTS += %D%/lease-unknown-sqlite.sh %D%/lease-unknown-postgres.sh %D%/lease-oracle.sh
EXTRA_DIST += %D%/lease-unknown-sqlite.sh %D%/lease-unknown-postgres.sh %D%/lease-oracle.sh %D%/lease_unknown.py
EXTRA_DIST += %D%/lease-journal.sql

# Migrations and accounts; kill_at is preloaded, and never installed.
check_LTLIBRARIES += %D%/kill_at.la
t_storage_kill_at_la_SOURCES = %D%/kill_at.c
t_storage_kill_at_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
BLACKBOX_TESTS += %D%/migrate.sh %D%/accounts.sh %D%/accounts-oracle.sh %D%/previous.sh
EXTRA_DIST += %D%/migrate.sh %D%/accounts.sh %D%/accounts-oracle.sh %D%/previous.sh
EXTRA_DIST += %D%/previous/README %D%/previous/COMMIT %D%/previous/postgresql.sql %D%/previous/sqlite.sql

# Staying alive: what hurts a server, and how long the pool takes to be well again.
check_PROGRAMS += %D%/alive_client
t_storage_alive_client_SOURCES = %D%/alive_client.c %D%/engine.c %D%/engine.h
nodist_t_storage_alive_client_SOURCES = gen/sql_catalogue_test.c
t_storage_alive_client_LDADD = libstorage-core.la libbase.la $(CMOCKA_LIBS)
BLACKBOX_TESTS += %D%/alive.sh %D%/alive-oracle.sh %D%/alive-hosts.sh %D%/threading.sh
EXTRA_DIST += %D%/threading.sh %D%/alive-oracle.sh %D%/alive.sh %D%/alive-hosts.sh %D%/alive-lib.sh
