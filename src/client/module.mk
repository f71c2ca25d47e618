# liblockstep: the client of a synchronizer.
noinst_LTLIBRARIES += libclient.la
libclient_la_SOURCES = \
	%D%/backoff.c %D%/backoff.h \
	%D%/call.c \
	%D%/chain.c %D%/chain.h \
	%D%/client.c %D%/client.h \
	%D%/client_impl.h \
	%D%/connect.c \
	%D%/download.c \
	%D%/endpoint.c \
	%D%/received.c %D%/received.h \
	%D%/send.c \
	%D%/stream.c \
	%D%/subscription.c

UNIT_TESTS += t/unit/test_client_chain
t_unit_test_client_chain_SOURCES = t/unit/test_client_chain.c
t_unit_test_client_chain_LDADD = libclient.la libcrypto-ls.la libbase.la $(CMOCKA_LIBS)

UNIT_TESTS += t/unit/test_client
t_unit_test_client_SOURCES = t/unit/test_client.c t/unit/fake_sequencer.h
t_unit_test_client_LDADD = libclient.la librpc.la libwire.la libcrypto-ls.la libproto.la libbase.la \
	$(GRPC_LIBS) $(ZLIB_LIBS) $(OPENSSL_LIBS) $(CMOCKA_LIBS)
