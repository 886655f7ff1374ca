// Takes a container's groups and its state directory away. By descriptors alone: no link is followed.
#include <stddef.h>

#include "front/front.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

#define DEPTH_MAX 32
#define TYPE_DIRECTORY 4

typedef void visitor(int directory, const struct directory_entry *entry, int depth);

static void each_entry(int directory, int depth, visitor *visit) {
  _Alignas(struct directory_entry) char entries[2048];
  if (depth > DEPTH_MAX) hand_on();
  for (long length; (length = sys(__NR_getdents64, directory, entries, sizeof entries)) != 0;) {
    if (length < 0) hand_on();
    for (long at = 0; at < length;) {
      const struct directory_entry *entry = (const struct directory_entry *)(entries + at);
      at += entry->length;
      if (!same_text(entry->name, ".") && !same_text(entry->name, "..")) visit(directory, entry, depth);
    }
  }
}

static long open_directory(int parent, const char *name) {
  return sys(__NR_openat, parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void remove_below(int parent, const char *name, int depth, visitor *visit) {
  const long fd = open_directory(parent, name);
  if (fd == -ENOENT) return;
  if (fd < 0) hand_on();
  each_entry((int)fd, depth, visit);
  sys(__NR_close, fd);
}

// A group goes with rmdir alone: its files are the kernel's. What still lives in one is Node's to end.
static void remove_groups(int parent, const char *name, int depth);

static void visit_group(int directory, const struct directory_entry *entry, int depth) {
  if (entry->type == TYPE_DIRECTORY) remove_groups(directory, entry->name, depth + 1);
}

static void remove_groups(int parent, const char *name, int depth) {
  long removed = sys(__NR_unlinkat, parent, name, AT_REMOVEDIR);
  if (removed == -EBUSY || removed == -ENOTEMPTY) {
    remove_below(parent, name, depth, visit_group);
    removed = sys(__NR_unlinkat, parent, name, AT_REMOVEDIR);
  }
  if (removed < 0 && removed != -ENOENT) hand_on();
}

void remove_group(const char *path) { remove_groups(AT_FDCWD, path, 0); }

static void visit_file(int directory, const struct directory_entry *entry, int depth) {
  if (depth == 0 && same_text(entry->name, "state.json")) return;
  const bool is_directory = entry->type == TYPE_DIRECTORY;
  if (is_directory) remove_below(directory, entry->name, depth + 1, visit_file);
  const long removed = sys(__NR_unlinkat, directory, entry->name, is_directory ? AT_REMOVEDIR : 0);
  if (removed < 0 && removed != -ENOENT) hand_on();
}

static const char *allowed;
static bool has_other;

static void visit_name(int directory, const struct directory_entry *entry, int depth) {
  (void)directory, (void)depth;
  if (!same_text(entry->name, allowed)) has_other = true;
}

bool is_empty_but(int directory, const char *name) {
  allowed = name;
  has_other = false;
  each_entry(directory, 0, visit_name);
  return !has_other;
}

// The record goes last: as long as it is there, whoever comes next can finish this.
void remove_state(void) {
  each_entry(front.state_fd, 0, visit_file);
  if (sys(__NR_unlinkat, front.state_fd, "state.json", 0) < 0) hand_on();
  if (sys(__NR_unlinkat, front.root_fd, front.id, AT_REMOVEDIR) < 0) hand_on();
}
