/* SPDX-License-Identifier: MIT
 *
 * Every bound of strobe in one place. Nothing that is read from a file, a socket or another process
 * may grow past one of these; what was refused or cut says which limit it met. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* ---- profiles read ---- */
#define LIMIT_PROFILE_BYTES       (8ull << 30) /* one inflated profile */
#define LIMIT_PROFILE_RATIO       256          /* inflated ÷ deflated size: beyond it is a bomb … */
#define LIMIT_PROFILE_RATIO_FROM  (256ull << 20) /* … once this many bytes came out */
#define LIMIT_PROFILE_STRINGS     (1u << 28)
#define LIMIT_PROFILE_TABLE       (1u << 28) /* samples, locations, functions, mappings, lines */
#define LIMIT_PROFILE_SAMPLE_TYPES 64
#define LIMIT_PROFILE_FRAMES      (1u << 28) /* locations of all samples of a foreign profile */
#define LIMIT_JSON_VALUES         (1u << 30) /* of one foreign profile */
#define LIMIT_STACK_DEPTH_READ    (1u << 20) /* locations of one sample of a foreign profile */

/* ---- the page ---- */
#define LIMIT_FLAME_NODES         (1u << 20) /* of a flame graph; lighter ones are put together */
#define LIMIT_PAGE_REFINEMENTS    64         /* in one address: focus, ignore … */
#define LIMIT_PAGE_LABEL_KEYS     64         /* offered as filters */
#define LIMIT_PAGE_LABEL_VALUES   200        /* of one key */

/* ---- sampling ---- */
#define LIMIT_HZ_MIN              1
#define LIMIT_HZ_MAX              10000
#define LIMIT_HZ_DEFAULT          100
#define LIMIT_COST_PPM_DEFAULT    10000 /* 1 %: STROBE_MAX_COST */
#define LIMIT_STACK_DEPTH         512 /* frames kept of one of our samples, root-most first */
#define LIMIT_UNWIND_STEPS        65536 /* frames that one walk visits */

#define LIMIT_CUSTOM_BITS         24   /* 2^24 places for the values of a program's own profile */
#define LIMIT_LABELS              32   /* of a thread at once */
#define LIMIT_LABELS_BYTES        1024 /* of their keys and values, with a byte behind each */
#define LIMIT_LABEL_VALUE         255  /* bytes; longer ones are cut */

#define LIMIT_HEAP_RATE_DEFAULT   524288 /* bytes allocated to a sample */
#define LIMIT_BLOCK_RATE_DEFAULT  10000 /* ns of waiting to a sample */
#define LIMIT_MUTEX_FRACTION_DEFAULT 100 /* contentions to a sample */
#define LIMIT_WAITING_THREADS     16384 /* that waits are counted of at once, a power of two */
#define LIMIT_HEAP_LIVE_BITS      24     /* 2^24 slots for sampled objects that are live */

/* ---- sampling from outside ---- */
#define LIMIT_PERF_RECORD         65536        /* one record of the kernel's */
#define LIMIT_PERF_STACK          63488        /* bytes of a stack copied with a sample */
#define LIMIT_PERF_RING           (8u << 20)   /* of one processor */
#define LIMIT_PERF_CHAIN          127          /* frames the kernel walks by itself */
#define LIMIT_TARGETS_ATTACHED    1024         /* processes given to -p */
#define LIMIT_IMAGE_SPAN          (64ull << 30) /* of a file's segments in memory */
#define LIMIT_PERF_MAP_BYTES      (1u << 30)   /* a /tmp/perf-PID.map */

/* ---- binaries read for symbols ---- */
#define LIMIT_ELF_BYTES           (64ull << 30)
#define LIMIT_ELF_HEADERS         (1u << 20) /* program headers; sections */
#define LIMIT_ELF_SYMBOLS         (1u << 27) /* of one table */
#define LIMIT_ELF_SECTION         (8ull << 30) /* one section, inflated */
#define LIMIT_ELF_DEBUGDATA       (256u << 20) /* the ELF file in .gnu_debugdata, inflated */
#define LIMIT_XZ_MEMORY           (128u << 20) /* for inflating it */
#define LIMIT_DIE_DEPTH           256        /* nesting of DWARF entries that is followed */
#define LIMIT_INLINE_DEPTH        128        /* frames of one address */
#define LIMIT_DWARF_ATTRIBUTES    1024       /* of one abbreviation */
#define LIMIT_DWARF_FILES         (1u << 20) /* of one line table */
#define LIMIT_DWARF_HOPS          16         /* from an entry to where its name is */
#define LIMIT_MANGLED_NAME        (1u << 13)
#define LIMIT_DEMANGLED_NAME      (1u << 16)
#define LIMIT_TOOL_OUTPUT         (1u << 30) /* of a program that is run for its text */

