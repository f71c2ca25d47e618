# Figures: t/figures AREA starts what it needs and prints them. Not tests.
check_PROGRAMS += %D%/bench_send
t_bench_bench_send_SOURCES = %D%/bench_send.c t/storage/engine.c t/storage/engine.h
t_bench_bench_send_LDADD = libclient.la librpc.la libstorage.la $(LS_CORE_LIBS) \
	$(GRPC_LIBS) $(ZLIB_LIBS) $(OPENSSL_LIBS) $(PROTOBUF_C_LIBS) $(CMOCKA_LIBS)
$(t_bench_bench_send_OBJECTS): | gen/stamp
EXTRA_DIST += t/figures t/bench/figures/first-light.sh t/bench/figures/storage-lease.sh
check_PROGRAMS += %D%/bench_topology
t_bench_bench_topology_SOURCES = %D%/bench_topology.c $(TOPOLOGY_GENERATOR)
t_bench_bench_topology_LDADD = $(LS_CORE_LIBS) $(OPENSSL_LIBS) $(PROTOBUF_C_LIBS) $(ZLIB_LIBS) $(CMOCKA_LIBS)
$(t_bench_bench_topology_OBJECTS): | gen/stamp
EXTRA_DIST += t/bench/figures/topology.sh
check_PROGRAMS += %D%/bench_threads
t_bench_bench_threads_SOURCES = %D%/bench_threads.c t/storage/engine.c t/storage/engine.h
nodist_t_bench_bench_threads_SOURCES = gen/sql_catalogue_test.c
t_bench_bench_threads_LDADD = libstorage-core.la libbase.la $(CMOCKA_LIBS)
EXTRA_DIST += t/bench/figures/storage.sh
