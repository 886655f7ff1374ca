// Device rules of a v2 cgroup. The attachment belongs to the cgroup: it stays without us and goes with the directory.
#include <linux/bpf.h>

#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/syscall.h"

#define ATTACH_OPTIONAL 1
#define ATTACHED_MAX 64  // the kernel's own bound for one cgroup

static long bpf(int command, union bpf_attr *attributes) {
  return sys(__NR_bpf, command, attributes, sizeof *attributes);
}

static long load_program(const void *program, uint32_t bytes) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.insns = (uint64_t)program;
  attributes.insn_cnt = bytes / sizeof(struct bpf_insn);
  attributes.license = (uint64_t)"Apache-2.0";
  memcpy(attributes.prog_name, "keelson_devices", 15);
  return bpf(BPF_PROG_LOAD, &attributes);
}

// A descriptor of the one program that the cgroup itself has; -1 when it has none, or several.
static long attached_program(int cgroup) {
  uint32_t ids[ATTACHED_MAX];
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.query.target_fd = (uint32_t)cgroup;
  attributes.query.attach_type = BPF_CGROUP_DEVICE;
  attributes.query.prog_ids = (uint64_t)ids;
  attributes.query.prog_cnt = ATTACHED_MAX;
  if (bpf(BPF_PROG_QUERY, &attributes) < 0 || attributes.query.prog_cnt != 1) return -1;
  memset(&attributes, 0, sizeof attributes);
  attributes.prog_id = ids[0];
  return bpf(BPF_PROG_GET_FD_BY_ID, &attributes);
}

// An access must please every program of a cgroup and of those above it, so an older one of this cgroup is replaced, in
// one step: at no moment is there none. Beside others (of whoever shares the cgroup) ours is added.
static long attach(int cgroup, int program) {
  const long old = attached_program(cgroup);
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.target_fd = (uint32_t)cgroup;
  attributes.attach_bpf_fd = (uint32_t)program;
  attributes.attach_type = BPF_CGROUP_DEVICE;
  attributes.attach_flags = BPF_F_ALLOW_MULTI | (old >= 0 ? BPF_F_REPLACE : 0);
  attributes.replace_bpf_fd = old >= 0 ? (uint32_t)old : 0;
  const long result = bpf(BPF_PROG_ATTACH, &attributes);
  if (old >= 0) sys(__NR_close, old);
  return result;
}

void operation_attachDevices(const uint32_t *words) {
  const char *path = text_at(words[0]);
  const bool optional = (words[3] & ATTACH_OPTIONAL) != 0;
  const long program = load_program(text_at(words[1]), words[2]);
  if (program < 0 && optional) return;
  check(program, "bpf", "BPF_PROG_LOAD of the device rules");
  const int cgroup = (int)check(sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "openat", path);
  const long attached = attach(cgroup, (int)program);
  if (!optional) check(attached, "bpf", path);
  sys(__NR_close, cgroup);
  sys(__NR_close, program);
}
