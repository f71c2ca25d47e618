# Samples, installed beside where the configuration is looked for; t/blackbox/config.sh checks each.
sampledir = $(sysconfdir)/lockstep
dist_sample_DATA = %D%/postgresql-a.yaml %D%/postgresql-b.yaml %D%/quickstart.yaml
