/**
 * Somebody who answers a seccomp listener: a small C program (Debian: gcc) that takes connections at a Unix socket, each
 * with a message and the listener's descriptor, prints the message as one line, and decides every call that it is asked
 * about by the path in its first argument: one that ends in `/denied` fails with EDQUOT, in `/faked` pretends to have
 * worked, all others go on.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock } from '../../src/base/index.ts'

const source = `
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int receive(int connection, char *text, size_t size) {
  char control[CMSG_SPACE(sizeof(int))];
  struct iovec vector = {text, size};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  int fd = -1;
  ssize_t length = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
  if (length <= 0 || rights == NULL) exit(3);
  memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  for (ssize_t more; (more = read(connection, text + length, size - length - 1)) > 0;) length += more;
  text[length] = 0;
  return fd;
}

static int ends(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

static void serve(int connection) {
  static char text[1 << 20];
  int listener = receive(connection, text, sizeof text);
  dprintf(1, "%s\\n", text);
  for (;;) {
    struct seccomp_notif asked = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0) {
      if (errno == EINTR || errno == ENOENT) continue;
      exit(0);
    }
    char file[64], path[256] = "";
    snprintf(file, sizeof file, "/proc/%d/mem", asked.pid);
    int memory = open(file, O_RDONLY);
    if (memory >= 0 && pread(memory, path, sizeof path - 1, asked.data.args[0]) < 0) path[0] = 0;
    close(memory);
    struct seccomp_notif_resp answer = {.id = asked.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    if (ends(path, "/denied")) answer = (struct seccomp_notif_resp){.id = asked.id, .error = -EDQUOT};
    if (ends(path, "/faked")) answer = (struct seccomp_notif_resp){.id = asked.id};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

int main(int count, char **arguments) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, arguments[count - 1]);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGCHLD, SIG_IGN);
  int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listening, (struct sockaddr *)&address, sizeof address) < 0 || listen(listening, 9) < 0) return 2;
  for (;;) {
    int connection = accept(listening, 0, 0);
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      serve(connection);
    }
    close(connection);
  }
}
`

export interface SeccompAgent extends AsyncDisposable {
  path: string
  /** The next message that came with a listener, parsed. */
  message(): Promise<{ pid: number; fds: string[]; metadata?: string; state: Record<string, unknown> }>
}

/** In this folder; undefined without a C compiler. */
export async function seccompAgent(folder: string): Promise<SeccompAgent | undefined> {
  const program = join(folder, 'agent')
  const path = join(folder, 'agent.sock')
  try {
    writeFileSync(`${program}.c`, source)
    execFileSync('cc', ['-Wall', '-O1', '-o', program, `${program}.c`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  } catch {
    return undefined
  }
  const child = spawn(program, [path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  while (!existsSync(path)) await systemClock.sleep(5)
  return {
    path,
    message: async () => JSON.parse((await lines.next()).value),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exit
    },
  }
}
