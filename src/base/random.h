/* random.h: bytes from the kernel's generator. Threads: any. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H
#include <stddef.h>
#include <stdint.h>

/* Aborts when the kernel has none: nothing safe can follow. */
void random_bytes(void *out, size_t len);
uint64_t random_below(uint64_t bound); /* 0 .. bound - 1, without bias; bound > 0 */
#define UUID_TEXT_LEN 37
void random_uuid(char *out); /* version 4, lower case; out holds UUID_TEXT_LEN */
#endif
