// Stacks of layers as one tree: the root of a container in a user namespace, whose layers carry a map of ids, so that
// files which the host has as root's are root's in the container (the kernel refuses such a map on the overlay itself; it
// takes it on each layer), and images that are mounted as read-only volumes.
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

// Upper and work directory have to be on one mount, so they are opened below one mapped copy of what holds both. A stack
// that nobody writes to has none of them: `base` is -1.
struct layers {
  int lower[LAYERS_MAX];
  uint32_t count;
  int base, upper, work;
  const char *upper_name, *work_name;
  const char *place;   // any directory, for the lower rung
  const char *inside;  // what of the result is wanted, "" for all
  uint32_t flags;
};

static struct layers layers;

static const uint32_t copy_flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

static void make_private_and_map(int tree, int user_namespace, const char *path) {
  check(set_attributes(tree, false, 0, 0, 1 << 18 /* MS_PRIVATE */), "mount_setattr", path);
  if (user_namespace >= 0) check(map_mount(tree, false, user_namespace), "idmap", path);
}

static int mapped_copy(const char *path, int user_namespace) {
  const int tree = (int)check(sys(__NR_open_tree, AT_FDCWD, path, copy_flags), "open_tree", path);
  make_private_and_map(tree, user_namespace, path);
  return tree;
}

static int open_below(int base, const char *name) {
  return (int)check(sys(__NR_openat, base, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), "openat", name);
}

static void open_lower(const char *path, uint32_t count, int user_namespace) {
  layers.count = count;
  if (count > LAYERS_MAX) fail("overlay", -E2BIG, "more than 128 layers");
  for (uint32_t i = 0; i < count; i++, path += length_of(path) + 1) layers.lower[i] = mapped_copy(path, user_namespace);
}

static void close_layers(void) {
  for (uint32_t i = 0; i < layers.count; i++) sys(__NR_close, layers.lower[i]);
  if (layers.base >= 0) sys(__NR_close, layers.base);
}

static void open_upper(void) {
  if (layers.base < 0) return;
  layers.upper = open_below(layers.base, layers.upper_name);
  layers.work = open_below(layers.base, layers.work_name);
}

static long set_upper(int context) {
  if (layers.base < 0) return 0;
  long result = sys(__NR_fsconfig, context, FSCONFIG_SET_FD, "upperdir", 0, layers.upper);
  if (result >= 0) result = sys(__NR_fsconfig, context, FSCONFIG_SET_FD, "workdir", 0, layers.work);
  if (result >= 0 && (layers.flags & OVERLAY_VOLATILE) != 0)
    result = sys(__NR_fsconfig, context, FSCONFIG_SET_FLAG, "volatile", 0, 0);
  return result;
}

