// An XML answer, read with checks: what is absent or malformed is Corrupted, naming the element.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <pugixml.hpp>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace varve::s3 {

// Valid as long as its document.
class XmlElement {
 public:
  explicit XmlElement(pugi::xml_node node) : node_(node) {}

  std::string_view name() const { return node_.name(); }
  std::optional<XmlElement> find(std::string_view name) const;
  std::vector<XmlElement> all(std::string_view name) const;
  Result<XmlElement> get(std::string_view name) const;

  // The text of this element, which has no elements in it.
  Result<std::string> text() const;

  // The text of the first element of that name in this one; empty when there is none.
  Result<std::string> optional_text(std::string_view name) const;
  // The same, of one that must be there.
  Result<std::string> required_text(std::string_view name) const;
  Result<uint64_t> number(std::string_view name) const;
  // "true" or "false".
  Result<bool> flag(std::string_view name) const;
  // ISO 8601.
  Result<Timestamp> time(std::string_view name) const;

 private:
  pugi::xml_node node_;
};

class XmlDocument {
 public:
  // Corrupted unless it is one well-formed UTF-8 document. No entity is expanded but XML's own, and
  // nothing outside of the document is read.
  static Result<XmlDocument> parse(ByteView body);

  XmlElement root() const { return XmlElement(document_->document_element()); }
  // The root, whose name must be this one.
  Result<XmlElement> root(std::string_view name) const;

 private:
  explicit XmlDocument(std::unique_ptr<pugi::xml_document> document)
      : document_(std::move(document)) {}

  std::unique_ptr<pugi::xml_document> document_;
};

// The text as it stands in an XML element. Characters that end of line handling would change, and
// controls, are numeric references: S3 takes those although XML 1.0 allows few of them.
std::string xml_escape(std::string_view text);

}  // namespace varve::s3
