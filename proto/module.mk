# The wire: our .proto files, rewritten for protobuf-c (rewrite.awk says how), one C file each.
PROTOS = admin_crypto_v30 admin_health_v30 admin_mediator_v30 admin_pruning_v30 \
	admin_sequencer_v30 admin_time_v30 admin_topology_v30 connection_v30 crypto_admin_v30 \
	crypto_v30 google_rpc grpc_health_v1 lockstep_admin_v1 lockstep_participant_v1 \
	mediator_admin_v30 protocol_v30 protocol_v31 sequencer_admin_v30 sequencer_api_v30 \
	synchronizer_protocol_v30 synchronizer_v30 time_admin_v30 topology_admin_v30 v30 version_v1
PROTO_WELLKNOWN = any duration empty timestamp
EXTRA_DIST += $(PROTOS:%=proto/%.proto) proto/rewrite.awk

noinst_LTLIBRARIES += libproto.la
nodist_libproto_la_SOURCES = \
	gen/admin_crypto_v30.pb-c.c \
	gen/admin_health_v30.pb-c.c \
	gen/admin_mediator_v30.pb-c.c \
	gen/admin_pruning_v30.pb-c.c \
	gen/admin_sequencer_v30.pb-c.c \
	gen/admin_time_v30.pb-c.c \
	gen/admin_topology_v30.pb-c.c \
	gen/connection_v30.pb-c.c \
	gen/crypto_admin_v30.pb-c.c \
	gen/crypto_v30.pb-c.c \
	gen/google_rpc.pb-c.c \
	gen/grpc_health_v1.pb-c.c \
	gen/lockstep_admin_v1.pb-c.c \
	gen/lockstep_participant_v1.pb-c.c \
	gen/mediator_admin_v30.pb-c.c \
	gen/protocol_v30.pb-c.c \
	gen/protocol_v31.pb-c.c \
	gen/sequencer_admin_v30.pb-c.c \
	gen/sequencer_api_v30.pb-c.c \
	gen/synchronizer_protocol_v30.pb-c.c \
	gen/synchronizer_v30.pb-c.c \
	gen/time_admin_v30.pb-c.c \
	gen/topology_admin_v30.pb-c.c \
	gen/v30.pb-c.c \
	gen/version_v1.pb-c.c \
	gen/google/protobuf/any.pb-c.c \
	gen/google/protobuf/duration.pb-c.c \
	gen/google/protobuf/empty.pb-c.c \
	gen/google/protobuf/timestamp.pb-c.c
libproto_la_CFLAGS = -std=gnu11 -O2 -fdata-sections -ffunction-sections $(PROTOBUF_C_CFLAGS)
libproto_la_LIBADD = $(PROTOBUF_C_LIBS)
BUILT_SOURCES += gen/stamp
CLEANFILES += $(PROTOS:%=gen/in/%.proto) gen/stamp $(nodist_libproto_la_SOURCES) $(nodist_libproto_la_SOURCES:.c=.h)

$(nodist_libproto_la_SOURCES): gen/stamp
	@test -f $@ || { rm -f gen/stamp; $(MAKE) $(AM_MAKEFLAGS) gen/stamp; }
gen/stamp: $(PROTOS:%=$(srcdir)/proto/%.proto) $(srcdir)/proto/rewrite.awk
	$(AM_V_GEN)rm -rf gen/in && $(MKDIR_P) gen/in
	$(AM_V_at)for p in $(PROTOS); do \
	  $(AWK) -f $(srcdir)/proto/rewrite.awk $(srcdir)/proto/$$p.proto > gen/in/$$p.proto || exit 1; done
	$(AM_V_at)$(PROTOC_C) -Igen/in -I$(PROTO_INCLUDE) --c_out=gen \
	  $(PROTOS:%=gen/in/%.proto) $(PROTO_WELLKNOWN:%=$(PROTO_INCLUDE)/google/protobuf/%.proto)
	$(AM_V_at)touch $@

# Skipped where the table of the wire is not at hand (LOCKSTEP_SPEC).
BLACKBOX_TESTS += t/unit/proto_fields.py
EXTRA_DIST += t/unit/proto_fields.py
