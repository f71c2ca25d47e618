noinst_LTLIBRARIES += libmediator.la
libmediator_la_SOURCES = \
	%D%/deadline.c %D%/deadline.h \
	%D%/dedup.c %D%/dedup.h \
	%D%/mediator.h \
	%D%/tally.c %D%/tally.h

UNIT_TESTS += t/unit/test_tally t/unit/test_mediator_time
t_unit_test_tally_SOURCES = t/unit/test_tally.c
t_unit_test_tally_LDADD = libmediator.la libbase.la $(CMOCKA_LIBS)
t_unit_test_mediator_time_SOURCES = t/unit/test_mediator_time.c
t_unit_test_mediator_time_LDADD = libmediator.la libbase.la $(CMOCKA_LIBS)
