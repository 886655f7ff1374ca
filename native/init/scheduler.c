// How the program is scheduled and where its memory comes from: attributes that survive exec.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

#define THIS_PROCESS 1        // IOPRIO_WHO_PROCESS; 0 as its id is the caller
#define AFFINITY_BYTES 1024   // 8192 processors, the most that Linux can be built for

void operation_setPersonality(const uint32_t *words) {
  check(sys(__NR_personality, words[0]), "personality", NULL);
}

// words[0]: mode and flags; the mask of nodes is as long as it is, the kernel counts in bits and one more.
void operation_setMemoryPolicy(const uint32_t *words) {
  unsigned long nodes[PATH_BYTES / sizeof(unsigned long)] = {0};
  if (words[2] > sizeof nodes) fail("set_mempolicy", -EINVAL, NULL);
  memcpy(nodes, text_at(words[1]), words[2]);
  const unsigned long bits = words[2] == 0 ? 0 : words[2] * 8ul + 1;
  check(sys(__NR_set_mempolicy, words[0], words[2] == 0 ? 0 : nodes, bits), "set_mempolicy", NULL);
}

void operation_setScheduler(const uint32_t *words) {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attributes = {.size = sizeof attributes,
                  .policy = words[0],
                  .nice = (int32_t)words[1],
                  .priority = words[2],
                  .flags = plan_wide(words + 3),
                  .runtime = plan_wide(words + 5),
                  .deadline = plan_wide(words + 7),
                  .period = plan_wide(words + 9)};
  check(sys(__NR_sched_setattr, 0, &attributes, 0), "sched_setattr", NULL);
}

void operation_setIoPriority(const uint32_t *words) {
  check(sys(__NR_ioprio_set, THIS_PROCESS, 0, words[0]), "ioprio_set", NULL);
}

void operation_setAffinity(const uint32_t *words) {
  check(sys(__NR_sched_setaffinity, 0, words[1], text_at(words[0])), "sched_setaffinity", NULL);
}

// The kernel keeps what the caller was bound to (taskset, an engine's own pinning) apart from the cpuset, and would go
// on applying it: asking for everything leaves the cpuset alone. A deadline task may not be moved, and stays.
void operation_resetAffinity(const uint32_t *words) {
  (void)words;
  uint8_t every[AFFINITY_BYTES];
  memset(every, 0xff, sizeof every);
  sys(__NR_sched_setaffinity, 0, sizeof every, every);
}
