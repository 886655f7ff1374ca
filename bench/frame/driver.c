// Runs programs one at a time for a benchmark and tells what each cost: posix_spawn to wait4, so that the figure
// holds no start-up of ours. It is the subreaper of what the programs leave behind.
//
//   in:  "run" TAB argument TAB … NEWLINE      out: wall ns, user+sys us, peak KiB, status
//   in:  "reap" TAB pid NEWLINE (an orphan)    out: wall ns, 0, 0, status
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(void) {
  char *line = NULL;
  size_t room = 0;
  posix_spawn_file_actions_t streams;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  posix_spawn_file_actions_init(&streams);
  posix_spawn_file_actions_addopen(&streams, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&streams, 1, "/dev/null", O_WRONLY, 0);
  while (getline(&line, &room, stdin) > 0) {
    char *arguments[256], *save = NULL;
    int count = 0, status = 0;
    struct rusage usage = {0};
    line[strcspn(line, "\n")] = '\0';
    for (char *word = strtok_r(line, "\t", &save); word && count < 255; word = strtok_r(NULL, "\t", &save))
      arguments[count++] = word;
    arguments[count] = NULL;
    const long long start = now_ns();
    pid_t pid = -1;
    if (count > 1 && strcmp(arguments[0], "run") == 0) {
      const int error = posix_spawnp(&pid, arguments[1], &streams, NULL, arguments + 1, environ);
      if (error != 0) {
        printf("0 0 0 %d\n", 1000 + error);
        fflush(stdout);
        continue;
      }
    } else if (count > 1) {
      pid = atoi(arguments[1]);
    }
    while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
    }
    const long long wall = now_ns() - start;
    const long long cpu = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    printf("%lld %lld %ld %d\n", wall, cpu, usage.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    fflush(stdout);
  }
  return 0;
}
