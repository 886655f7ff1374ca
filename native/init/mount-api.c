// The new mount API: one call each, in the shape the operations use it.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/mount.h"
#include "init/syscall.h"

long move_mount_to(int mount, int target) {
  return sys(__NR_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

long set_attributes(int mount, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation) {
  struct mount_attr attributes = {.attr_set = set, .attr_clr = clear, .propagation = propagation};
  const uint32_t flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  return sys(__NR_mount_setattr, mount, "", flags, &attributes, sizeof attributes);
}

// An option is "key=value" or a bare flag.
static long configure(int context, const char *option) {
  char key[64];
  struct text text = {key, sizeof key, 0};
  const char *equals = find_char(option, '=');
  if (equals == NULL) return sys(__NR_fsconfig, context, FSCONFIG_SET_FLAG, option, 0, 0);
  text_add_count(&text, option, (size_t)(equals - option));
  return sys(__NR_fsconfig, context, FSCONFIG_SET_STRING, key, equals + 1, 0);
}

long configure_each(int context, const char *option, uint32_t count) {
  long result = 0;
  for (; count > 0 && result >= 0; count--, option += length_of(option) + 1) result = configure(context, option);
  return result;
}
