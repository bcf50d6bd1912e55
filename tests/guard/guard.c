/* Memory for tensors that ends where nothing may be read.
 *
 * Loaded before everything else, it answers posix_memalign, of which PyTorch makes every tensor on
 * the CPU. Each block ends at a page that cannot be touched, begins after bytes that are NaN as
 * numbers, is itself full of them, and is never handed out again: whoever reads past a tensor, or
 * one that is freed, stops with a segmentation fault; whoever reads before it, or reads what was
 * never written, computes NaN. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define REGION (1UL << 42) /* addresses, not memory: none is used twice */
#define LARGEST_ALIGNMENT 64UL

extern void __libc_free(void *);
extern void *__libc_realloc(void *, size_t);

static _Atomic(uintptr_t) start;  /* of the region */
static _Atomic(uintptr_t) next;   /* the first address that is still free */
static _Atomic(size_t) blocks;    /* how many were handed out */

static uintptr_t region(void) {
    uintptr_t known = atomic_load(&start);
    if (known) return known;
    void *made = mmap(NULL, REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED) abort();
    uintptr_t expected = 0;
    if (!atomic_compare_exchange_strong(&start, &expected, (uintptr_t)made)) {
        munmap(made, REGION);
        return expected;
    }
    atomic_store(&next, (uintptr_t)made);
    return (uintptr_t)made;
}

static int is_ours(void *block) {
    uintptr_t from = atomic_load(&start);
    return from && (uintptr_t)block >= from && (uintptr_t)block < from + REGION;
}

/* The pages of a block follow one that holds how many bytes they are. */
static size_t *header(void *block) {
    uintptr_t page = (uintptr_t)block / PAGE * PAGE;
    return (size_t *)(page - PAGE);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    (void)alignment; /* at most what lets the block end at a page */
    size_t pages = size ? (size + PAGE - 1) / PAGE * PAGE : PAGE;
    uintptr_t from = region();
    while (!atomic_load(&next)) { }
    uintptr_t first = atomic_fetch_add(&next, pages + 2 * PAGE);
    if (first + pages + 2 * PAGE > from + REGION) abort();
    if (mprotect((void *)first, pages + PAGE, PROT_READ | PROT_WRITE)) return ENOMEM;
    uintptr_t data = first + PAGE, block = data + pages - size;
    if (!size) block = data;
    memset((void *)data, 0xFF, pages);
    *(size_t *)first = pages;
    atomic_fetch_add(&blocks, 1);
    *result = (void *)block;
    return 0;
}

void free(void *block) {
    if (!is_ours(block)) {
        __libc_free(block);
        return;
    }
    size_t *head = header(block);
    size_t length = *head + PAGE;
    madvise(head, length, MADV_DONTNEED);
    mprotect(head, length, PROT_NONE);
}

void *realloc(void *block, size_t size) {
    if (!is_ours(block)) return __libc_realloc(block, size);
    size_t *head = header(block);
    size_t there = (uintptr_t)head + PAGE + *head - (uintptr_t)block;
    void *made = malloc(size);
    if (made) memcpy(made, block, there < size ? there : size);
    free(block);
    return made;
}

size_t guarded_blocks(void) { return atomic_load(&blocks); }
