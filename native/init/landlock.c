// Landlock: the ruleset is made while its paths can be opened as root, and enforced at the very end.
#include "init/init.h"
#include "init/linux.h"
#include "init/path.h"
#include "init/syscall.h"

#define RULE_PATH_BENEATH 1
#define RULE_NET_PORT 2
#define PATH_MUST_EXIST 1

// An older kernel takes the longer structure as long as what it does not know is zero.
void operation_makeRuleset(const uint32_t *words) {
  const uint64_t handled[3] = {plan_wide(words), plan_wide(words + 2), plan_wide(words + 4)};
  self.ruleset = (int)check(sys(__NR_landlock_create_ruleset, handled, sizeof handled, 0), "landlock_create_ruleset", NULL);
}

// words: path, rights where it is a directory, rights where it is a file, flags.
void operation_allowPath(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const long parent = open_in_root(path, O_PATH, 0);
  if (parent == -ENOENT && (words[5] & PATH_MUST_EXIST) == 0) return;
  check(parent, "openat2", path);
  const bool directory = (mode_of((int)parent) & S_IFMT) == S_IFDIR;
  const struct {
    uint64_t allowed;
    int32_t parent;
  } __attribute__((packed)) rule = {plan_wide(words + (directory ? 1 : 3)), (int32_t)parent};
  if (rule.allowed != 0)
    check(sys(__NR_landlock_add_rule, self.ruleset, RULE_PATH_BENEATH, &rule, 0), "landlock_add_rule", path);
  sys(__NR_close, parent);
}

void operation_allowPort(const uint32_t *words) {
  const uint64_t rule[2] = {plan_wide(words), plan_wide(words + 2)};
  check(sys(__NR_landlock_add_rule, self.ruleset, RULE_NET_PORT, rule, 0), "landlock_add_rule", NULL);
}

void operation_restrictSelf(const uint32_t *words) {
  (void)words;
  check(sys(__NR_landlock_restrict_self, self.ruleset, 0), "landlock_restrict_self", NULL);
  sys(__NR_close, self.ruleset);
}
