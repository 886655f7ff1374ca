// Paths as lists of names. "." and empty names mean nothing; ".." is kept for the caller to judge.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace keelson::kernel {

std::vector<std::string> splitPath(const std::string& path);
std::string joinPath(const std::vector<std::string>& names, const std::string& last = {});
// Everything before the last slash ("" where there is none, "/" for "/name") and the name after it.
std::pair<std::string, std::string> splitLast(const std::string& path);
// The names in a directory (open for reading), without "." and "..", read whole before anything is done to them.
std::vector<std::string> listNames(int directory);

}  // namespace keelson::kernel
