#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <ctime>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "dataplane/tls/certificate.h"
#include "dataplane/tls/client_auth.h"
#include "dataplane/tls/context.h"
#include "dataplane/tls/ssl_common.h"
#include "dataplane/tls/staples.h"

namespace sluice::tls {
namespace {

// RFC 6066 section 3: a DNS name, hence at most 255 bytes.
constexpr size_t kServerNameBytesMax = 255;

// Only what is fast and forward secret; SECLEVEL as the system sets it.
constexpr char kCiphers12[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

struct NameHash {
  using is_transparent = void;
  size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
};
using ContextByName = std::unordered_map<std::string, SSL_CTX*, NameHash, std::equal_to<>>;

// OpenSSL looks an algorithm up by name at every use unless it was fetched.
const EVP_CIPHER* TicketCipher() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
  return cipher;
}

bool StartTicketMac(EVP_MAC_CTX* mac, const TicketKeys::Key& key) {
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(
          OSSL_MAC_PARAM_KEY, const_cast<uint8_t*>(key.mac_key.data()), key.mac_key.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END};
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

// What OpenSSL's ticket key callback answers.
enum TicketAnswer { kTicketError = -1, kTicketUnknown = 0, kTicketGood = 1, kTicketRenew = 2 };

TicketAnswer SealTicket(const TicketKeys::Key& key, uint8_t* name, uint8_t* iv,
                        EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
  std::copy(key.name.begin(), key.name.end(), name);
  const bool good =
      RAND_bytes(iv, EVP_CIPHER_get_iv_length(TicketCipher())) == 1 &&
      EVP_EncryptInit_ex2(cipher, TicketCipher(), key.cipher_key.data(), iv, nullptr) == 1 &&
      StartTicketMac(mac, key);
  return good ? kTicketGood : kTicketError;
}

TicketAnswer OpenTicket(const TicketKeys::Ring& ring, const uint8_t* name, const uint8_t* iv,
                        EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
  for (const TicketKeys::Key& key : ring.keys) {
    if (!std::equal(key.name.begin(), key.name.end(), name)) continue;
    const bool good =
        EVP_DecryptInit_ex2(cipher, TicketCipher(), key.cipher_key.data(), iv, nullptr) == 1 &&
        StartTicketMac(mac, key);
    if (!good) return kTicketError;
    return &key == &ring.keys.front() ? kTicketGood : kTicketRenew;
  }
  return kTicketUnknown;
}

// Certificates with different types of keys that one name is served with, by index; at most one a
// type.
using Group = std::vector<size_t>;

void AddToGroup(Group& group, size_t index, const std::vector<ParsedCertificate>& certificates) {
  const auto same_type = [&certificates, index](size_t other) {
    return certificates[other].key_type == certificates[index].key_type;
  };
  if (std::none_of(group.begin(), group.end(), same_type)) group.push_back(index);
}

std::map<std::string, Group> GroupsByName(const std::vector<ParsedCertificate>& certificates) {
  std::map<std::string, Group> groups;
  for (size_t i = 0; i < certificates.size(); ++i) {
    for (const std::string& name : certificates[i].names) AddToGroup(groups[name], i, certificates);
  }
  return groups;
}

}  // namespace

struct ServerContext::Parts {
  std::vector<SslCtxPtr> contexts;  // One for each group.
  SSL_CTX* fallback = nullptr;
  ContextByName exact;
  ContextByName wildcard;  // By what follows "*.".
  std::string alpn_wire;
  TicketKeys* ticket_keys = nullptr;
  SessionIdContext session_id_context{};
  std::optional<ClientAuth> client_auth;
  Staples staples;
  int64_t not_after_unix = std::numeric_limits<int64_t>::max();

  SSL_CTX* Find(std::string_view name) const;
  absl::StatusOr<SSL_CTX*> AddContext(const Group& group,
                                      const std::vector<ParsedCertificate>& certificates,
                                      const ServerContextOptions& options);
  absl::Status AddNames(const std::vector<ParsedCertificate>& certificates,
                        const ServerContextOptions& options);

