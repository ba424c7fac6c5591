// The URLs of remote storages, and opening one.
//
//   file:///absolute/path
//   s3://bucket/prefix?region=REGION&endpoint=URL&path_style=true|false
//
// Percent-encoding as in RFC 3986; a '+' stands for itself. Credentials never stand in a URL,
// because URLs end up in logs, process lists and configuration files.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "remote_storage/local_fs.h"
#include "remote_storage/remote_storage.h"

namespace varve {

struct FileLocation {
  // Absolute and normalised.
  std::filesystem::path root;
  bool operator==(const FileLocation&) const = default;
};

struct S3Location {
  std::string bucket;
  // Goes before every key, with a '/' between; may be empty.
  std::string prefix = {};
  // Empty: from the environment.
  std::string region = {};
  // "http[s]://host[:port][/path]" of a server other than AWS; empty: AWS.
  std::string endpoint = {};
  // The bucket stands in the path rather than in the host name.
  bool path_style = false;
  bool operator==(const S3Location&) const = default;
};

using RemoteLocation = std::variant<FileLocation, S3Location>;

// InvalidArgument, with a message that says what was expected, for everything else. No message
// repeats what may be a secret.
Result<RemoteLocation> parse_remote_url(std::string_view url);

// The inverse of parse_remote_url.
std::string to_url(const RemoteLocation& location);

struct OpenRemoteOptions {
  // Whether it must be writable.
  LocalFs::Access access = LocalFs::Access::kReadWrite;
  // Outlives the storage.
  Clock* clock = &system_clock();
};

// A storage that makes single attempts; see retrying.h and metered.h for what belongs around it. A
// bucket is sent nothing yet. Errors as of parse_remote_url(), LocalFs::open() and s3::open_s3().
Result<std::unique_ptr<RemoteStorage>> open_remote_storage(std::string_view url,
                                                           const OpenRemoteOptions& options = {});

}  // namespace varve
