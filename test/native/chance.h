// Chance that can be had again: the same seed gives the same case.
#pragma once

#include <stdint.h>

static uint64_t chance_state;

static inline uint32_t chance(uint32_t below) {
  chance_state ^= chance_state << 13;
  chance_state ^= chance_state >> 7;
  chance_state ^= chance_state << 17;
  return (uint32_t)(chance_state >> 11) % below;
}

static inline void begin_case(uint64_t seed) {
  chance_state = (seed + 1) * 0x9e3779b97f4a7c15u;
  for (int i = 0; i < 4; i++) chance(2);
}
