// Lets RocksDB read a table from a LayerFileSource.
#pragma once

#include <rocksdb/env.h>

#include <memory>
#include <optional>

#include "layer/layer_file_source.h"

namespace varve::layer_file {

// Every file that is opened through it for random access is the source, whatever its name. It must
// outlive what was opened.
std::unique_ptr<rocksdb::Env> source_environment(std::shared_ptr<LayerFileSource> source);

// A status of RocksDB has no room for the code of an error of the source, so that error is kept
// beside it: the last one of the calling thread since it was taken or forgotten. RocksDB reads on
// the thread that calls it, as long as ReadOptions::async_io is off.
std::optional<Error> take_source_error();
void forget_source_error();

}  // namespace varve::layer_file
