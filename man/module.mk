dist_man_MANS += %D%/lockstep.1 %D%/lockstep.yaml.5
