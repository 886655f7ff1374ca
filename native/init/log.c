#include "init/log.h"

#include "init/clock.h"
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/path.h"
#include "init/process.h"
#include "init/syscall.h"

#define BATCH_BYTES 32768
#define PREFIX_BYTES 64

static int file = -1;
static char file_path[PATH_BYTES];
static char batch[BATCH_BYTES + LOG_LINE_MAX + PREFIX_BYTES] __attribute__((aligned(4096)));
static size_t batched;
static uint64_t dropped;

// A FIFO or a device put in the log's place would stop whoever writes to it, and with the monitor all that it does.
static long open_regular(const char *path) {
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const long opened = sys(__NR_openat, AT_FDCWD, path, flags, 0640);
  if (opened == -ENXIO) return -EINVAL;  // a FIFO that nobody reads
  if (opened < 0 || (mode_of((int)opened) & S_IFMT) == S_IFREG) return opened;
  sys(__NR_close, opened);
  return -EINVAL;
}

void operation_openLogFile(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const long opened = open_regular(path);
  if (opened == -EINVAL) fail("log: not a regular file", opened, path);
  self.slots[words[1]] = (int)check(opened, "open log", path);
}

void log_open(int fd, const char *path) {
  struct text text = {file_path, sizeof file_path, 0};
  text_add(&text, path);
  file = fd;
}

long log_reopen(void) {
  if (file < 0) return -EBADF;
  log_flush();
  const long opened = open_regular(file_path);
  if (opened < 0) return opened;
  sys(__NR_close, file);
  file = (int)opened;
  return 0;
}

void log_flush(void) {
  size_t written = 0;
  while (written < batched) {
    const long count = sys(__NR_write, file, batch + written, batched - written);
    if (count == -EINTR) continue;
    if (count <= 0) break;
    written += (size_t)count;
  }
  dropped += batched - written;
  batched = 0;
}

static void log_line(const char *stream, char tag, const char *line, size_t length) {
  if (file < 0) return;
  if (batched >= BATCH_BYTES) log_flush();
  struct text text = {batch + batched, sizeof batch - batched, 0};
  text_add_time(&text, wall_ns(), 9);
  text_add(&text, " ");
  text_add(&text, stream);
  text_add_count(&text, tag == 'F' ? " F " : " P ", 3);
  memcpy(text.at + text.length, line, length);
  text.at[text.length + length] = '\n';
  batched += text.length + length + 1;
}

// Whole lines go straight from the read; only an unfinished one is kept.
void log_bytes(struct log_stream *stream, const char *bytes, size_t count) {
  size_t start = 0;
  for (size_t i = 0; i < count; i++) {
    const bool newline = bytes[i] == '\n';
    const size_t length = i - start + (newline ? 0 : 1);
    if (!newline && stream->length + length < LOG_LINE_MAX) continue;
    if (stream->length > 0) {
      memcpy(stream->line + stream->length, bytes + start, length);
      log_line(stream->name, newline ? 'F' : 'P', stream->line, stream->length + length);
    } else {
      log_line(stream->name, newline ? 'F' : 'P', bytes + start, length);
    }
    stream->length = 0;
    start = i + 1;
  }
  memcpy(stream->line + stream->length, bytes + start, count - start);
  stream->length += count - start;
}

void log_finish(struct log_stream *stream) {
  if (stream->length > 0) log_line(stream->name, 'P', stream->line, stream->length);
  stream->length = 0;
}

uint64_t log_dropped_bytes(void) { return dropped; }

void log_release_memory(void) { sys(__NR_madvise, batch, sizeof batch & ~4095ul, 4 /* MADV_DONTNEED */); }
