dist_man_MANS += %D%/lockstep.1 %D%/lockstep.yaml.5 %D%/lockstepd.8 %D%/liblockstep.3 %D%/lockstep-errors.7 \
	%D%/lockstep-db-doctor.1 %D%/lockstep-oracle.7

BLACKBOX_TESTS += t/blackbox/man.sh
EXTRA_DIST += t/blackbox/man.sh
