#include "dataplane/http/h1_serializer.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <iterator>

namespace sluice::http {
namespace {

struct Reason {
  uint16_t status;
  std::string_view text;
};

// In order of status.
constexpr Reason kReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

}  // namespace

void HeadWriter::Number(uint64_t value) {
  char digits[20];
  const auto result = std::to_chars(digits, digits + sizeof digits, value);
  Append({digits, static_cast<size_t>(result.ptr - digits)});
}

void HeadWriter::StatusLine(uint16_t status, std::string_view reason) {
  if (status == 200 && (reason.empty() || reason == "OK")) {
    Append("HTTP/1.1 200 OK\r\n");
    return;
  }
  Append("HTTP/1.1 ");
  Number(status);
  Append(" ");
  Append(reason.empty() ? ReasonOf(status) : reason);
  Append("\r\n");
}

std::string_view ReasonOf(uint16_t status) {
  const auto* found = std::lower_bound(
      std::begin(kReasons), std::end(kReasons), status,
      [](const Reason& reason, uint16_t wanted) { return reason.status < wanted; });
  return found != std::end(kReasons) && found->status == status ? found->text : std::string_view();
}

size_t WriteChunkSizeLine(size_t bytes, char* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  const int digits = bytes == 0 ? 1 : (static_cast<int>(std::bit_width(bytes)) + 3) / 4;
  for (int i = digits - 1; i >= 0; --i) *out++ = kHex[bytes >> (4 * i) & 0xf];
  *out++ = '\r';
  *out = '\n';
  return static_cast<size_t>(digits) + 2;
}

std::string ChunkedEnd(const std::vector<Field>& trailers) {
  std::string end = "0\r\n";
  for (const Field& field : trailers) {
    end.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  return end += "\r\n";
}

}  // namespace sluice::http
