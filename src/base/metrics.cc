#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>

namespace varve {
namespace {

template <typename Metric>
using Families = std::map<std::string, prometheus::Family<Metric>*>;

// `builder` makes the family of this name when there is none.
template <typename Metric, typename Builder>
prometheus::Family<Metric>& family(Families<Metric>& families, prometheus::Registry& registry,
                                   Builder builder, const std::string& name,
                                   const std::string& help) {
  auto& found = families[name];
  if (found == nullptr) {
    try {
      found = &builder.Name(name).Help(help).Register(registry);
    } catch (const std::exception& exception) {
      spdlog::critical("cannot register the metric {}: {}", name, exception.what());
      std::abort();
    }
  }
  return *found;
}

}  // namespace

struct Metrics::State {
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Throw};
  std::mutex mutex;
  Families<prometheus::Counter> counters;
  Families<prometheus::Gauge> gauges;
  Families<prometheus::Histogram> histograms;
};

void Counter::add(double amount) {
  counter_->Increment(amount);
}
void Gauge::set(double value) {
  gauge_->Set(value);
}
void Gauge::add(double amount) {
  gauge_->Increment(amount);
}
void Histogram::observe(double value) {
  histogram_->Observe(value);
}

const std::vector<double>& duration_buckets() {
  static const std::vector<double> buckets{0.001, 0.003, 0.01, 0.03, 0.1, 0.3,
                                           1,     3,     10,   30,   100, 300};
  return buckets;
}

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(const std::string& name, const std::string& help,
                         const MetricLabels& labels) {
  const std::lock_guard lock(state_->mutex);
  return Counter(family(state_->counters, state_->registry, prometheus::BuildCounter(), name, help)
                     .Add(labels));
}

Gauge Metrics::gauge(const std::string& name, const std::string& help, const MetricLabels& labels) {
  const std::lock_guard lock(state_->mutex);
  return Gauge(
      family(state_->gauges, state_->registry, prometheus::BuildGauge(), name, help).Add(labels));
}

void Metrics::remove_gauge(const std::string& name, const MetricLabels& labels) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->gauges.find(name);
  if (found == state_->gauges.end() || !found->second->Has(labels)) return;
  found->second->Remove(&found->second->Add(labels));
}

Histogram Metrics::histogram(const std::string& name, const std::string& help,
                             const MetricLabels& labels, const std::vector<double>& buckets) {
  const std::lock_guard lock(state_->mutex);
  return Histogram(
      family(state_->histograms, state_->registry, prometheus::BuildHistogram(), name, help)
          .Add(labels, buckets));
}

std::vector<MetricSample> Metrics::samples() const {
  std::vector<MetricSample> samples;
  for (const prometheus::MetricFamily& family : state_->registry.Collect()) {
    for (const prometheus::ClientMetric& metric : family.metric) {
      MetricLabels labels;
      for (const auto& label : metric.label) labels.emplace(label.name, label.value);
      switch (family.type) {
        case prometheus::MetricType::Counter:
          samples.push_back({family.name, labels, metric.counter.value});
          break;
        case prometheus::MetricType::Gauge:
          samples.push_back({family.name, labels, metric.gauge.value});
          break;
        case prometheus::MetricType::Histogram:
          samples.push_back(
              {family.name + "_count", labels, static_cast<double>(metric.histogram.sample_count)});
          samples.push_back({family.name + "_sum", labels, metric.histogram.sample_sum});
          break;
        default:  // There is no way to make others.
          break;
      }
    }
  }
  std::ranges::sort(
      samples, {}, [](const MetricSample& sample) { return std::tie(sample.name, sample.labels); });
  return samples;
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace varve
