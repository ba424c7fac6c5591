#include "layer/layer_name.h"

#include <array>

namespace varve {
namespace {

constexpr std::string_view kExtension = ".sst";
constexpr size_t kKeyDigits = 2 * Key::kSize;
constexpr size_t kLsnDigits = 16;

bool parse_lsn(std::string_view text, Lsn& lsn) {
  std::array<uint8_t, 8> bytes{};
  if (!hex_decode(text, bytes)) return false;
  lsn.value = load_big<uint64_t>(bytes.data());
  return true;
}

// Cuts `prefix` off the front of `text`.
bool consume(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string_view consume_digits(std::string_view& text, size_t count) {
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(digits.size());
  return digits;
}

bool parse_parts(std::string_view text, LayerName& layer) {
  const auto key = [&](Key& out) {
    auto parsed = Key::parse(consume_digits(text, kKeyDigits));
    if (parsed.ok()) out = *parsed;
    return parsed.ok();
  };
  const auto lsn = [&](Lsn& out) { return parse_lsn(consume_digits(text, kLsnDigits), out); };

  if (!key(layer.keys.start) || !consume(text, "-") || !key(layer.keys.end) ||
      !consume(text, "__") || !lsn(layer.lsn_start)) {
    return false;
  }
  layer.is_image = !consume(text, "-");
  if (layer.is_image) {
    layer.lsn_end.value = layer.lsn_start.value + 1;
  } else if (!lsn(layer.lsn_end)) {
    return false;
  }
  return text == kExtension && !layer.keys.empty() && layer.lsn_start < layer.lsn_end;
}

}  // namespace

std::string LayerName::to_string() const {
  std::string text = fmt::format("{}-{}__{:016x}", keys.start, keys.end, lsn_start.value);
  if (!is_image) text += fmt::format("-{:016x}", lsn_end.value);
  text += kExtension;
  return text;
}

Result<LayerName> LayerName::parse(std::string_view text) {
  LayerName layer;
  if (!parse_parts(text, layer) || layer.to_string() != text) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is not the name of a layer file", text);
  }
  return layer;
}

}  // namespace varve
