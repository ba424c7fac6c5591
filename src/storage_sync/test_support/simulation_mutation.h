// Ways to misbehave, each of which the simulation has to notice: what no mutation breaks is a check
// that could as well not be there.
#pragma once

#include <array>
#include <ostream>
#include <string_view>

namespace varve::simulation {

enum class Mutation {
  kNone,
  // Of the storage.
  kPutReplaces,
  kPutIsLost,
  kPutIsDamaged,
  kObjectVanishes,
  kListingIsStale,
  // Of the work directory.
  kJournalIsLost,
  kLayerIsTruncated,
  kMetadataIsWrittenFirst,
  kTimelineIsLost,
  kCheckpointInTwoSteps,
  kOldStateIsWritten,
  kLsnGoesBack,
  // Of what runs.
  kDoneBeforeTheCommit,
  kFenceIsIgnored,
  kHeadIsMadeUp,
  kNotRegistered,
  kTaskBesidesTheQueue,
  kUploadIsNotAskedFor,
  kLayerIsForgotten,
  kMixtureIsCommitted,
  kDownloadIsCut,
};

struct MutationCase {
  Mutation mutation;
  std::string_view name;
  // Begins the message of the promise that it breaks.
  std::string_view broken;
};

inline std::ostream& operator<<(std::ostream& out, const MutationCase& mutation) {
  return out << mutation.name;
}

}  // namespace varve::simulation
