noinst_LTLIBRARIES += libmediator.la
libmediator_la_SOURCES = \
	%D%/core.c %D%/core.h \
	%D%/deadline.c %D%/deadline.h \
	%D%/dedup.c %D%/dedup.h \
	%D%/follow_runner.c \
	%D%/inbound.c %D%/inbound.h \
	%D%/mediator.h %D%/mediator_impl.h \
	%D%/mediator_runner.c \
	%D%/mediator_store.c %D%/mediator_store.h \
	%D%/outbox.c %D%/outbox.h \
	%D%/outbox_runner.c \
	%D%/request.c %D%/request.h \
	%D%/snapshot.c %D%/snapshot.h \
	%D%/tally.c %D%/tally.h \
	%D%/topology_runner.c \
	%D%/topology_snapshot.c %D%/topology_snapshot.h \
	%D%/verdict.c %D%/verdict.h
SQL_STATEMENTS += sql/statements/mediator.sql
SQL_MIGRATIONS += sql/postgres/0003-mediator.sql sql/sqlite/0003-mediator.sql sql/oracle/0003-mediator.sql

UNIT_TESTS += t/unit/test_tally t/unit/test_mediator_time
t_unit_test_tally_SOURCES = t/unit/test_tally.c
t_unit_test_tally_LDADD = libmediator.la libbase.la $(CMOCKA_LIBS)
t_unit_test_mediator_time_SOURCES = t/unit/test_mediator_time.c
t_unit_test_mediator_time_LDADD = libmediator.la libbase.la $(CMOCKA_LIBS)
UNIT_TESTS += t/unit/test_outbox t/unit/test_mediator_core
t_unit_test_mediator_core_SOURCES = t/unit/test_mediator_core.c t/unit/mediator_world.h
t_unit_test_mediator_core_LDADD = libmediator.la $(LS_CORE_LIBS) $(OPENSSL_LIBS) $(PROTOBUF_C_LIBS) $(ZLIB_LIBS) \
	$(CMOCKA_LIBS)
t_unit_test_outbox_SOURCES = t/unit/test_outbox.c
t_unit_test_outbox_LDADD = libmediator.la $(LS_CORE_LIBS) $(OPENSSL_LIBS) $(PROTOBUF_C_LIBS) $(ZLIB_LIBS) \
	$(CMOCKA_LIBS)

$(libmediator_la_OBJECTS) $(t_unit_test_outbox_OBJECTS) $(t_unit_test_mediator_core_OBJECTS): | gen/stamp

include t/mediator/module.mk
