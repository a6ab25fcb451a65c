#include "dataplane/grpc/base64.h"

#include <algorithm>
#include <array>

namespace sluice::grpc {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int8_t, 256> MakeValues() {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (int8_t i = 0; i < 64; ++i) values[static_cast<unsigned char>(kAlphabet[i])] = i;
  return values;
}
constexpr std::array<int8_t, 256> kValues = MakeValues();

int ValueOf(char c) { return kValues[static_cast<unsigned char>(c)]; }

// Three bytes of four characters; false if one is not of the alphabet.
inline bool DecodeFour(const char* in, char* out) {
  const int a = ValueOf(in[0]), b = ValueOf(in[1]), c = ValueOf(in[2]), d = ValueOf(in[3]);
  if ((a | b | c | d) < 0) return false;
  const int bits = a << 18 | b << 12 | c << 6 | d;
  out[0] = static_cast<char>(bits >> 16);
  out[1] = static_cast<char>(bits >> 8);
  out[2] = static_cast<char>(bits);
  return true;
}

inline uint32_t ByteAt(std::string_view in, size_t at) {
  return static_cast<unsigned char>(in[at]);
}

}  // namespace

Base64Step Base64Decoder::Decode(std::string_view in, char* out, size_t room) {
  const char* at = in.data();
  const char* const end = at + in.size();
  char* to = out;
  char* const out_end = out + room;
  while (!failed_ && at != end && out_end - to >= 3) {
    if (chars_ == 0 && end - at >= 4 && DecodeFour(at, to)) {
      at += 4;
      to += 3;
      continue;
    }
    failed_ = !Take(*at, &to);
    if (!failed_) ++at;
  }
  return {static_cast<size_t>(at - in.data()), static_cast<size_t>(to - out), failed_};
}

bool Base64Decoder::Take(char c, char** out) {
  if (c == '=') return TakePadding(out);
  const int value = ValueOf(c);
  if (value < 0 || in_padding_) return false;
  bits_ = bits_ << 6 | static_cast<uint32_t>(value);
  if (++chars_ < 4) return true;
  for (const int shift : {16, 8, 0}) *(*out)++ = static_cast<char>(bits_ >> shift);
  bits_ = 0;
  chars_ = 0;
  return true;
}

// Two characters and "==" are one byte, three and "=" two.
bool Base64Decoder::TakePadding(char** out) {
  if (chars_ < 2) return false;
  if (chars_ == 2) {
    if (!in_padding_) {
      in_padding_ = true;
      return true;
    }
    if ((bits_ & 0xf) != 0) return false;
    *(*out)++ = static_cast<char>(bits_ >> 4);
  } else {
    if ((bits_ & 0x3) != 0) return false;
    *(*out)++ = static_cast<char>(bits_ >> 10);
    *(*out)++ = static_cast<char>(bits_ >> 2);
  }
  bits_ = 0;
  chars_ = 0;
  in_padding_ = false;
  return true;
}

Base64Step EncodeBase64(std::string_view in, char* out, size_t room) {
  const size_t groups = std::min(in.size() / 3, room / 4);
  char* to = out;
  size_t at = 0;
  for (; at < groups * 3; at += 3) {
    const uint32_t bits = ByteAt(in, at) << 16 | ByteAt(in, at + 1) << 8 | ByteAt(in, at + 2);
    *to++ = kAlphabet[bits >> 18];
    *to++ = kAlphabet[bits >> 12 & 63];
    *to++ = kAlphabet[bits >> 6 & 63];
    *to++ = kAlphabet[bits & 63];
  }
  const size_t left = in.size() - at;
  if ((left == 1 || left == 2) && room - groups * 4 >= 4) {
    const uint32_t bits = ByteAt(in, at) << 16 | (left == 2 ? ByteAt(in, at + 1) << 8 : 0);
    *to++ = kAlphabet[bits >> 18];
    *to++ = kAlphabet[bits >> 12 & 63];
    *to++ = left == 2 ? kAlphabet[bits >> 6 & 63] : '=';
    *to++ = '=';
    at += left;
  }
  return {at, static_cast<size_t>(to - out)};
}

}  // namespace sluice::grpc
