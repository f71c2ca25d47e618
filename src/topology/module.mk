EXTRA_DIST += %D%/genesis.h %D%/identity.h %D%/mapping.h %D%/onboarding.h %D%/parameters.h \
	%D%/snapshot.h %D%/topology.h
