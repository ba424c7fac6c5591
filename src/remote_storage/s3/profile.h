// A profile of the shared files of the AWS tools.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "remote_storage/s3/environment.h"
#include "remote_storage/s3/ini.h"

namespace varve::s3 {

struct Profile {
  std::string name;
  // Whether one of the files has it.
  bool found = false;
  // The properties of both files together. Those of the credentials file win, and a set of keys is
  // never put together from both.
  IniSection values = {};
  // Where it is, or where it was looked for: "~/.aws/config and ~/.aws/credentials".
  std::string files = {};

  // A property that is set to something.
  std::optional<std::string> value(std::string_view key) const;
  // "profile 'backup' of ~/.aws/config and ~/.aws/credentials", for messages.
  std::string to_string() const;
};

// The profile of that name, or else that of AWS_PROFILE, or else "default", from the files that
// AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name, or else ~/.aws/credentials and
// ~/.aws/config. In the config file it is [profile NAME] (or [default]), in the other one [NAME]. A
// file that does not exist is an empty one. InvalidArgument when a profile that was asked for by
// name is in neither, or when a file is malformed; Denied when one must not be read.
Result<Profile> load_profile(const EnvironmentVariables& environment,
                             const std::optional<std::string>& name);

}  // namespace varve::s3
