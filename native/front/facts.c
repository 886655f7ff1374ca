// Facts of the host that a plan of the compile service rests on. The service saw them in its own namespaces; they
// must be so in ours, too, or Node decides.
#include <stddef.h>

#include "front/front.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/process.h"
#include "init/syscall.h"

#define NS_GET_NSTYPE 0xb703
#define FACT_BYTES 16384

long read_file(const char *path, char *bytes, size_t size) {
  const long fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  size_t length = 0;
  long count = fd;
  while (fd >= 0 && length < size && (count = sys(__NR_read, fd, bytes + length, size - length)) > 0)
    length += (size_t)count;
  if (fd >= 0) sys(__NR_close, fd);
  if (count < 0) return count;
  return length == size ? -EFBIG : (long)length;
}

void front_requireText(const uint32_t *words) {
  static char bytes[FACT_BYTES];
  const char *wanted = text_at(words[1]);
  const long length = read_file(text_at(words[0]), bytes, sizeof bytes);
  if (length < 0 || (size_t)length != length_of(wanted) || memcmp(bytes, wanted, (size_t)length) != 0) hand_on();
}

void front_requireMissing(const uint32_t *words) {
  if (sys(__NR_faccessat, AT_FDCWD, text_at(words[0]), 0) != -ENOENT) hand_on();
}

void front_requirePath(const uint32_t *words) {
  if (sys(__NR_faccessat, AT_FDCWD, text_at(words[0]), 0) != 0) hand_on();
}

void front_requireDirectory(const uint32_t *words) {
  struct statx status;
  const long told = sys(__NR_statx, AT_FDCWD, text_at(words[0]), 0, STATX_TYPE, &status);
  if (told < 0 || (status.stx_mode & S_IFMT) != S_IFDIR) hand_on();
}

void front_requireDevice(const uint32_t *words) {
  char device[32];
  struct text text = {device, sizeof device, 0};
  struct statx status;
  if (sys(__NR_statx, AT_FDCWD, text_at(words[0]), 0, STATX_TYPE, &status) < 0) hand_on();
  text_add_number(&text, status.stx_dev_major);
  text_add(&text, ":");
  text_add_number(&text, status.stx_dev_minor);
  if (!same_text(device, text_at(words[1]))) hand_on();
}

void front_openNamespace(const uint32_t *words) {
  const long fd = sys(__NR_openat, AT_FDCWD, text_at(words[0]), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || sys(__NR_ioctl, fd, NS_GET_NSTYPE) != (long)words[1] || words[2] >= FRONT_SLOTS) hand_on();
  front.slots[words[2]] = (int)fd;
}
