#include "init/clock.h"

#include "init/linux.h"
#include "init/syscall.h"

#define NS_PER_SECOND 1000000000u
#define SECONDS_PER_DAY 86400u

uint64_t wall_ns(void) {
  struct __kernel_timespec now = {0};
  sys(__NR_clock_gettime, 0 /* CLOCK_REALTIME */, &now);
  return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t monotonic_ms(void) {
  struct __kernel_timespec now = {0};
  sys(__NR_clock_gettime, 1 /* CLOCK_MONOTONIC */, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// Days since 1970 to a civil date, counting years from March so that the leap day comes last.
static void text_add_date(struct text *text, uint64_t days) {
  const uint64_t shifted = days + 719468;  // days from 0000-03-01 to 1970-01-01
  const uint64_t era = shifted / 146097, day_of_era = shifted % 146097;
  const uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint64_t month_from_march = (5 * day_of_year + 2) / 153;
  const uint64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  text_add_padded(text, era * 400 + year_of_era + (month <= 2), 4);
  text_add(text, "-");
  text_add_padded(text, month, 2);
  text_add(text, "-");
  text_add_padded(text, day_of_year - (153 * month_from_march + 2) / 5 + 1, 2);
}

void text_add_time(struct text *text, uint64_t ns, unsigned digits) {
  const uint64_t seconds = ns / NS_PER_SECOND, of_day = seconds % SECONDS_PER_DAY;
  text_add_date(text, seconds / SECONDS_PER_DAY);
  text_add(text, "T");
  text_add_padded(text, of_day / 3600, 2);
  text_add(text, ":");
  text_add_padded(text, of_day / 60 % 60, 2);
  text_add(text, ":");
  text_add_padded(text, of_day % 60, 2);
  text_add(text, ".");
  uint64_t fraction = ns % NS_PER_SECOND;
  for (unsigned i = digits; i < 9; i++) fraction /= 10;
  text_add_padded(text, fraction, digits);
  text_add(text, "Z");
}
