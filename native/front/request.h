#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text;

bool read_build(char *build, size_t size);
// False when it does not fit, or not all of it could be read.
bool write_request(struct text *text, const char *build);
