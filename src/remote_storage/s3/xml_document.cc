#include "remote_storage/s3/xml_document.h"

#include <charconv>

namespace varve::s3 {
namespace {

template <typename... Args>
Error corrupted(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(ErrorCode::kCorrupted, format, std::forward<Args>(args)...);
}

// Enough of a value to recognise it in a message.
std::string_view shortened(std::string_view value) {
  return value.substr(0, 64);
}

// "&#0;" and its like end a text early: the parser hands out strings that end with a NUL.
bool has_reference_to_nul(std::string_view text) {
  for (size_t at = text.find("&#"); at != std::string_view::npos; at = text.find("&#", at)) {
    at += 2;
    if (at < text.size() && text[at] == 'x') ++at;
    const size_t zeros = at;
    while (at < text.size() && text[at] == '0') ++at;
    if (at > zeros && at < text.size() && text[at] == ';') return true;
  }
  return false;
}

}  // namespace

std::optional<XmlElement> XmlElement::find(std::string_view name) const {
  for (const pugi::xml_node child : node_.children()) {
    if (child.name() == name) return XmlElement(child);
  }
  return std::nullopt;
}

std::vector<XmlElement> XmlElement::all(std::string_view name) const {
  std::vector<XmlElement> found;
  for (const pugi::xml_node child : node_.children()) {
    if (child.name() == name) found.emplace_back(child);
  }
  return found;
}

Result<XmlElement> XmlElement::get(std::string_view name) const {
  const auto found = find(name);
  if (!found) return corrupted("<{}> has no <{}>", node_.name(), name);
  return *found;
}

Result<std::string> XmlElement::text() const {
  std::string text;
  for (const pugi::xml_node child : node_.children()) {
    if (child.type() == pugi::node_element) {
      return corrupted("<{}> holds <{}> where text was expected", node_.name(), child.name());
    }
    text += child.value();
  }
  return text;
}

Result<std::string> XmlElement::optional_text(std::string_view name) const {
  const auto found = find(name);
  if (!found) return std::string();
  return found->text();
}

Result<std::string> XmlElement::required_text(std::string_view name) const {
  VARVE_ASSIGN(const XmlElement found, get(name));
  return found.text();
}

Result<uint64_t> XmlElement::number(std::string_view name) const {
  VARVE_ASSIGN(const std::string text, required_text(name));
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return corrupted("<{}> is '{}', not a number of 64 bits", name, shortened(text));
  }
  return number;
}

Result<bool> XmlElement::flag(std::string_view name) const {
  VARVE_ASSIGN(const std::string text, required_text(name));
  if (text != "true" && text != "false") {
    return corrupted("<{}> is '{}', neither true nor false", name, shortened(text));
  }
  return text == "true";
}

Result<Timestamp> XmlElement::time(std::string_view name) const {
  VARVE_ASSIGN(const std::string text, required_text(name));
  const auto time = Timestamp::parse(text);
  if (!time.ok()) return corrupted("<{}> is '{}', not an ISO 8601 time", name, shortened(text));
  return *time;
}

Result<XmlDocument> XmlDocument::parse(ByteView body) {
  if (as_text(body).find('\0') != std::string_view::npos || has_reference_to_nul(as_text(body))) {
    return corrupted("the XML contains a NUL");
  }
  auto document = std::make_unique<pugi::xml_document>();
  // A key may consist of blanks alone.
  const auto parsed = document->load_buffer(body.data(), body.size(),
                                            pugi::parse_default | pugi::parse_ws_pcdata_single,
                                            pugi::encoding_utf8);
  if (parsed.status == pugi::status_out_of_memory) {
    return make_error(ErrorCode::kExhausted, "no memory to parse {} bytes of XML", body.size());
  }
  if (!parsed) return corrupted("not XML: {} at byte {}", parsed.description(), parsed.offset);
  size_t roots = 0;
  for (const pugi::xml_node child : document->children()) {
    roots += child.type() == pugi::node_element ? 1 : 0;
  }
  if (roots != 1) return corrupted("not XML: {} elements at the top instead of one", roots);
  return XmlDocument(std::move(document));
}

Result<XmlElement> XmlDocument::root(std::string_view name) const {
  if (root().name() == name) return root();
  return corrupted("the document is <{}>, not <{}>", shortened(root().name()), name);
}

std::string xml_escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      escaped += fmt::format("&#{};", static_cast<int>(c));
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

}  // namespace varve::s3
