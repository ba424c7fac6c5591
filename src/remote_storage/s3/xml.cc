#include "remote_storage/s3/xml.h"

#include "remote_storage/s3/uri.h"
#include "remote_storage/s3/xml_document.h"

namespace varve::s3 {
namespace {

// The texts that a listing may have encoded.
class ListingText {
 public:
  static Result<ListingText> of(const XmlElement& root) {
    VARVE_ASSIGN(const std::string encoding, root.optional_text("EncodingType"));
    if (!encoding.empty() && encoding != "url") {
      return make_error(ErrorCode::kCorrupted, "<EncodingType> is '{}', not url", encoding);
    }
    return ListingText(encoding == "url");
  }

  Result<std::string> required(const XmlElement& element, std::string_view name) const {
    VARVE_ASSIGN(std::string text, element.required_text(name));
    if (!encoded_) return text;
    return decode_listed(text).context(name);
  }

 private:
  explicit ListingText(bool encoded) : encoded_(encoded) {}

  bool encoded_;
};

Result<ListedObject> listed_object(const XmlElement& contents, const ListingText& listing) {
  ListedObject object;
  VARVE_ASSIGN(object.key, listing.required(contents, "Key"));
  VARVE_ASSIGN(object.size, contents.number("Size"));
  VARVE_ASSIGN(object.last_modified, contents.time("LastModified"));
  VARVE_ASSIGN(object.etag, contents.optional_text("ETag"));
  return object;
}

Result<ObjectListing> object_listing(const XmlElement& root) {
  VARVE_ASSIGN(const auto text, ListingText::of(root));
  ObjectListing listing;
  for (const XmlElement& contents : root.all("Contents")) {
    VARVE_ASSIGN(ListedObject object, listed_object(contents, text));
    listing.objects.push_back(std::move(object));
  }
  VARVE_ASSIGN(listing.truncated, root.flag("IsTruncated"));
  if (listing.truncated && listing.objects.empty()) {
    return make_error(ErrorCode::kCorrupted, "another page follows an empty one");
  }
  return listing;
}

Result<ListedUpload> listed_upload(const XmlElement& element, const ListingText& listing) {
  ListedUpload upload;
  VARVE_ASSIGN(upload.key, listing.required(element, "Key"));
  VARVE_ASSIGN(upload.upload_id, element.required_text("UploadId"));
  VARVE_ASSIGN(upload.initiated, element.time("Initiated"));
  return upload;
}

Result<UploadListing> upload_listing(const XmlElement& root) {
  VARVE_ASSIGN(const auto text, ListingText::of(root));
  UploadListing listing;
  for (const XmlElement& element : root.all("Upload")) {
    VARVE_ASSIGN(ListedUpload upload, listed_upload(element, text));
    listing.uploads.push_back(std::move(upload));
  }
  VARVE_ASSIGN(listing.truncated, root.flag("IsTruncated"));
  if (!listing.truncated) return listing;
  VARVE_ASSIGN(listing.next_key_marker, text.required(root, "NextKeyMarker"));
  VARVE_ASSIGN(listing.next_upload_id_marker, root.optional_text("NextUploadIdMarker"));
  if (listing.next_key_marker.empty()) {
    return make_error(ErrorCode::kCorrupted, "another page follows an empty <NextKeyMarker>");
  }
  return listing;
}

// A text of a failure, which is worth telling even where a part of its document is odd.
std::string told(const XmlElement& error, std::string_view name) {
  return error.optional_text(name).value_or("");
}

Result<ErrorDocument> error_document(const XmlElement& root) {
  const bool wrapped = root.name() == "ErrorResponse";
  if (!wrapped && root.name() != "Error") {
    return make_error(ErrorCode::kCorrupted, "the document is <{}>, not <Error>",
                      root.name().substr(0, 64));
  }
  const auto error = wrapped ? root.get("Error") : Result<XmlElement>(root);
  VARVE_TRY(error);
  VARVE_ASSIGN(std::string code, error->required_text("Code"));
  if (code.empty()) return make_error(ErrorCode::kCorrupted, "<Code> is empty");
  ErrorDocument document{.code = std::move(code),
                         .message = told(*error, "Message"),
                         .bucket = told(*error, "BucketName"),
                         .key = told(*error, "Key"),
                         .resource = told(*error, "Resource"),
                         // STS has it beside the error.
                         .request_id = told(wrapped ? root : *error, "RequestId"),
                         .host_id = told(*error, "HostId"),
                         .region = told(*error, "Region"),
                         .endpoint = told(*error, "Endpoint")};
  if (const auto time = error->time("ServerTime"); time.ok()) document.server_time = *time;
  return document;
}

Result<CompletedUpload> completed_upload(const XmlDocument& document) {
  CompletedUpload completed;
  if (document.root().name() == "Error") {
    VARVE_ASSIGN(completed.error, error_document(document.root()));
    return completed;
  }
  VARVE_ASSIGN(const XmlElement root, document.root("CompleteMultipartUploadResult"));
  VARVE_ASSIGN(completed.etag, root.required_text("ETag"));
  return completed;
}

Result<Deletion> deletion(const XmlElement& root) {
  Deletion result;
  for (const XmlElement& deleted : root.all("Deleted")) {
    VARVE_ASSIGN(std::string key, deleted.required_text("Key"));
    result.deleted.push_back(std::move(key));
  }
  for (const XmlElement& error : root.all("Error")) {
    FailedDeletion failed;
    VARVE_ASSIGN(failed.key, error.required_text("Key"));
    VARVE_ASSIGN(failed.code, error.required_text("Code"));
    failed.message = told(error, "Message");
    result.failed.push_back(std::move(failed));
  }
  return result;
}

Result<std::string> created_upload(const XmlElement& root) {
  VARVE_ASSIGN(std::string upload_id, root.required_text("UploadId"));
  if (upload_id.empty()) return make_error(ErrorCode::kCorrupted, "<UploadId> is empty");
  return upload_id;
}

// Reads the document whose element must be `name` with `read`; an error names the request.
template <typename Read>
auto read_answer(ByteView body, std::string_view request, std::string_view name, Read read)
    -> decltype(read(std::declval<XmlElement>())) {
  const auto parsed = [&]() -> decltype(read(std::declval<XmlElement>())) {
    VARVE_ASSIGN(const XmlDocument document, XmlDocument::parse(body));
    VARVE_ASSIGN(const XmlElement root, document.root(name));
    return read(root);
  };
  return parsed().context(fmt::format("answer to {}", request));
}

}  // namespace

Result<ObjectListing> parse_object_listing(ByteView body) {
  return read_answer(body, "ListObjectsV2", "ListBucketResult", object_listing);
}

Result<UploadListing> parse_upload_listing(ByteView body) {
  return read_answer(body, "ListMultipartUploads", "ListMultipartUploadsResult", upload_listing);
}

Result<std::string> parse_created_upload(ByteView body) {
  return read_answer(body, "CreateMultipartUpload", "InitiateMultipartUploadResult",
                     created_upload);
}

Result<Deletion> parse_deletion(ByteView body) {
  return read_answer(body, "DeleteObjects", "DeleteResult", deletion);
}

Result<CompletedUpload> parse_completed_upload(ByteView body) {
  auto document = XmlDocument::parse(body).context("answer to CompleteMultipartUpload");
  VARVE_TRY(document);
  return completed_upload(*document).context("answer to CompleteMultipartUpload");
}

Result<ErrorDocument> parse_error_document(ByteView body) {
  auto document = XmlDocument::parse(body).context("description of a failure");
  VARVE_TRY(document);
  return error_document(document->root()).context("description of a failure");
}

std::string completion_body(std::span<const std::string> etags) {
  std::string body = R"(<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">)";
  for (size_t part = 0; part < etags.size(); ++part) {
    body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", part + 1,
                        xml_escape(etags[part]));
  }
  return body + "</CompleteMultipartUpload>";
}

std::string deletion_body(std::span<const std::string> keys) {
  std::string body =
      R"(<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>)";
  for (const std::string& key : keys) {
    body += fmt::format("<Object><Key>{}</Key></Object>", xml_escape(key));
  }
  return body + "</Delete>";
}

}  // namespace varve::s3
