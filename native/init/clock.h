// Wall time without libc.
#pragma once

#include <stdint.h>

#include "init/memory.h"

uint64_t wall_ns(void);
uint64_t monotonic_ms(void);

// Appends RFC 3339 in UTC with so many digits of a second (1 to 9): 2026-01-02T03:04:05.006Z with 3.
void text_add_time(struct text *text, uint64_t ns, unsigned digits);
