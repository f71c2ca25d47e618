/* check.h: what no single option can say: required ones, and those that contradict each other.
 * Private to config. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H
#include "config/config.h"

void check_config(struct config *c, struct config_report *report);
/* "sequencers.seq", "synchronizer.demo": where a node stands in the file. out holds 96. */
void check_node_path(const struct config_node *n, char *out);
#endif