// Upper rung: Linux 6.15, which takes layers as descriptors of detached mounts.
static long overlay_of_descriptors(void) {
  const long context = sys(__NR_fsopen, "overlay", FSOPEN_CLOEXEC);
  if (context < 0) return context;
  long result = 0;
  for (uint32_t i = 0; i < layers.count && result >= 0; i++)
    result = sys(__NR_fsconfig, context, FSCONFIG_SET_FD, "lowerdir+", 0, layers.lower[i]);
  if (result >= 0) result = set_upper((int)context);
  if (result >= 0) result = sys(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
  if (result >= 0) result = sys(__NR_fsmount, context, FSMOUNT_CLOEXEC, 0);
  sys(__NR_close, context);
  return result;
}

// A copy of what lies at a path in a tree, none of whose links leads out of it. The whole tree is passed on as it is.
static long tree_inside(long tree, const char *path) {
  if (tree < 0 || *path == '\0') return tree;
  const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  const long found = check(sys(__NR_openat2, tree, path, &how, sizeof how), "openat2", path);
  const long copy = sys(__NR_open_tree, found, "", copy_flags | AT_EMPTY_PATH);
  sys(__NR_close, found);
  sys(__NR_close, tree);
  return copy;
}

// A mount that is attached below `place` is found again through its descriptor, also when the next one covers it.
static void attach_at(int tree, const char *place) {
  check(sys(__NR_move_mount, tree, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH), "move_mount", place);
}

static void describe(struct text *options) {
  for (uint32_t i = 0; i < layers.count; i++) {
    text_add(options, i == 0 ? "lowerdir=" : ":");
    text_add_number(options, layers.lower[i]);
  }
  if (layers.base >= 0) {
    text_add(options, ",upperdir=");
    text_add_number(options, layers.upper);
    text_add(options, ",workdir=");
    text_add_number(options, layers.work);
  }
  if ((layers.flags & OVERLAY_VOLATILE) != 0) text_add(options, ",volatile");
  if (options->length + 1 >= options->size) fail("overlay", -E2BIG, "too many layers");
}

// In a mount namespace of its own, which goes with this process: older kernels take only layers that are attached.
static _Noreturn void mount_aside(int to_parent) {
  static char options[PATH_BYTES];
  struct text text = {options, sizeof options, 0};
  self.is_child = true;
  self.report = to_parent;
  check(sys(__NR_mount, 0, "/", 0, (1 << 18) | 16384 /* MS_PRIVATE | MS_REC */, 0), "mount", "/");
  for (uint32_t i = 0; i < layers.count; i++) attach_at(layers.lower[i], layers.place);
  if (layers.base >= 0) attach_at(layers.base, layers.place);
  open_upper();
  describe(&text);
  check(sys(__NR_chdir, "/proc/self/fd"), "chdir", "/proc/self/fd");
  check(sys(__NR_mount, "overlay", layers.place, "overlay", 0, options), "mount", "overlay");
  const uint32_t flags = *layers.inside == '\0' ? copy_flags : OPEN_TREE_CLOEXEC;
  const long whole = check(sys(__NR_open_tree, AT_FDCWD, layers.place, flags), "open_tree", layers.place);
  const long tree = check(tree_inside(whole, layers.inside), "open_tree", layers.inside);
  check(send_frame(to_parent, FRAME_TREE, NULL, 0, (int)tree), "sendmsg", "overlay");
  quit(0);
}

// Lower rung: Linux 5.19 and newer.
static int overlay_aside(void) {
  int pair[2], tree = -1, pidfd = -1;
  struct frame frame;
  char payload[FRAME_PAYLOAD_MAX];
  check(sys(__NR_socketpair, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC, 0, pair), "socketpair", NULL);
  struct clone_args arguments = {
      .flags = CLONE_NEWNS | CLONE_PIDFD, .pidfd = (uint64_t)&pidfd, .exit_signal = SIGNAL_CHILD};
  const long pid = check(sys(__NR_clone3, &arguments, sizeof arguments), "clone3", NULL);
  if (pid == 0) mount_aside(pair[1]);
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

static int overlay(void) {
  long tree = -ENOSYS;
  if ((layers.flags & OVERLAY_CLASSIC) == 0) {
    open_upper();
    tree = tree_inside(overlay_of_descriptors(), layers.inside);
  }
  return tree >= 0 ? (int)tree : overlay_aside();
}

void operation_overlayTree(const uint32_t *words) {
  const int user_namespace = slot_fd(words[6]);
  layers = (struct layers){.upper_name = text_at(words[3]),
                           .work_name = text_at(words[4]),
                           .place = text_at(words[2]),
                           .inside = "",
                           .flags = words[5]};
  open_lower(text_at(words[0]), words[1], user_namespace);
  layers.base = mapped_copy(layers.place, user_namespace);
  mount_as(words[7], words[8]);
  self.root = overlay();
  mount_as(0, 0);
  close_layers();
}

// A single layer needs no overlay, which in fact takes no less than two.
static int layer_inside(const char *layer, const char *path, int user_namespace) {
  const long whole = check(sys(__NR_openat, AT_FDCWD, layer, O_PATH | O_DIRECTORY | O_CLOEXEC), "openat", layer);
  const int tree = (int)(*path == '\0' ? check(sys(__NR_open_tree, whole, "", copy_flags | AT_EMPTY_PATH), "open_tree", layer)
                                       : check(tree_inside(whole, path), "open_tree", path));
  make_private_and_map(tree, user_namespace, layer);
  return tree;
}

// Nobody writes to it; that it is read-only besides is said where it is mounted.
void operation_layersTree(const uint32_t *words) {
  const char *lower = text_at(words[0]), *inside = text_at(words[2]);
  const int user_namespace = slot_fd(words[4]);
  if (words[1] == 1) {
    self.slots[words[5]] = layer_inside(lower, inside, user_namespace);
    return;
  }
  layers = (struct layers){.base = -1, .place = lower, .inside = inside, .flags = words[3]};
  open_lower(lower, words[1], user_namespace);
  self.slots[words[5]] = overlay();
  close_layers();
}
