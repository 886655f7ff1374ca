// Stacked layer directories seen as one tree, as overlayfs would show them, without mounting: the topmost entry
// wins, directories merge, whiteouts and opaque directories hide. Symbolic links lead to places in the merged tree
// and never out of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernel/fd.hpp"

namespace keelson::kernel {

// The bytes of a regular file; nothing when the path is absent or no regular file. EFBIG above maxBytes, ELOOP for
// a circle of links. `layers` are directories, topmost first.
std::optional<std::string> layersReadFile(const std::vector<std::string>& layers, const std::string& path,
                                          size_t maxBytes);

bool layersHave(const std::vector<std::string>& layers, const std::string& path);

// The topmost directory behind this path, open for reading; empty when there is none.
Fd layersOpenDirectory(const std::vector<std::string>& layers, const std::string& path);

}  // namespace keelson::kernel
