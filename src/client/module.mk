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
	%D%/pem.c %D%/pem.h \
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

# The public library. Only what begins with lockstep_ leaves it.
lib_LTLIBRARIES += liblockstep.la
liblockstep_la_SOURCES = %D%/lockstep.c include/lockstep/lockstep.h
liblockstep_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -export-symbols-regex '^lockstep_'
liblockstep_la_LIBADD = libclient.la librpc.la libwire.la libcrypto-ls.la libproto.la libbase.la \
	$(GRPC_LIBS) $(ZLIB_LIBS) $(OPENSSL_LIBS) $(PROTOBUF_C_LIBS)
lockstepincludedir = $(includedir)/lockstep
lockstepinclude_HEADERS = include/lockstep/lockstep.h
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = include/lockstep/lockstep.pc

UNIT_TESTS += t/unit/test_lockstep
t_unit_test_lockstep_SOURCES = t/unit/test_lockstep.c t/unit/fake_sequencer.h
t_unit_test_lockstep_LDADD = liblockstep.la librpc.la libwire.la libcrypto-ls.la libproto.la \
	libbase.la $(GRPC_LIBS) $(ZLIB_LIBS) $(OPENSSL_LIBS) $(CMOCKA_LIBS)
BLACKBOX_TESTS += t/blackbox/liblockstep.sh
EXTRA_DIST += t/blackbox/liblockstep.sh
