// Labels of the security modules. The kernel applies the one for exec when the program is run, and forgets it then.
#include "init/init.h"
#include "init/linux.h"
#include "init/memory.h"
#include "init/proc.h"

void operation_writeAttribute(const uint32_t *words) {
  char path[64];
  struct text text = {path, sizeof path, 0};
  text_add(&text, "thread-self/attr/");
  text_add(&text, text_at(words[0]));
  check(write_proc(path, text_at(words[1]), false), "write", path);
}
