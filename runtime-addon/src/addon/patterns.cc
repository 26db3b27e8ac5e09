#include "patterns.h"

#include <algorithm>
#include <cstring>

namespace tsbuild {

namespace {

/** What a pattern is found by. */
constexpr size_t kBeginning = 4;

/** In a row: CR LF and an indent of one. Without a bound a beginning with empty lines behind it would be held for ever. */
constexpr size_t kMostBreaks = 3;

uint32_t beginning_of(const char* at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

// Knuth's multiplicative hash: neighbouring values fall apart.
uint16_t hash(uint32_t beginning) { return static_cast<uint16_t>((beginning * 2654435761u) >> 16); }

uint8_t byte(char c) { return static_cast<uint8_t>(c); }

/** Of each group the longest. */
void keep_longest(const Match& match, std::vector<Match>* found) {
  for (Match& other : *found) {
    if (other.group != match.group) continue;
    if (match.end > other.end) other = match;
    return;
  }
  found->push_back(match);
}

}  // namespace

Patterns::Patterns(std::vector<Pattern> all) : all_(std::move(all)) {
  for (uint32_t i = 0; i < all_.size(); i++) {
    const Pattern& pattern = all_[i];
    Class& kind = class_of(pattern.breaks);
    uint32_t beginning = beginning_of(pattern.bytes.data());
    kind.firsts.set(byte(pattern.bytes[0]));
    kind.beginnings.set(hash(beginning));
    kind.all.push_back(i);
    kind.by_beginning[beginning].push_back(i);
    groups_ = std::max(groups_, pattern.group + 1);
    longest_ = std::max(longest_, pattern.bytes.size());
  }
}

Patterns::Class& Patterns::class_of(const std::string& breaks) {
  for (Class& kind : classes_)
    if (kind.breaks == breaks) return kind;
  Class& kind = classes_.emplace_back();
  kind.breaks = breaks;
  for (char c : breaks) kind.is_break.set(byte(c));
  return kind;
}

/** The first bytes that count: kCut where the text ends before there are enough. */
Patterns::Found Patterns::beginning_at(std::string_view text, const Class& kind, uint32_t* beginning) {
  char bytes[kBeginning];
  size_t count = 0;
  size_t breaks = 0;
  for (size_t at = 0; count < kBeginning; at++) {
    if (at == text.size()) return Found::kCut;
    if (!kind.is_break[byte(text[at])]) {
      bytes[count++] = text[at];
      breaks = 0;
    } else if (count == 0 || ++breaks > kMostBreaks) {
      return Found::kNot;
    }
  }
  *beginning = beginning_of(bytes);
  return Found::kWhole;
}

Patterns::Found Patterns::compare(std::string_view text, const Pattern& pattern, const Class& kind, size_t* end) const {
  size_t at = 0;
  if (pattern.breaks.empty()) {
    at = std::min(text.size(), pattern.bytes.size());
    if (memcmp(text.data(), pattern.bytes.data(), at) != 0) return Found::kNot;
    *end = at;
    return at == pattern.bytes.size() ? Found::kWhole : Found::kCut;
  }
  size_t breaks = 0;
  for (size_t i = 0; i < pattern.bytes.size(); at++) {
    if (at == text.size()) return Found::kCut;
    if (text[at] == pattern.bytes[i]) {
      i++;
      breaks = 0;
    } else if (i == 0 || !kind.is_break[byte(text[at])] || ++breaks > kMostBreaks) {
      return Found::kNot;
    }
  }
  *end = at;
  return Found::kWhole;
}

bool Patterns::find_at(std::string_view text, size_t begin, const Class& kind, std::vector<Match>* found) const {
  std::string_view rest = text.substr(begin);
  uint32_t beginning = 0;
  Found start = beginning_at(rest, kind, &beginning);
  if (start == Found::kNot || (start == Found::kWhole && !kind.beginnings[hash(beginning)])) return false;
  const std::vector<uint32_t>* candidates = &kind.all;
  if (start == Found::kWhole) {
    auto known = kind.by_beginning.find(beginning);
    if (known == kind.by_beginning.end()) return false;
    candidates = &known->second;
  }
  bool cut = false;
  for (uint32_t i : *candidates) {
    size_t length = 0;
    Found result = compare(rest, all_[i], kind, &length);
    if (result == Found::kCut) cut = true;
    if (result == Found::kWhole) keep_longest({begin, begin + length, i, all_[i].group}, found);
  }
  return cut;
}

size_t Patterns::find(std::string_view text, size_t offset, bool last, Matches* matches) const {
  std::vector<Match> found;
  for (size_t at = 0; at < text.size(); at++) {
    bool cut = false;
    for (const Class& kind : classes_) {
      // Nearly every place ends here.
      if (kind.firsts[byte(text[at])]) cut = find_at(text, at, kind, &found) || cut;
    }
    // What is whole already may yet be longer, and comes again.
    if (cut && !last) return at;
    for (const Match& match : found) matches->add({offset + match.begin, offset + match.end, match.pattern, match.group});
    found.clear();
  }
  return text.size();
}

}  // namespace tsbuild
