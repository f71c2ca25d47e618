noinst_LTLIBRARIES += libmediator.la
libmediator_la_SOURCES = \
	%D%/mediator.h \
	%D%/tally.c %D%/tally.h

UNIT_TESTS += t/unit/test_tally
t_unit_test_tally_SOURCES = t/unit/test_tally.c
t_unit_test_tally_LDADD = libmediator.la libbase.la $(CMOCKA_LIBS)
