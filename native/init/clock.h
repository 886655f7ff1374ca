// Wall time without libc.
#pragma once

#include <stdint.h>

#include "init/memory.h"

uint64_t wall_ns(void);
uint64_t monotonic_ms(void);

// Appends RFC 3339 in UTC with nine digits: 2026-01-02T03:04:05.000000006Z
void text_add_time(struct text *text, uint64_t ns);
