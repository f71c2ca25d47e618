# Fuzz harnesses: replayed over their corpus in make check; with a fuzzer, build one with
# clang -fsanitize=fuzzer,address and without replay.c.
FUZZ_WIRE = t/fuzz/fuzz_event t/fuzz/fuzz_informee_tree t/fuzz/fuzz_message t/fuzz/fuzz_precheck \
	t/fuzz/fuzz_recipients t/fuzz/fuzz_signed_content t/fuzz/fuzz_submission t/fuzz/fuzz_topology_tx
UNIT_TESTS += $(FUZZ_WIRE)
EXTRA_DIST += %D%/corpus

t_fuzz_fuzz_event_SOURCES = %D%/fuzz_event.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_event_LDADD = $(t_unit_test_wire_LDADD)
$(t_fuzz_fuzz_event_OBJECTS): | gen/stamp
t_fuzz_fuzz_informee_tree_SOURCES = %D%/fuzz_informee_tree.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_informee_tree_LDADD = $(t_unit_test_wire_LDADD)
$(t_fuzz_fuzz_informee_tree_OBJECTS): | gen/stamp
t_fuzz_fuzz_message_SOURCES = %D%/fuzz_message.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_message_LDADD = $(t_unit_test_wire_LDADD)
$(t_fuzz_fuzz_message_OBJECTS): | gen/stamp
t_fuzz_fuzz_precheck_SOURCES = %D%/fuzz_precheck.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_precheck_LDADD = $(t_unit_test_wire_LDADD)
$(t_fuzz_fuzz_precheck_OBJECTS): | gen/stamp
t_fuzz_fuzz_recipients_SOURCES = %D%/fuzz_recipients.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_recipients_LDADD = $(t_unit_test_wire_LDADD)
t_fuzz_fuzz_signed_content_SOURCES = %D%/fuzz_signed_content.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_signed_content_LDADD = $(t_unit_test_wire_LDADD)
t_fuzz_fuzz_submission_SOURCES = %D%/fuzz_submission.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_submission_LDADD = $(t_unit_test_wire_LDADD)
t_fuzz_fuzz_topology_tx_SOURCES = %D%/fuzz_topology_tx.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_topology_tx_LDADD = $(t_unit_test_wire_LDADD)
$(t_fuzz_fuzz_topology_tx_OBJECTS): | gen/stamp
UNIT_TESTS += t/fuzz/fuzz_config
t_fuzz_fuzz_config_SOURCES = %D%/fuzz_config.c %D%/fuzz.h %D%/replay.c
t_fuzz_fuzz_config_LDADD = libconfig.la libbase.la
