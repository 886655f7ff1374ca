// How a container ended, and the record of it that outlives the monitor.
#include "init/init.h"
#include "init/linux.h"
#include "init/clock.h"
#include "init/memory.h"
#include "init/monitor.h"
#include "init/process.h"
#include "init/syscall.h"

#define EXITED_NORMALLY 1  // CLD_EXITED

// The counter `oom_kill` of memory.oom_control (v1) or memory.events (v2), at the start of a line.
static uint32_t read_oom_kills(int file) {
  char text[512];
  const long length = file < 0 ? -1 : sys(__NR_pread64, file, text, sizeof text - 1, 0);
  if (length <= 0) return 0;
  text[length] = '\0';
  for (const char *line = text; line != NULL; line = find_char(line, '\n')) {
    if (*line == '\n') line++;
    if (memcmp(line, "oom_kill ", 9) != 0) continue;
    uint32_t kills = 0;
    for (const char *digit = line + 9; *digit >= '0' && *digit <= '9'; digit++) kills = kills * 10 + (uint32_t)(*digit - '0');
    return kills;
  }
  return 0;
}

void operation_emptyAtEnd(const uint32_t *words) { self.rest = slot_fd(words[0]); }

// Without a pid namespace of its own the kernel ends nobody with a container's first process.
static void empty_rest(void) {
  if (self.rest >= 0) sys(__NR_write, self.rest, "1", 1);
}

struct exit_facts exit_facts_of(int pidfd, int oom_file) {
  struct wait_facts wait = {0};
  sys(__NR_waitid, P_PIDFD, pidfd, &wait, WEXITED | __WALL, 0);
  struct exit_facts facts = {.finished_ns = wall_ns(), .oom_kills = read_oom_kills(oom_file)};
  facts.signal = wait.code == EXITED_NORMALLY ? 0 : (uint32_t)wait.status & 0x7f;
  empty_rest();
  facts.code = facts.signal == 0 ? (uint32_t)wait.status & 0xff : 128 + facts.signal;
  return facts;
}

long exit_record(const struct exit_facts *facts) {
  char record[256];
  struct text text = {record, sizeof record, 0};
  text_add(&text, "{\"version\":1,\"exitCode\":");
  text_add_number(&text, facts->code);
  text_add(&text, ",\"signal\":");
  text_add_number(&text, facts->signal);
  text_add(&text, ",\"oomKills\":");
  text_add_number(&text, facts->oom_kills);
  text_add(&text, ",\"finishedAtNs\":\"");
  text_add_padded(&text, facts->finished_ns, 1);
  text_add(&text, "\"}\n");
  return try_write_record(monitor.directory, "exit.json", record, text.length);
}
