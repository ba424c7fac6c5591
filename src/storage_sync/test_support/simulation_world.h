// What the servers of a simulation share.
#pragma once

#include <thread>

#include "remote_storage/faulty.h"
#include "storage_sync/test_support/simulation_choices.h"
#include "storage_sync/test_support/simulation_directory.h"
#include "storage_sync/test_support/simulation_mutation.h"

namespace varve::simulation {

// The only threads. With one thread each, and nothing random or dependent on time on them, they
// do not make a difference to what happens.
struct Pools {
  ThreadPool codec{{.name = "codec", .threads = 1}};
  ThreadPool transfer{{.name = "transfer", .threads = 1}};
};

// What becomes of requests.
struct Weather {
  // Of a request to fail in one way or another.
  double faults = 0;
  // Of something else to happen while a request is under way.
  double meanwhile = 0;
  // Until then nobody reaches the storage, or one server does not.
  BootTime outage_ends{0};
  std::optional<uint32_t> cut_off;
};

// A put whose sender has given up on it, and that the network has not.
struct StrayPut {
  std::string key;
  Bytes body;
  PutCondition condition = PutCondition::kIfAbsent;
  Sender sender;
};

// A request under way.
struct ActiveCall {
  uint32_t server = 0;
  std::optional<LogName> log;
};

class Server;

class World {
 public:
  World(uint64_t seed, Mutation which, bool aloud, Pools& threads)
      : mutation(which),
        pools(threads),
        choices(seed),
        story(aloud),
        clean_random(seed),
        clean{storage, clock, clean_random, pools.codec, pools.transfer, {}} {}

  // Whether a mutation strikes now; with no such mutation nothing is drawn.
  bool strikes(Mutation which, double probability = 0.2) {
    return mutation == which && mutates && choices.chance(probability);
  }
  bool on_main_thread() const { return std::this_thread::get_id() == main_thread_; }

  const Mutation mutation;
  // Once there is something that can go wrong.
  bool mutates = false;
  Pools& pools;
  Choices choices;
  Story story;
  ManualClock clock;
  MemoryStorage storage{clock};
  SeededRandom clean_random;
  // Reaches the storage without faults.
  SyncContext clean;
  Model model;
  Ledger ledger{clean, model, story};
  Directories directories;
  Weather weather;
  std::vector<StrayPut> stray_puts;
  std::vector<ActiveCall> calls;
  // Lets other things happen while a request of the server is under way.
  std::function<void(Server&)> meanwhile;
  uint32_t servers = 0;
  // Of layers, items, tenants and timelines.
  uint64_t names = 0;

 private:
  const std::thread::id main_thread_ = std::this_thread::get_id();
};

}  // namespace varve::simulation
