# Faults: processes that are killed, and clients that keep records.
check_PROGRAMS += t/fault/sender
t_fault_sender_SOURCES = t/fault/sender.c
t_fault_sender_LDADD = libclient.la librpc.la $(LS_CORE_LIBS) \
	$(GRPC_LIBS) $(ZLIB_LIBS) $(OPENSSL_LIBS) $(PROTOBUF_C_LIBS)
BLACKBOX_TESTS += t/fault/kill9-sqlite.sh t/fault/kill9-postgres.sh t/fault/chaos.sh t/fault/chaos-oracle.sh t/fault/history.sh
# Run by ./check in a build with --enable-failpoints.
EXTRA_DIST += t/fault/failpoints.sh t/fault/README
EXTRA_DIST += t/fault/chaos.sh t/fault/chaos-oracle.sh t/fault/history.sh t/fault/kill9.sh t/fault/kill9-sqlite.sh t/fault/kill9-postgres.sh
