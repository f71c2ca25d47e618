# A small, real participant.
noinst_LTLIBRARIES += libparticipant.la
libparticipant_la_SOURCES = \
	%D%/participant.c %D%/participant.h \
	%D%/participant_commands.c \
	%D%/participant_commit.c \
	%D%/participant_events.c \
	%D%/participant_impl.h \
	%D%/participant_runner.c \
	%D%/participant_service.c \
	%D%/participant_store.c \
	%D%/participant_streams.c \
	%D%/submit.c %D%/submit.h
SQL_STATEMENTS += sql/statements/participant.sql
SQL_MIGRATIONS += sql/postgres/0004-participant.sql sql/sqlite/0004-participant.sql sql/oracle/0004-participant.sql

UNIT_TESTS += t/unit/test_submit
t_unit_test_submit_SOURCES = t/unit/test_submit.c
t_unit_test_submit_LDADD = libparticipant.la libwire.la libcrypto-ls.la libproto.la libbase.la \
	$(ZLIB_LIBS) $(OPENSSL_LIBS) $(CMOCKA_LIBS)
