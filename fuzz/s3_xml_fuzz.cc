// Answers of S3: nothing that a server sends is more than an error, and every key that was read is
// written so that it is read as the same.
#include "expect.h"
#include "remote_storage/s3/xml.h"
#include "remote_storage/s3/xml_document.h"

namespace varve::s3 {
namespace {

// What the server would read in a request to delete them.
void expect_readable(const std::vector<std::string>& keys) {
  const std::string body = deletion_body(keys);
  const auto document = XmlDocument::parse(as_bytes(body));
  expect(document.ok());
  const auto objects = document->root().all("Object");
  expect(objects.size() == keys.size());
  for (size_t at = 0; at < keys.size(); ++at) {
    expect(objects[at].required_text("Key").value() == keys[at]);
  }
}

void look(ByteView body) {
  std::vector<std::string> keys;
  if (const auto listing = parse_object_listing(body); listing.ok()) {
    for (const auto& object : listing->objects) keys.push_back(object.key);
  }
  if (const auto listing = parse_upload_listing(body); listing.ok()) {
    for (const auto& upload : listing->uploads) keys.push_back(upload.key);
  }
  if (const auto deletion = parse_deletion(body); deletion.ok()) {
    for (const auto& key : deletion->deleted) keys.push_back(key);
  }
  // No request can name a key with a NUL.
  std::erase_if(keys, [](const std::string& key) { return key.find('\0') != std::string::npos; });
  expect_readable(keys);

  const auto created = parse_created_upload(body);
  expect(!created.ok() || !created->empty());
  const auto error = parse_error_document(body);
  expect(!error.ok() || !error->code.empty());
  const auto completed = parse_completed_upload(body);
  expect(!completed.ok() || !completed->error || error.ok());
}

}  // namespace
}  // namespace varve::s3

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  varve::s3::look({data, size});
  return 0;
}
