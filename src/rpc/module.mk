# gRPC core behind our own interface. The only code that includes <grpc/...>.
noinst_LTLIBRARIES += librpc.la
librpc_la_SOURCES = \
	%D%/channel.c %D%/client_call.c %D%/client.h %D%/client_core.h \
	%D%/core.h \
	%D%/health.c %D%/health.h \
	%D%/loop.c %D%/loop.h \
	%D%/server.c %D%/server_call.c %D%/server.h %D%/server_core.h \
	%D%/status.c %D%/status.h \
	%D%/tls.c %D%/tls.h \
	%D%/trace.c %D%/trace.h
librpc_la_LIBADD = $(GRPC_LIBS) $(OPENSSL_LIBS)

RPC_TEST_LIBS = librpc.la libbase.la $(GRPC_LIBS) $(OPENSSL_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += t/unit/test_rpc t/unit/test_rpc_stream t/unit/test_rpc_tls
t_unit_test_rpc_SOURCES = t/unit/test_rpc.c t/unit/rpc_fixture.h
t_unit_test_rpc_LDADD = $(RPC_TEST_LIBS)
t_unit_test_rpc_stream_SOURCES = t/unit/test_rpc_stream.c t/unit/rpc_fixture.h
t_unit_test_rpc_stream_LDADD = $(RPC_TEST_LIBS)
t_unit_test_rpc_tls_SOURCES = t/unit/test_rpc_tls.c t/unit/rpc_fixture.h
t_unit_test_rpc_tls_LDADD = $(RPC_TEST_LIBS)

check_PROGRAMS += t/bench/bench_rpc
t_bench_bench_rpc_SOURCES = t/bench/bench_rpc.c
t_bench_bench_rpc_LDADD = librpc.la libbase.la $(GRPC_LIBS) $(OPENSSL_LIBS)

# Another implementation against ours; skipped without python3-grpcio.
check_PROGRAMS += t/rpc/peer
t_rpc_peer_SOURCES = t/rpc/peer.c
t_rpc_peer_LDADD = librpc.la libbase.la $(GRPC_LIBS) $(OPENSSL_LIBS)
BLACKBOX_TESTS += t/rpc/interop.py
EXTRA_DIST += t/rpc/interop.py t/tsan.supp
