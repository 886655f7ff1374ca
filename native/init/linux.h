// Kernel structures and constants that this program uses, for build hosts whose <linux/*.h> are older than the floor.
#pragma once

#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/stat.h>
#include <linux/time_types.h>
#include <linux/wait.h>
#include <stdint.h>

#ifndef POLLRDHUP
#define POLLRDHUP 0x2000
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define MOUNT_PRIVATE (1 << 18)  // MS_PRIVATE
#define MOUNT_PRIVATE (1 << 18)  // MS_PRIVATE
#define MOUNT_SLAVE (1 << 19)    // MS_SLAVE
#define SIGNAL_DEFAULT 0
#define SIGNAL_IGNORE 1
#define SIGNAL_HANGUP 1
#define SIGNAL_INTERRUPT 2
#define SIGNAL_KILL 9
#define SIGNAL_PIPE 13
#define SIGNAL_TERMINATE 15
#define SIGNAL_CHILD 17
#define STDIN_MODE_ANY 0666

// struct statx is used instead of stat: one layout on every architecture.
#define DEVPTS_MAGIC 0x1cd1
#define PROC_MAGIC 0x9fa0

// What getdents64(2) fills a buffer with.
struct directory_entry {
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[];
};

struct statfs_words {
  long type;
  long rest[16];
};
