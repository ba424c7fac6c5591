#include "remote_storage/s3/ini.h"

#include <algorithm>

namespace varve::s3 {
namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";

std::string_view trim(std::string_view text) {
  const size_t start = text.find_first_not_of(kBlanks);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(kBlanks) - start + 1);
}

bool is_comment(std::string_view line) {
  return line.starts_with('#') || line.starts_with(';');
}

// What stands before a comment: in a value, a '#' or ';' after a blank begins one.
std::string_view without_comment(std::string_view text) {
  for (size_t at = 1; at < text.size(); ++at) {
    if (is_comment(text.substr(at)) && kBlanks.find(text[at - 1]) != std::string_view::npos) {
      return trim(text.substr(0, at));
    }
  }
  return trim(text);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return lower;
}

// "profile  a" and "profile\ta" are "profile a".
std::string with_single_blanks(std::string_view text) {
  std::string single;
  for (const char c : text) {
    const bool blank = kBlanks.find(c) != std::string_view::npos;
    if (!blank) single.push_back(c);
    if (blank && !single.ends_with(' ')) single.push_back(' ');
  }
  return single;
}

class Parser {
 public:
  // False when the line is none of the format.
  bool take(std::string_view line) {
    const std::string_view content = trim(line);
    if (content.empty() || is_comment(content)) return true;
    const size_t indent = line.find_first_not_of(kBlanks);
    if (property_ && indent > indent_) return continue_property(content);
    if (content.starts_with('[')) return start_section(content);
    return add_property(content, indent);
  }

  IniSections finish() && { return std::move(sections_); }

 private:
  bool start_section(std::string_view content) {
    const size_t end = content.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view rest = trim(content.substr(end + 1));
    const std::string name = with_single_blanks(trim(content.substr(1, end - 1)));
    if (name.empty() || (!rest.empty() && !is_comment(rest))) return false;
    section_ = &sections_[name];
    property_ = nullptr;
    return true;
  }

  bool add_property(std::string_view content, size_t indent) {
    const size_t equals = content.find('=');
    if (equals == std::string_view::npos || section_ == nullptr) return false;
    key_ = lower_case(trim(content.substr(0, equals)));
    if (key_.empty()) return false;
    property_ = &(*section_)[key_];
    *property_ = without_comment(content.substr(equals + 1));
    indent_ = indent;
    return true;
  }

  bool continue_property(std::string_view content) {
    const size_t equals = content.find('=');
    if (property_->empty() && equals != std::string_view::npos) {
      const std::string_view child = trim(content.substr(0, equals));
      if (child.empty()) return false;
      (*section_)[key_ + "." + lower_case(child)] = without_comment(content.substr(equals + 1));
      return true;
    }
    property_->append("\n").append(without_comment(content));
    return true;
  }

  IniSections sections_;
  IniSection* section_ = nullptr;
  // The last property of the section that began a line of its own.
  std::string* property_ = nullptr;
  std::string key_;
  size_t indent_ = 0;
};

}  // namespace

Result<IniSections> parse_ini(std::string_view text, std::string_view name) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  Parser parser;
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (!parser.take(text.substr(0, end))) {
      return make_error(ErrorCode::kInvalidArgument,
                        "{}, line {}: expected a [section], key = value below one, or # and a "
                        "comment",
                        name, line);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::move(parser).finish();
}

}  // namespace varve::s3
