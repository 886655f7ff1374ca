#include "init/plan.h"

#include "init/memory.h"

struct header {
  uint32_t magic;
  uint32_t version;
  uint32_t parent_count;
  uint32_t child_count;
  uint32_t list_bytes;
  uint32_t blob_bytes;
};

static const char *kinds_of(uint32_t code) {
  switch (code) {
#define X(number, name, kinds) \
  case number:                 \
    return kinds;
    PLAN_OPERATIONS(X)
    PLAN_FRONT_OPERATIONS(X)
#undef X
    default:
      return NULL;
  }
}

static bool is_list(const struct plan *plan, uint32_t offset, uint32_t count) {
  while (count-- > 0) {
    if (offset >= plan->blob_bytes) return false;
    offset += (uint32_t)length_of(plan->blob + offset) + 1;
  }
  return true;
}

// How many words an argument of this kind takes, 0 when its value does not fit the plan.
static uint32_t check_argument(const struct plan *plan, char kind, const uint32_t *words, uint32_t left) {
  const uint32_t needed = kind == 'q' || kind == 'b' || kind == 'l' ? 2 : 1;
  if (left < needed) return 0;
  bool valid = true;
  switch (kind) {
    case 's':
      valid = words[0] < plan->blob_bytes;
      break;
    case 'b':
      valid = words[0] <= plan->blob_bytes && words[1] <= plan->blob_bytes - words[0];
      break;
    case 'l':
      valid = is_list(plan, words[0], words[1]);
      break;
    case 'f':
      valid = words[0] < PLAN_SLOTS || words[0] == PLAN_NO_SLOT;
      break;
    case 'o':
      valid = words[0] < PLAN_SLOTS;
      break;
    default:
      break;
  }
  return valid ? needed : 0;
}

static bool check_operation(const struct plan *plan, const uint32_t *words, uint32_t left) {
  const char *kinds = kinds_of(words[0] & 0xffff);
  uint32_t count = words[0] >> 16;
  if (kinds == NULL || count > PLAN_ARGUMENT_WORDS || count >= left) return false;
  words++;
  for (; *kinds != '\0'; kinds++) {
    const uint32_t taken = check_argument(plan, *kinds, words, count);
    if (taken == 0) return false;
    words += taken;
    count -= taken;
  }
  return count == 0;
}

// Walks one list; returns the words it takes, or UINT32_MAX when it is broken.
static uint32_t check_list(const struct plan *plan, const struct plan_list *list, uint32_t words) {
  uint32_t used = 0;
  for (uint32_t i = 0; i < list->count; i++) {
    if (used >= words || !check_operation(plan, list->words + used, words - used)) return UINT32_MAX;
    used += 1 + (list->words[used] >> 16);
  }
  return used;
}

bool plan_read(const void *bytes, size_t size, struct plan *plan) {
  struct header header;
  if (size < sizeof header) return false;
  memcpy(&header, bytes, sizeof header);
  const size_t rest = size - sizeof header;
  if (header.magic != PLAN_MAGIC || header.version != PLAN_VERSION) return false;
  if (header.list_bytes % 4 != 0 || header.list_bytes > rest || header.blob_bytes != rest - header.list_bytes) return false;
  const uint32_t *words = (const uint32_t *)((const char *)bytes + sizeof header);
  *plan = (struct plan){.parent = {words, header.parent_count},
                        .blob = (const char *)words + header.list_bytes,
                        .blob_bytes = header.blob_bytes};
  if (header.blob_bytes == 0 || plan->blob[header.blob_bytes - 1] != '\0') return false;
  const uint32_t all = header.list_bytes / 4;
  const uint32_t parent = check_list(plan, &plan->parent, all);
  if (parent == UINT32_MAX) return false;
  plan->child = (struct plan_list){words + parent, header.child_count};
  const uint32_t child = check_list(plan, &plan->child, all - parent);
  return child != UINT32_MAX && child == all - parent;
}
