# The mediator's rows: one program, run on each engine by a script.
check_PROGRAMS += %D%/test_rows
t_mediator_test_rows_SOURCES = %D%/test_rows.c t/storage/engine.c t/storage/engine.h
t_mediator_test_rows_LDADD = libmediator.la libstorage.la $(LS_CORE_LIBS) $(OPENSSL_LIBS) $(PROTOBUF_C_LIBS) $(ZLIB_LIBS) \
	$(CMOCKA_LIBS)
$(t_mediator_test_rows_OBJECTS): | gen/stamp
BLACKBOX_TESTS += %D%/sqlite.sh %D%/postgres.sh %D%/cutoff.sh %D%/takeover.sh %D%/timeout.sh
EXTRA_DIST += %D%/sqlite.sh %D%/postgres.sh %D%/cutoff.sh %D%/takeover.sh %D%/timeout.sh
