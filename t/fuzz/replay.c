/* replay.c: runs a fuzz harness over its corpus in `make check`, without a fuzzer: every input,
 * each of its prefixes, and each of its bytes changed in three ways. The corpus of program fuzz_x
 * lies in t/fuzz/corpus/x; inputs that once crashed stay there. */
#ifndef LS_FUZZER /* it brings a main of its own */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUTATE_MAX 4096 /* longer inputs run as they are */

static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1); /* exact, so that a sanitizer sees overreads */

    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_all(uint8_t *data, size_t size)
{
    static const uint8_t flips[] = {0x01, 0x80, 0xff};

    run(data, size);
    if (size > MUTATE_MAX)
        return;
    for (size_t i = 0; i < size; i++) {
        run(data, i);
        for (size_t j = 0; j < sizeof(flips); j++) {
            data[i] ^= flips[j];
            run(data, size);
            data[i] ^= flips[j];
        }
    }
}

static int run_file(const char *path)
{
    struct buffer b = BUFFER_INIT;
    FILE *f = fopen(path, "rb");
    char block[4096];
    size_t n;

    if (!f)
        return 1;
    while ((n = fread(block, 1, sizeof(block), f)) > 0)
        buffer_append(&b, block, n);
    fclose(f);
    if (b.failed)
        return 1;
    run_all(b.data ? b.data : (uint8_t *)block, b.len);
    buffer_free(&b);
    return 0;
}

int main(int argc, char **argv)
{
    const char *src = getenv("srcdir"), *name = argc > 0 ? strstr(argv[0], "fuzz_") : NULL;
    struct buffer path = BUFFER_INIT;
    struct dirent *entry;
    int files = 0, bad = 0;
    DIR *dir;

    for (int i = 1; i < argc; i++)
        bad += run_file(argv[i]);
    if (argc > 1)
        return bad > 0;
    buffer_printf(&path, "%s/t/fuzz/corpus/%s", src ? src : ".", name ? name + 5 : "");
    dir = opendir(buffer_cstr(&path));
    while (dir && (entry = readdir(dir))) {
        struct buffer file = BUFFER_INIT;

        if (entry->d_name[0] == '.')
            continue;
        buffer_printf(&file, "%s/%s", buffer_cstr(&path), entry->d_name);
        bad += run_file(buffer_cstr(&file));
        files++;
        buffer_free(&file);
    }
    if (dir)
        closedir(dir);
    printf("%s: %d files\n", buffer_cstr(&path), files);
    buffer_free(&path);
    return files == 0 || bad > 0;
}
#endif
