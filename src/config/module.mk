noinst_LTLIBRARIES += libconfig.la
libconfig_la_SOURCES = \
	%D%/check.c %D%/check.h \
	%D%/config.c %D%/config.h %D%/config_own.c %D%/config_table.h \
	%D%/expand.c \
	%D%/options.c %D%/options.h \
	%D%/report.c %D%/report.h \
	%D%/value.c %D%/value.h \
	%D%/yaml_tree.c %D%/yaml_tree.h
libconfig_la_CFLAGS = $(AM_CFLAGS) $(YAML_CFLAGS)
libconfig_la_LIBADD = libbase.la $(YAML_LIBS)

UNIT_TESTS += t/unit/test_config
t_unit_test_config_SOURCES = t/unit/test_config.c
t_unit_test_config_LDADD = libconfig.la libbase.la $(CMOCKA_LIBS)
