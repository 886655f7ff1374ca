// Project quotas (quotactl(2), ext4 and XFS): a directory with a project id hands it down to all that is made in it, and
// the file system counts, and limits, what belongs to an id. Everything here blocks.
#pragma once

#include <cstdint>
#include <string>

namespace keelson::kernel {

struct QuotaState {
  bool counts = false;  // usage by project
  bool limits = false;  // and it is held to a limit
};
// Of the file system that holds this directory. What has no such quotas has neither.
QuotaState quotaState(const std::string& directory);

// Gives an empty directory a project of its own with this limit (0: none). False, and nothing is done, when something
// belongs to the project already.
bool quotaAssign(const std::string& directory, uint32_t project, uint64_t bytesMax);

// The project has no limit any more.
void quotaRelease(const std::string& directory, uint32_t project);

struct QuotaUsage {
  uint64_t bytes = 0;
  uint64_t inodes = 0;
};
QuotaUsage quotaUsage(const std::string& directory, uint32_t project);

}  // namespace keelson::kernel
