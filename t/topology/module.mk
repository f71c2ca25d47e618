# Topology: a generator of transactions of every mapping, and the tests that live on it.
TOPOLOGY_GENERATOR = %D%/generator.c %D%/generator.h %D%/make.h
UNIT_TESTS += t/unit/test_topology_order
t_unit_test_topology_order_SOURCES = t/unit/test_topology_order.c $(TOPOLOGY_GENERATOR)
t_unit_test_topology_order_CFLAGS = $(t_unit_test_topology_CFLAGS)
t_unit_test_topology_order_LDADD = $(t_unit_test_topology_LDADD)
$(t_unit_test_topology_order_OBJECTS): | gen/stamp
UNIT_TESTS += t/unit/test_topology_table
t_unit_test_topology_table_SOURCES = t/unit/test_topology_table.c %D%/cast.c %D%/cast.h %D%/make.h \
	%D%/worlds.c %D%/worlds.h
t_unit_test_topology_table_CFLAGS = $(t_unit_test_topology_CFLAGS)
t_unit_test_topology_table_LDADD = $(t_unit_test_topology_LDADD)
$(t_unit_test_topology_table_OBJECTS): | gen/stamp
UNIT_TESTS += t/unit/test_topology_mapping
t_unit_test_topology_mapping_SOURCES = t/unit/test_topology_mapping.c %D%/make.h
t_unit_test_topology_mapping_CFLAGS = $(t_unit_test_topology_CFLAGS)
t_unit_test_topology_mapping_LDADD = $(t_unit_test_topology_LDADD)
$(t_unit_test_topology_mapping_OBJECTS): | gen/stamp
check_PROGRAMS += t/topology/generate
t_topology_generate_SOURCES = %D%/generate.c $(TOPOLOGY_GENERATOR)
t_topology_generate_LDADD = $(t_bench_bench_topology_LDADD)
$(t_topology_generate_OBJECTS): | gen/stamp
check_PROGRAMS += t/topology/bulk
t_topology_bulk_SOURCES = %D%/bulk.c %D%/make.h
t_topology_bulk_LDADD = $(t_bench_bench_topology_LDADD)
$(t_topology_bulk_OBJECTS): | gen/stamp
UNIT_TESTS += t/unit/test_topology_bad
t_unit_test_topology_bad_SOURCES = t/unit/test_topology_bad.c %D%/make.h
t_unit_test_topology_bad_CFLAGS = $(t_unit_test_topology_CFLAGS)
t_unit_test_topology_bad_LDADD = $(t_unit_test_topology_LDADD)
$(t_unit_test_topology_bad_OBJECTS): | gen/stamp
check_PROGRAMS += t/topology/verify
t_topology_verify_SOURCES = %D%/verify.c %D%/make.h
t_topology_verify_LDADD = $(t_bench_bench_topology_LDADD)
$(t_topology_verify_OBJECTS): | gen/stamp
UNIT_TESTS += t/unit/test_topology_time
t_unit_test_topology_time_SOURCES = t/unit/test_topology_time.c %D%/cast.c %D%/cast.h %D%/make.h \
	%D%/worlds.c %D%/worlds.h
t_unit_test_topology_time_CFLAGS = $(t_unit_test_topology_CFLAGS)
t_unit_test_topology_time_LDADD = $(t_unit_test_topology_LDADD)
$(t_unit_test_topology_time_OBJECTS): | gen/stamp
