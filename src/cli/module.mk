# lockstep: one cmd_*.c a family of commands, each a row in families.def and a file here.
noinst_LTLIBRARIES += libcli.la
libcli_la_SOURCES = \
	%D%/bench_load.c %D%/bench_load.h \
	%D%/cli.c %D%/cli.h \
	%D%/cmd_bench.c \
	%D%/cmd_bootstrap.c %D%/cmd_config.c %D%/cmd_db.c %D%/cmd_db.h %D%/cmd_db_doctor.c \
	%D%/cmd_health.c %D%/cmd_keys.c %D%/cmd_status.c %D%/cmd_submit.c %D%/cmd_topology.c \
	%D%/families.def \
	%D%/pb_json.c %D%/pb_json.h \
	%D%/print.c %D%/print.h \
	%D%/rpc.c %D%/rpc.h \
	%D%/topology_call.c %D%/topology_call.h
libcli_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
libcli_la_LIBADD = $(JANSSON_LIBS)
$(libcli_la_OBJECTS): | gen/stamp

bin_PROGRAMS += lockstep
lockstep_SOURCES = %D%/main.c
lockstep_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
lockstep_LDADD = libcli.la libconfig.la libstorage.la librpc.la $(LS_CORE_LIBS) \
	$(JANSSON_LIBS) $(ZLIB_LIBS) $(PROTOBUF_C_LIBS) $(OPENSSL_LIBS)

UNIT_TESTS += t/unit/test_cli
t_unit_test_cli_SOURCES = t/unit/test_cli.c
t_unit_test_cli_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
t_unit_test_cli_LDADD = $(lockstep_LDADD) $(CMOCKA_LIBS)

UNIT_TESTS += t/unit/test_bench_load
t_unit_test_bench_load_SOURCES = t/unit/test_bench_load.c
t_unit_test_bench_load_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
t_unit_test_bench_load_LDADD = $(lockstep_LDADD) $(CMOCKA_LIBS)
