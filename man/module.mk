dist_man_MANS += %D%/lockstep.yaml.5