  // The session's hold on its context, and with it on what callbacks read.
  using Holder = std::shared_ptr<const ServerContext>;
  static int HolderIndex();
  static const Parts& Of(const SSL* ssl);

  static int OnServerName(SSL* ssl, int* alert, void*);
  static int OnAlpn(SSL* ssl, const unsigned char** out, unsigned char* out_bytes,
                    const unsigned char* in, unsigned int in_bytes, void*);
  static int OnTicketKey(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                         EVP_MAC_CTX* mac, int seal);
  static int OnStatusRequest(SSL* ssl, void*);
};

int ServerContext::Parts::HolderIndex() {
  static const int index = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr, [](void*, void* holder, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<Holder*>(holder);
      });
  return index;
}

const ServerContext::Parts& ServerContext::Parts::Of(const SSL* ssl) {
  return *(*static_cast<Holder*>(SSL_get_ex_data(ssl, HolderIndex())))->parts_;
}

SSL_CTX* ServerContext::Parts::Find(std::string_view name) const {
  char lower[kServerNameBytesMax];
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  if (name.size() > sizeof(lower)) return fallback;
  std::transform(name.begin(), name.end(), lower, [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  name = {lower, name.size()};
  if (const auto found = exact.find(name); found != exact.end()) return found->second;
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0) return fallback;
  const auto found = wildcard.find(name.substr(dot + 1));
  return found != wildcard.end() ? found->second : fallback;
}

int ServerContext::Parts::OnServerName(SSL* ssl, int*, void*) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_CTX* chosen = Of(ssl).Find(name);
  if (chosen != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, chosen);
  return SSL_TLSEXT_ERR_OK;
}

int ServerContext::Parts::OnAlpn(SSL* ssl, const unsigned char** out, unsigned char* out_bytes,
                                 const unsigned char* in, unsigned int in_bytes, void*) {
  const std::string& ours = Of(ssl).alpn_wire;
  unsigned char* chosen = nullptr;
  const int outcome =
      SSL_select_next_proto(&chosen, out_bytes, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned int>(ours.size()), in, in_bytes);
  // RFC 7301 section 3.2: no overlap is a fatal no_application_protocol alert.
  if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int ServerContext::Parts::OnTicketKey(SSL* ssl, unsigned char* name, unsigned char* iv,
                                      EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seal) {
  const std::shared_ptr<const TicketKeys::Ring> ring = Of(ssl).ticket_keys->Current();
  return seal != 0 ? SealTicket(ring->keys.front(), name, iv, cipher, mac)
                   : OpenTicket(*ring, name, iv, cipher, mac);
}

int ServerContext::Parts::OnStatusRequest(SSL* ssl, void*) {
  return Of(ssl).staples.Answer(ssl, std::time(nullptr)) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

absl::StatusOr<SSL_CTX*> ServerContext::Parts::AddContext(
    const Group& group, const std::vector<ParsedCertificate>& certificates,
    const ServerContextOptions& options) {
  SslCtxPtr context = NewContext(TLS_server_method());
  SSL_CTX* raw = context.get();
  for (const size_t index : group) RETURN_IF_ERROR(UseCertificate(raw, certificates[index]));

  if (options.min_version == "1.3") {
    SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION);
  } else if (options.min_version != "1.2" && !options.min_version.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("service {}: min_version must be 1.2 or 1.3, not {}", options.service,
                    options.min_version));
  }
  SLUICE_CHECK(SSL_CTX_set_cipher_list(raw, kCiphers12) == 1);
  SLUICE_CHECK(SSL_CTX_set1_groups_list(raw, "X25519:P-256:P-384") == 1);
  // Clients without fast AES put ChaCha20 first and get it.
  SSL_CTX_set_options(raw, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);

  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(raw, session_id_context.data(), session_id_context.size());
  if (ticket_keys != nullptr) {
    SSL_CTX_set_num_tickets(raw, 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(raw, OnTicketKey);
  } else {
    SSL_CTX_set_num_tickets(raw, 0);
    SSL_CTX_set_options(raw, SSL_OP_NO_TICKET);
  }
  if (client_auth.has_value()) client_auth->Apply(raw);
  if (!staples.empty()) SSL_CTX_set_tlsext_status_cb(raw, OnStatusRequest);
  SSL_CTX_set_tlsext_servername_callback(raw, OnServerName);
  if (!alpn_wire.empty()) SSL_CTX_set_alpn_select_cb(raw, OnAlpn, nullptr);
  contexts.push_back(std::move(context));
  return raw;
}

absl::Status ServerContext::Parts::AddNames(const std::vector<ParsedCertificate>& certificates,
                                            const ServerContextOptions& options) {
  const std::map<std::string, Group> groups = GroupsByName(certificates);
  std::map<Group, SSL_CTX*> made;
  for (const auto& [name, group] : groups) {
    SSL_CTX*& context = made[group];
    if (context == nullptr) {
      ASSIGN_OR_RETURN(context, AddContext(group, certificates, options));
    }
    if (name.starts_with("*.")) {
      wildcard.emplace(name.substr(2), context);
    } else {
      exact.emplace(name, context);
    }
  }
  // The first certificate, with those of other types that share its first name.
  Group first = {0};
  if (!certificates.front().names.empty()) {
    const Group& group = groups.at(certificates.front().names.front());
    if (group.front() == 0) first = group;
  }
  SSL_CTX*& context = made[first];
  if (context == nullptr) {
    ASSIGN_OR_RETURN(context, AddContext(first, certificates, options));
  }
  fallback = context;
  return absl::OkStatus();
}

ServerContext::ServerContext(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}

ServerContext::~ServerContext() = default;

absl::StatusOr<std::shared_ptr<const ServerContext>> ServerContext::Make(
    const ServerContextOptions& options) {
  if (options.certificates.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("service {}: TLS needs at least one certificate", options.service));
  }
  auto parts = std::make_unique<Parts>();
  std::vector<ParsedCertificate> certificates;
  for (const v1::Certificate* certificate : options.certificates) {
    ASSIGN_OR_RETURN(ParsedCertificate parsed, ParseCertificate(*certificate));
    RETURN_IF_ERROR(parts->staples.Add(*certificate, parsed));
    certificates.push_back(std::move(parsed));
  }
  parts->session_id_context = SessionIdContextOf(options.service, options.client_auth);
  if (options.client_auth != nullptr) {
    ASSIGN_OR_RETURN(parts->client_auth, ClientAuth::Make(*options.client_auth));
  }
  parts->ticket_keys = options.ticket_keys;
  ASSIGN_OR_RETURN(parts->alpn_wire, EncodeAlpn(options.alpn));
  for (const ParsedCertificate& certificate : certificates) {
    parts->not_after_unix = std::min(parts->not_after_unix, certificate.not_after_unix);
  }
  RETURN_IF_ERROR(parts->AddNames(certificates, options));
  return std::shared_ptr<const ServerContext>(new ServerContext(std::move(parts)));
}

SslPtr ServerContext::NewSession() const {
  SslPtr ssl(SSL_new(parts_->fallback));
  if (ssl == nullptr) return nullptr;
  auto holder = std::make_unique<Parts::Holder>(shared_from_this());
  if (SSL_set_ex_data(ssl.get(), Parts::HolderIndex(), holder.get()) != 1) return nullptr;
  holder.release();
  SSL_set_accept_state(ssl.get());
  return ssl;
}

int64_t ServerContext::not_after_unix() const { return parts_->not_after_unix; }

bool ServerContext::MayKeep(const SSL* ssl) const {
  const Parts* before = ssl != nullptr ? &Parts::Of(ssl) : nullptr;
  if (before == parts_.get()) return true;
  const bool asked_before = before != nullptr && before->client_auth.has_value();
  if (!asked_before && !parts_->client_auth.has_value()) return true;
  return before != nullptr && before->session_id_context == parts_->session_id_context;
}

}  // namespace sluice::tls
