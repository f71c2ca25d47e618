# liblockstep: the client of a synchronizer.
noinst_LTLIBRARIES += libclient.la
libclient_la_SOURCES = \
	%D%/backoff.c %D%/backoff.h \
	%D%/chain.c %D%/chain.h \
	%D%/client.h

UNIT_TESTS += t/unit/test_client_chain
t_unit_test_client_chain_SOURCES = t/unit/test_client_chain.c
t_unit_test_client_chain_LDADD = libclient.la libcrypto-ls.la libbase.la $(CMOCKA_LIBS)
