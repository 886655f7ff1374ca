// The far end of sockets that a runtime connects to, for tests. Prints `ready` when it may, then what it got:
//   socket-peer descriptor PATH    one message of a stream connection: its text, and the `Pid:` of the pidfd with it
//   socket-peer tell               as a program that is ready, to NOTIFY_SOCKET
//   socket-peer datagrams PATH     each datagram on a line, with `|` for its line ends, until its input ends
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int bound(const char *path, int type) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, type, 0);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) perror("bind");
  if (type == SOCK_STREAM && listen(fd, 4) < 0) perror("listen");
  puts("ready");
  fflush(stdout);
  return fd;
}

static ssize_t receive(int socket, char *text, size_t size, int *fd) {
  char control[CMSG_SPACE(sizeof(int))];
  struct iovec vector = {text, size - 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  const ssize_t count = recvmsg(socket, &message, 0);
  text[count > 0 ? count : 0] = '\0';
  *fd = -1;
  const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header != NULL) memcpy(fd, CMSG_DATA(header), sizeof *fd);
  return count;
}

static int show_descriptor(const char *path) {
  char text[4096], line[256], information[64];
  int fd;
  receive(accept(bound(path, SOCK_STREAM), NULL, NULL), text, sizeof text, &fd);
  printf("%s\n", text);
  snprintf(information, sizeof information, "/proc/self/fdinfo/%d", fd);
  FILE *file = fopen(information, "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, "Pid:", 4) == 0) fputs(line, stdout);
  return 0;
}

static int show_datagrams(const char *path) {
  const int socket = bound(path, SOCK_DGRAM);
  for (;;) {
    struct pollfd polled[2] = {{socket, POLLIN, 0}, {0, POLLIN, 0}};
    poll(polled, 2, -1);
    if (polled[1].revents != 0) return 0;
    char text[4096];
    int fd;
    receive(socket, text, sizeof text, &fd);
    for (char *c = text; *c != '\0'; c++)
      if (*c == '\n') *c = '|';
    printf("%s\n", text);
    fflush(stdout);
    if (fd >= 0) close(fd);  // of a barrier: everything before it was read
  }
}

static int tell_ready(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, getenv("NOTIFY_SOCKET"), sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  const char *const messages[] = {"STATUS=nearly", "STATUS=well\nREADY=1\nX=y"};
  for (int i = 0; i < 2; i++)
    if (sendto(fd, messages[i], strlen(messages[i]), 0, (struct sockaddr *)&address, sizeof address) < 0) return 1;
  return 0;
}

int main(int count, char **words) {
  if (count == 3 && strcmp(words[1], "descriptor") == 0) return show_descriptor(words[2]);
  if (count == 3 && strcmp(words[1], "datagrams") == 0) return show_datagrams(words[2]);
  if (count == 2 && strcmp(words[1], "tell") == 0) return tell_ready();
  return 2;
}
