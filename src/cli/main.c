#include <stdio.h>

#include "cli/cli.h"
#include "storage/db.h"

int main(int argc, char **argv)
{
    db_process_init();
    return cli_main(argc, argv, stdout, stderr);
}
