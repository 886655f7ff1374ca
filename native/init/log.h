// The container's log in CRI's format: `<RFC3339Nano> <stream> <F|P> <text>\n`, a line longer than LOG_LINE_MAX in
// parts marked P. A log that cannot be written never holds the container up: what is lost is counted.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX 16384

struct log_stream {
  const char *name;  // "stdout" or "stderr"
  size_t length;     // bytes of an unfinished line
  char *line;        // LOG_LINE_MAX bytes
};

void log_open(int fd, const char *path);
long log_reopen(void);  // opens the path anew first; on failure the old file stays and -errno comes back
void log_bytes(struct log_stream *stream, const char *bytes, size_t count);
void log_finish(struct log_stream *stream);  // at the end of a stream: writes what has no newline, marked P
void log_flush(void);
uint64_t log_dropped_bytes(void);
void log_release_memory(void);
