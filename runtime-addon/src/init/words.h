#pragma once

#include <algorithm>
#include <string>
#include <vector>

// The non-empty parts of a text between separators.
inline std::vector<std::string> words(const std::string& text, char separator) {
  std::vector<std::string> all;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    if (end > at) all.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return all;
}
