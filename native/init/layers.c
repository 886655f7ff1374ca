// An overlay whose layers carry a map of ids, so that files which the host has as root's are root's in the container.
// The kernel refuses such a map on the overlay itself; it takes it on each layer.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/mount.h"
#include "init/socket.h"
#include "init/syscall.h"
#include "init/trees.h"
#include "init/user-namespace.h"

#define OVERLAY_VOLATILE 1
#define OVERLAY_CLASSIC 2  // take the lower rung of the ladder even where the upper one is there (tests)
#define LAYERS_MAX 128

// Upper and work directory have to be on one mount, so they are opened below one mapped copy of what holds both.
struct layers {
  int lower[LAYERS_MAX];
  uint32_t count;
  int base, upper, work;
};

static int mapped_copy(const char *path, int user_namespace) {
  const uint32_t flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  const int tree = (int)check(sys(__NR_open_tree, AT_FDCWD, path, flags), "open_tree", path);
  check(set_attributes(tree, false, 0, 0, 1 << 18 /* MS_PRIVATE */), "mount_setattr", path);
  check(map_mount(tree, false, user_namespace), "idmap", path);
  return tree;
}

static int open_below(int base, const char *name) {
  return (int)check(sys(__NR_openat, base, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), "openat", name);
}

static void open_layers(const uint32_t *words, struct layers *layers) {
  const int user_namespace = slot_fd(words[6]);
  const char *path = text_at(words[0]);
  layers->count = words[1];
  if (layers->count > LAYERS_MAX) fail("overlay", -E2BIG, "more than 128 layers");
  for (uint32_t i = 0; i < layers->count; i++, path += length_of(path) + 1)
    layers->lower[i] = mapped_copy(path, user_namespace);
  layers->base = mapped_copy(text_at(words[2]), user_namespace);
}

static void open_upper(const uint32_t *words, struct layers *layers) {
  layers->upper = open_below(layers->base, text_at(words[3]));
  layers->work = open_below(layers->base, text_at(words[4]));
}

