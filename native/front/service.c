// A conversation with the compile service (src/cli/oci/compile-service): the request, then plans of ours to carry
// out until one asks nothing more. Whatever is not in order before keelson-init was started is Node's to do over.
#include "front/front.h"
#include "front/request.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/message.h"
#include "init/socket.h"
#include "init/syscall.h"

#define SOCKET_LEVEL 1
#define RECEIVE_TIMEOUT 20
#define SEND_TIMEOUT 21
#define PEER_CREDENTIALS 17
#define PATIENCE_US 250000

#define FRAME_REQUEST 64
#define FRAME_FILE 65
#define FRAME_ANSWER_PLAN 66

#define REQUEST_BYTES (1 << 19)
#define ANSWER_BYTES (1 << 21)
#define FILE_BYTES (1 << 20)

static char request[REQUEST_BYTES];
static _Alignas(8) char answer[ANSWER_BYTES];

static bool is_asked;

static bool has_word(const char *wanted) {
  for (char **at = front.arguments + 1; *at != NULL; at++)
    if (same_text(*at, wanted)) return true;
  return false;
}

static bool is_first_namespace(void) {
  static const char all[] = "0 0 4294967295 ";
  char map[128];
  const long length = read_file("/proc/self/uid_map", map, sizeof map);
  const char *wanted = all;
  for (long i = 0; i < length; i++) {
    const bool blank = map[i] == ' ' || map[i] == '\n';
    if (blank && (wanted == all || wanted[-1] == ' ')) continue;
    if ((blank ? ' ' : map[i]) != *wanted++) return false;
  }
  return length > 0 && *wanted == '\0';
}

// Of the user alone: false where there is none.
static bool find_folder(struct text *text) {
  const char *given = variable("KEELSON_OCI_SERVICE"), *personal = variable("XDG_RUNTIME_DIR");
  if (given != NULL) {
    text_add(text, given);
  } else if (personal == NULL || *personal == '\0' || (sys(__NR_geteuid) == 0 && is_first_namespace())) {
    text_add(text, "/run/keelson-compile");
  } else {
    text_add(text, personal);
    text_add(text, "/keelson-compile");
  }
  return text->length > 0 && text->length + 1 < text->size;
}

static bool is_own(int directory, const char *name, uint16_t type) {
  struct statx status;
  const int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
  if (sys(__NR_statx, directory, name, flags, STATX_BASIC_STATS, &status) < 0) return false;
  return (status.stx_mode & S_IFMT) == type && status.stx_uid == (uint32_t)sys(__NR_geteuid) &&
         (type != S_IFDIR || (status.stx_mode & 077) == 0);
}

static bool is_peer_own(int socket) {
  struct {
    int32_t pid;
    uint32_t uid, gid;
  } peer;
  uint32_t size = sizeof peer;
  return sys(__NR_getsockopt, socket, SOCKET_LEVEL, PEER_CREDENTIALS, &peer, &size) == 0 &&
         peer.uid == (uint32_t)sys(__NR_geteuid);
}

static void set_patience(int socket) {
  const long patience[2] = {0, PATIENCE_US};
  sys(__NR_setsockopt, socket, SOCKET_LEVEL, RECEIVE_TIMEOUT, patience, sizeof patience);
  sys(__NR_setsockopt, socket, SOCKET_LEVEL, SEND_TIMEOUT, patience, sizeof patience);
}

static int connect_service(const char *build) {
  char folder[PATH_BYTES];
  struct text path = {folder, sizeof folder, 0};
  struct unix_address address = {.family = UNIX_FAMILY};
  struct text name = {address.path, sizeof address.path, 0};
  if (!find_folder(&path)) return -1;
  const int directory = (int)sys(__NR_openat, AT_FDCWD, folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0 || !is_own(directory, "", S_IFDIR) || !is_own(directory, build, S_IFSOCK)) return -1;
  text_add(&name, "/proc/self/fd/");
  text_add_number(&name, directory);
  text_add(&name, "/");
  text_add(&name, build);
  const int socket = (int)sys(__NR_socket, UNIX_FAMILY, SOCKET_STREAM | SOCKET_CLOEXEC, 0);
  set_patience(socket);
  if (sys(__NR_connect, socket, &address, sizeof address) < 0 || !is_peer_own(socket)) return -1;
  return socket;
}

static bool receive_plan(void) {
  struct frame frame;
  int fd;
  const long length = receive_frame(front.service, &frame, answer, sizeof answer, &fd);
  return length > 0 && frame.type == FRAME_ANSWER_PLAN && plan_read(answer, (size_t)length, &front.plan);
}

static void run_plan(void) {
  const uint32_t *words = front.plan.parent.words;
  is_asked = false;
  for (uint32_t i = 0; i < front.plan.parent.count; i++, words += 1 + (words[0] >> 16))
    run_operation(words[0] & 0xffff, words + 1);
}

// Only a file that can be read twice: Node may have to.
void front_sendFile(const uint32_t *words) {
  static char bytes[FILE_BYTES];
  struct statx status;
  const char *path = text_at(words[0]);
  if (sys(__NR_statx, AT_FDCWD, path, 0, STATX_TYPE, &status) < 0 || (status.stx_mode & S_IFMT) != S_IFREG) hand_on();
  const long length = read_file(path, bytes, sizeof bytes);
  if (length < 0 || send_frame(front.service, FRAME_FILE, bytes, (uint32_t)length, -1) < 0) hand_on();
  is_asked = true;
}

// A caller may have closed some of 0 to 2; what we open must not get their numbers. Node does the same.
static void fill_stdio(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (sys(__NR_fcntl, fd, F_GETFD) == -EBADF) sys(__NR_openat, AT_FDCWD, "/dev/null", O_RDWR);
}

void try_service(void) {
  char build[64];
  struct text text = {request, sizeof request, 0};
  if (!has_word("create")) return;
  fill_stdio();
  if (!read_build(build, sizeof build)) return;
  front.service = connect_service(build);
  if (front.service < 0 || !write_request(&text, build)) return;
  if (send_frame(front.service, FRAME_REQUEST, request, (uint32_t)text.length, -1) < 0) return;
  do {
    if (!receive_plan()) return;
    run_plan();
  } while (is_asked);
  quit(0);
}
