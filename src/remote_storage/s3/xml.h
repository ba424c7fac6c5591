// The bodies of S3 requests and answers. Pure functions; the elements are those of the Amazon S3
// API reference, and those that nobody here needs are ignored. Whatever is malformed or lacks an
// element is Corrupted, with the reason. No function takes a body for what it is not: one with
// another document element, such as an <Error> with status 200, is Corrupted unless said otherwise.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace varve::s3 {

struct ListedObject {
  std::string key;
  uint64_t size = 0;
  Timestamp last_modified = {};
  // As the server writes it: with its quotes.
  std::string etag = {};
  bool operator==(const ListedObject&) const = default;
};

// An answer to ListObjectsV2.
struct ObjectListing {
  std::vector<ListedObject> objects = {};
  // Whether another page follows, which is asked for by the last key.
  bool truncated = false;
};

// Keys are decoded when the answer says <EncodingType>url</EncodingType>. The prefix is not looked
// at, which AWS encodes and radosgw does not. Corrupted when another page would follow an empty
// one.
Result<ObjectListing> parse_object_listing(ByteView body);

struct ListedUpload {
  std::string key;
  std::string upload_id = {};
  Timestamp initiated = {};
  bool operator==(const ListedUpload&) const = default;
};

// An answer to ListMultipartUploads.
struct UploadListing {
  std::vector<ListedUpload> uploads = {};
  // Whether another page follows; it starts behind the markers.
  bool truncated = false;
  std::string next_key_marker = {};
  // May be empty even when another page follows.
  std::string next_upload_id_marker = {};
};

// Keys and the key marker are decoded when the answer says <EncodingType>url</EncodingType>. Better
// ask without encoding-type: radosgw then encodes the keys without saying so, and never the marker
// (RGWListBucketMultiparts_ObjStore_S3 in src/rgw/rgw_rest_s3.cc). Nothing gets lost, since a
// character that XML lacks comes as a numeric reference, which is read.
Result<UploadListing> parse_upload_listing(ByteView body);

// The upload ID in an answer to CreateMultipartUpload.
Result<std::string> parse_created_upload(ByteView body);

// What S3 says of a failure. Texts that it does not say are empty.
struct ErrorDocument {
  // "NoSuchKey", "SlowDown"; the only one that is always there.
  std::string code;
  std::string message = {};
  std::string bucket = {};
  std::string key = {};
  std::string resource = {};
  std::string request_id = {};
  std::string host_id = {};
  // Where the bucket really is: AuthorizationHeaderMalformed, PermanentRedirect.
  std::string region = {};
  std::string endpoint = {};
  // The server's clock: RequestTimeTooSkewed. None also when it is unreadable, since it is advice
  // beside an error that counts in any case.
  std::optional<Timestamp> server_time = {};
  bool operator==(const ErrorDocument&) const = default;
};

// An <Error>, alone or, as STS has it, within an <ErrorResponse>.
Result<ErrorDocument> parse_error_document(ByteView body);

// An answer to CompleteMultipartUpload. S3 sends the status 200 before it knows the end, so that a
// success may turn out to be a failure.
struct CompletedUpload {
  std::string etag = {};
  std::optional<ErrorDocument> error = {};
};
Result<CompletedUpload> parse_completed_upload(ByteView body);

// A key that DeleteObjects could not delete.
struct FailedDeletion {
  std::string key;
  std::string code = {};
  std::string message = {};
  bool operator==(const FailedDeletion&) const = default;
};

// An answer to DeleteObjects.
struct Deletion {
  // Empty in quiet mode.
  std::vector<std::string> deleted = {};
  std::vector<FailedDeletion> failed = {};
};
Result<Deletion> parse_deletion(ByteView body);

// The body of CompleteMultipartUpload; etags[0] is that of part number 1.
std::string completion_body(std::span<const std::string> etags);

// The body of DeleteObjects in quiet mode, in which the answer has only what failed.
std::string deletion_body(std::span<const std::string> keys);

}  // namespace varve::s3