/* ---- recording ---- */
#define LIMIT_RECORD_IMAGES       (1u << 20) /* executed or forked */
#define LIMIT_RECORD_MODULES      (1u << 13) /* of one image */
#define LIMIT_RECORD_LABELS       (1u << 20) /* sets of labels, of all images */
#define LIMIT_RECORD_STACKS       (1u << 22) /* that differ, of all images */

/* ---- configuration and definitions ---- */
#define LIMIT_YAML_BYTES          (4u << 20)
#define LIMIT_YAML_DEPTH          64
#define LIMIT_YAML_NODES          (1u << 18)

/* ---- the server ---- */
#define LIMIT_INGEST_BYTES        (32u << 20)  /* one profile as it is sent or scraped */
#define LIMIT_INGEST_ALL_BYTES    (256u << 20) /* of all that are being received at once */
#define LIMIT_INGEST_PROFILE      (128u << 20) /* one profile, inflated */
#define LIMIT_INGEST_LABELS       64           /* of one series */
#define LIMIT_LABEL_BYTES         1024         /* a name or a value */
#define LIMIT_QUERY_IDS           1000         /* profiles asked for by id at once */
#define LIMIT_TREE_NODES          (1u << 16)   /* of a profile as JSON */
#define LIMIT_TARGETS             1000
#define LIMIT_SCRAPE_TRANSFERS    32 /* at once */

/* ---- the suite ---- */
#define LIMIT_SUITE_SAMPLE_MS     100        /* between looks at what a program uses, at first */
#define LIMIT_SUITE_SAMPLES       (1u << 13) /* of one run; longer ones are looked at less often */
#define LIMIT_SUITE_LINES         200        /* of its output that the page shows */
#define LIMIT_SUITE_LINE          (1u << 20) /* bytes of an event; a plan names every run */
#define LIMIT_RUN_POINTS          600        /* of the graph of one run */
#define LIMIT_RUNS                10000      /* of one list */

#define LIMIT_SOURCE_FUNCTIONS    50         /* of one page of sources */
#define LIMIT_SAVED_FUNCTIONS     200        /* whose source is in a saved page, by either cost */
#define LIMIT_SAVED_TEXT          (4u << 20) /* bytes of a report in a saved page */
#define LIMIT_SOURCE_LINES        20000      /* of one function */

/* ---- programs that the server runs ---- */
#define LIMIT_DOT_MS              20000       /* for drawing a call graph */
#define LIMIT_DOT_OUTPUT          (32u << 20) /* bytes of the drawing */
#define LIMIT_DOT_MEMORY          (2ull << 30)
#define LIMIT_DOT_NODES           1000 /* functions of one drawing */

/* ---- the store ---- */
#define LIMIT_STORE_QUEUE         4096         /* profiles that wait for the disk */
#define LIMIT_STORE_LIST          100000       /* profiles of one list */
#define LIMIT_STORE_BUCKETS       11000        /* of one timeline */
#define LIMIT_STORE_SAMPLES       (1u << 24)   /* of one profile that is stored */
#define LIMIT_STORE_SECTION       (1u << 28)   /* bytes of one section of a block, inflated */
#define LIMIT_STORE_BLOCK_SAMPLES (1u << 20)   /* of a block, unless one profile has more */
#define LIMIT_STORE_LABELS        64           /* of a series */
#define LIMIT_STORE_LABEL_BYTES   4096         /* name or value of a label */
#define LIMIT_STORE_COMMENTS      1000         /* of a merged profile */
#define LIMIT_STORE_TEXT          (1u << 24)   /* bytes of a run's metrics, of a setting */

/* ---- regular expressions ---- */
#define LIMIT_REGEX_DEPTH         1000 /* nested parentheses, as in Go */

#endif
