// Metrics in Prometheus' sense: what a process counts about itself, with labels, as text for a
// scraper.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace varve {

using MetricLabels = std::map<std::string, std::string>;

// Handles of single time series. Cheap to copy, thread-safe, valid as long as the Metrics they come
// from.

class Counter {
 public:
  // `amount` must not be negative.
  void add(double amount = 1);

 private:
  friend class Metrics;
  explicit Counter(prometheus::Counter& counter) : counter_(&counter) {}
  prometheus::Counter* counter_;
};

class Gauge {
 public:
  void set(double value);
  void add(double amount);

 private:
  friend class Metrics;
  explicit Gauge(prometheus::Gauge& gauge) : gauge_(&gauge) {}
  prometheus::Gauge* gauge_;
};

class Histogram {
 public:
  void observe(double value);

 private:
  friend class Metrics;
  explicit Histogram(prometheus::Histogram& histogram) : histogram_(&histogram) {}
  prometheus::Histogram* histogram_;
};

// The value of one series at one moment. A histogram is two: NAME_count and NAME_sum.
struct MetricSample {
  std::string name;
  MetricLabels labels;
  double value = 0;
  bool operator==(const MetricSample&) const = default;
};

// Upper bounds for durations in seconds, from a millisecond to several minutes.
const std::vector<double>& duration_buckets();

// Thread-safe. Asking again for the same name and labels gives the same series; the help text and
// the buckets are those of the first time. A name that Prometheus does not allow, or that is in use
// for another kind of metric, is a defect of the program and ends it.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter counter(const std::string& name, const std::string& help,
                  const MetricLabels& labels = {});
  Gauge gauge(const std::string& name, const std::string& help, const MetricLabels& labels = {});
  Histogram histogram(const std::string& name, const std::string& help,
                      const MetricLabels& labels = {},
                      const std::vector<double>& buckets = duration_buckets());

  // For what a label names and is no more: its last value would be told for ever. No handle of the
  // series may be used any more; that it never was is no error.
  void remove_gauge(const std::string& name, const MetricLabels& labels);

  // Everything, in Prometheus' text exposition format 0.0.4.
  std::string text() const;
  // Everything, sorted by name and labels.
  std::vector<MetricSample> samples() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace varve
