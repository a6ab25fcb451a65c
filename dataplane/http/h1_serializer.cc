#include "dataplane/http/h1_serializer.h"

#include <bit>
#include <charconv>

namespace sluice::http {

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
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 102: return "Processing";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "";
  }
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