// Upper rung: Linux 6.15, which takes layers as descriptors of detached mounts.
static long overlay_of_descriptors(const struct layers *layers, uint32_t flags) {
  const long context = sys(__NR_fsopen, "overlay", FSOPEN_CLOEXEC);
  if (context < 0) return context;
  long result = 0;
  for (uint32_t i = 0; i < layers->count && result >= 0; i++)
    result = sys(__NR_fsconfig, context, FSCONFIG_SET_FD, "lowerdir+", 0, layers->lower[i]);
  if (result >= 0) result = sys(__NR_fsconfig, context, FSCONFIG_SET_FD, "upperdir", 0, layers->upper);
  if (result >= 0) result = sys(__NR_fsconfig, context, FSCONFIG_SET_FD, "workdir", 0, layers->work);
  if (result >= 0 && (flags & OVERLAY_VOLATILE) != 0)
    result = sys(__NR_fsconfig, context, FSCONFIG_SET_FLAG, "volatile", 0, 0);
  if (result >= 0) result = sys(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
  if (result >= 0) result = sys(__NR_fsmount, context, FSMOUNT_CLOEXEC, 0);
  sys(__NR_close, context);
  return result;
}

// A mount that is attached below `place` is found again through its descriptor, also when the next one covers it.
static void attach_at(int tree, const char *place) {
  check(sys(__NR_move_mount, tree, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH), "move_mount", place);
}

static void describe(const struct layers *layers, uint32_t flags, struct text *options) {
  for (uint32_t i = 0; i < layers->count; i++) {
    text_add(options, i == 0 ? "lowerdir=" : ":");
    text_add_number(options, layers->lower[i]);
  }
  text_add(options, ",upperdir=");
  text_add_number(options, layers->upper);
  text_add(options, ",workdir=");
  text_add_number(options, layers->work);
  if ((flags & OVERLAY_VOLATILE) != 0) text_add(options, ",volatile");
  if (options->length + 1 >= options->size) fail("overlay", -E2BIG, "too many layers");
}

// In a mount namespace of its own, which goes with this process: older kernels take only layers that are attached.
static _Noreturn void mount_aside(const uint32_t *words, struct layers *layers, int to_parent) {
  static char options[PATH_BYTES];
  struct text text = {options, sizeof options, 0};
  const char *place = text_at(words[2]);
  self.is_child = true;
  self.report = to_parent;
  check(sys(__NR_mount, 0, "/", 0, (1 << 18) | 16384 /* MS_PRIVATE | MS_REC */, 0), "mount", "/");
  for (uint32_t i = 0; i < layers->count; i++) attach_at(layers->lower[i], place);
  attach_at(layers->base, place);
  open_upper(words, layers);
  describe(layers, words[5], &text);
  check(sys(__NR_chdir, "/proc/self/fd"), "chdir", "/proc/self/fd");
  check(sys(__NR_mount, "overlay", place, "overlay", 0, options), "mount", "overlay");
  const long tree = sys(__NR_open_tree, AT_FDCWD, place, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  check(tree, "open_tree", place);
  check(send_frame(to_parent, FRAME_TREE, NULL, 0, (int)tree), "sendmsg", "overlay");
  quit(0);
}

// Lower rung: Linux 5.19 and newer.
static int overlay_aside(const uint32_t *words, struct layers *layers) {
  int pair[2], tree = -1, pidfd = -1;
  struct frame frame;
  char payload[FRAME_PAYLOAD_MAX];
  check(sys(__NR_socketpair, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC, 0, pair), "socketpair", NULL);
  struct clone_args arguments = {
      .flags = CLONE_NEWNS | CLONE_PIDFD, .pidfd = (uint64_t)&pidfd, .exit_signal = SIGNAL_CHILD};
  const long pid = check(sys(__NR_clone3, &arguments, sizeof arguments), "clone3", NULL);
  if (pid == 0) mount_aside(words, layers, pair[1]);
  sys(__NR_close, pair[1]);
  const long length = receive_frame(pair[0], &frame, payload, sizeof payload, &tree);
  sys(__NR_waitid, P_PIDFD, pidfd, 0, WEXITED | __WALL, 0);
  sys(__NR_close, pidfd);
  sys(__NR_close, pair[0]);
  if (length >= 0 && frame.type == FRAME_FAILURE) forward_failure(payload, frame.length);
  if (length < 0 || frame.type != FRAME_TREE || tree < 0) fail("overlay", length < 0 ? length : -EPROTO, NULL);
  return tree;
}

static void raise_permitted(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {{0}};
  check(sys(__NR_capget, &header, data), "capget", NULL);
  for (int i = 0; i < 2; i++) data[i].effective = data[i].permitted;
  check(sys(__NR_capset, &header, data), "capset", NULL);
}

// An overlay works on its layers as who mounted it. Through their map only the container's ids can own a file, so the
// mounter is the container's root in all that concerns files; the capabilities that this takes away come back.
static void mount_as(uint32_t uid, uint32_t gid) {
  sys(__NR_setfsgid, gid);
  sys(__NR_setfsuid, uid);
  raise_permitted();
}

void operation_overlayTree(const uint32_t *words) {
  static struct layers layers;
  open_layers(words, &layers);
  mount_as(words[7], words[8]);
  long tree = -ENOSYS;
  if ((words[5] & OVERLAY_CLASSIC) == 0) {
    open_upper(words, &layers);
    tree = overlay_of_descriptors(&layers, words[5]);
  }
  self.root = tree >= 0 ? (int)tree : overlay_aside(words, &layers);
  mount_as(0, 0);
  for (uint32_t i = 0; i < layers.count; i++) sys(__NR_close, layers.lower[i]);
  sys(__NR_close, layers.base);
}
