#include "kernel/quota.hpp"

#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/error.hpp"
#include "kernel/fd.hpp"

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443  // Linux 5.14, the same number everywhere
#endif

namespace keelson::kernel {
namespace {

constexpr uint64_t kLimitUnit = 1024;  // QIF_DQBLKSIZE of the kernel

Fd openDirectory(const std::string& path) {
  return Fd(check(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), "open", path));
}

int quotactl(const Fd& directory, uint32_t command, uint32_t project, void* data) {
  return static_cast<int>(::syscall(SYS_quotactl_fd, directory.get(), QCMD(command, PRJQUOTA), project, data));
}

void setLimit(const Fd& directory, uint32_t project, uint64_t bytesMax, const std::string& path) {
  if_dqblk block{};
  block.dqb_bhardlimit = (bytesMax + kLimitUnit - 1) / kLimitUnit;
  block.dqb_valid = QIF_LIMITS;
  check(quotactl(directory, Q_SETQUOTA, project, &block), "quotactl_fd", path);
}

QuotaUsage usageOf(const Fd& directory, uint32_t project, const std::string& path) {
  if_dqblk block{};
  if (quotactl(directory, Q_GETQUOTA, project, &block) == -1) {
    if (errno == ENOENT || errno == ESRCH) return {};  // XFS of a project that nothing belongs to
    fail("quotactl_fd", path);
  }
  return {block.dqb_curspace, block.dqb_curinodes};
}

}  // namespace

QuotaState quotaState(const std::string& directory) {
  const Fd opened = openDirectory(directory);
  fs_quota_statv state{};
  state.qs_version = FS_QSTATV_VERSION1;
  // ENOSYS, ENODEV and more: each kind of file system has its own way to say that it has none.
  if (quotactl(opened, Q_XGETQSTATV, 0, &state) == -1) return {};
  return {(state.qs_flags & FS_QUOTA_PDQ_ACCT) != 0, (state.qs_flags & FS_QUOTA_PDQ_ENFD) != 0};
}

bool quotaAssign(const std::string& directory, uint32_t project, uint64_t bytesMax) {
  const Fd opened = openDirectory(directory);
  const QuotaUsage there = usageOf(opened, project, directory);
  if (there.bytes > 0 || there.inodes > 0) return false;
  // Whoever had this project before may have left a limit, so it is set in any case, and before anything belongs to it.
  setLimit(opened, project, bytesMax, directory);
  fsxattr attributes{};
  check(::ioctl(opened.get(), FS_IOC_FSGETXATTR, &attributes), "ioctl", directory);
  attributes.fsx_projid = project;
  attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  check(::ioctl(opened.get(), FS_IOC_FSSETXATTR, &attributes), "ioctl", directory);
  return true;
}

void quotaRelease(const std::string& directory, uint32_t project) {
  setLimit(openDirectory(directory), project, 0, directory);
}

QuotaUsage quotaUsage(const std::string& directory, uint32_t project) {
  return usageOf(openDirectory(directory), project, directory);
}

}  // namespace keelson::kernel
