#include "common/trust/identity.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <vector>

#include "common/base/hash.h"
#include "common/base/openssl_ptr.h"
#include "common/base/status_macros.h"
#include "common/trust/pem.h"

namespace sluice::trust {
namespace {

constexpr size_t kNameBytesMax = 128;
constexpr std::string_view kNodePrefix = "sluice://node/";
constexpr std::string_view kControllerPrefix = "sluice://controller/";
constexpr std::string_view kOperatorPrefix = "sluice://operator/";
constexpr std::string_view kUnitPrefix = "sluice-";
constexpr std::string_view kNodeUnit = "node", kControllerUnit = "controller";

using base::NamesPtr;

std::string Escape(std::string_view name) {
  std::string escaped;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_';
    if (plain) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

// Nothing for what Escape never makes.
std::optional<std::string> Unescape(std::string_view text) {
  std::string name;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      name += text[at];
      continue;
    }
    const auto byte = base::HexDecode(text.substr(at + 1, 2));
    if (!byte.has_value() || byte->size() != 1) return std::nullopt;
    name += *byte;
    at += 2;
  }
  if (Escape(name) != text || !IsIdentityName(name)) return std::nullopt;
  return name;
}

std::string_view View(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

std::vector<std::string> SluiceUris(const X509* certificate) {
  std::vector<std::string> uris;
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  ERR_clear_error();
  if (names == nullptr) return uris;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const std::string_view uri = View(name->d.uniformResourceIdentifier);
    if (uri.starts_with("sluice://")) uris.emplace_back(uri);
  }
  return uris;
}

bool ReadUri(std::string_view uri, Identity* identity) {
  for (const auto& [prefix, kind] : {std::pair(kNodePrefix, Identity::Kind::kNode),
                                     std::pair(kControllerPrefix, Identity::Kind::kController)}) {
    if (!uri.starts_with(prefix)) continue;
    auto name = Unescape(uri.substr(prefix.size()));
    if (!name.has_value()) return false;
    identity->kind = kind;
    identity->name = *std::move(name);
    return true;
  }
  if (!uri.starts_with(kOperatorPrefix)) return false;
  uri.remove_prefix(kOperatorPrefix.size());
  const size_t slash = uri.find('/');
  if (slash == std::string_view::npos) return false;
  const auto role = RoleOf(uri.substr(0, slash));
  auto name = Unescape(uri.substr(slash + 1));
  if (!role.has_value() || !name.has_value()) return false;
  identity->kind = Identity::Kind::kOperator;
  identity->role = *role;
  identity->name = *std::move(name);
  return true;
}

// What exactly one organizational unit says; false: none is ours, or more than one.
bool ReadUnits(const X509* certificate, Identity* identity) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  int found = 0;
  for (int at = -1;;) {
    at = X509_NAME_get_index_by_NID(subject, NID_organizationalUnitName, at);
    if (at < 0) return found == 1;
    std::string_view unit = View(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (!unit.starts_with(kUnitPrefix)) continue;
    unit.remove_prefix(kUnitPrefix.size());
    const auto role = RoleOf(unit);
    if (!role.has_value() && unit != kNodeUnit && unit != kControllerUnit) continue;
    ++found;
    identity->kind = role.has_value()    ? Identity::Kind::kOperator
                     : unit == kNodeUnit ? Identity::Kind::kNode
                                         : Identity::Kind::kController;
    identity->role = role.value_or(Role::kNone);
  }
}

}  // namespace

std::string_view NameOf(Role role) {
  switch (role) {
    case Role::kNone:
      return "none";
    case Role::kViewer:
      return "viewer";
    case Role::kOperator:
      return "operator";
    case Role::kAdmin:
      return "admin";
  }
  __builtin_unreachable();
}

std::optional<Role> RoleOf(std::string_view name) {
  for (const Role role : {Role::kViewer, Role::kOperator, Role::kAdmin}) {
    if (name == NameOf(role)) return role;
  }
  return std::nullopt;
}

bool IsIdentityName(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::string NodeUri(std::string_view node_id) {
  return fmt::format("{}{}", kNodePrefix, Escape(node_id));
}

std::string ControllerUri(std::string_view name) {
  return fmt::format("{}{}", kControllerPrefix, Escape(name));
}

std::string OperatorUri(Role role, std::string_view name) {
  return fmt::format("{}{}/{}", kOperatorPrefix, NameOf(role), Escape(name));
}

absl::StatusOr<Identity> IdentityOf(std::string_view certificate_pem, Authority authority) {
  ASSIGN_OR_RETURN(const X509Ptr certificate, ParseCertificate(certificate_pem));
  Identity identity;
  identity.serial = SerialOf(certificate.get());
  identity.not_before_unix = NotBefore(certificate.get());
  identity.not_after_unix = NotAfter(certificate.get());
  const std::vector<std::string> uris = SluiceUris(certificate.get());
  if (uris.size() > 1) {
    return absl::UnauthenticatedError("the certificate has more than one sluice:// name");
  }
  if (uris.size() == 1) {
    if (ReadUri(uris.front(), &identity)) return identity;
    return absl::UnauthenticatedError(fmt::format(
        "the certificate's name {} is none of sluice://node/ID, sluice://operator/ROLE/NAME and "
        "sluice://controller/NAME",
        uris.front().substr(0, 200)));
  }
  identity.name = CommonName(certificate.get());
  if (authority == Authority::kExternal && IsIdentityName(identity.name) &&
      ReadUnits(certificate.get(), &identity)) {
    return identity;
  }
  return absl::UnauthenticatedError(fmt::format(
      "the certificate names nobody: it needs sluice://node/ID or sluice://operator/ROLE/NAME "
      "among its alternative names{}",
      authority == Authority::kOwn ? ""
                                   : ", or one organizational unit sluice-node, "
                                     "sluice-controller, sluice-viewer, sluice-operator or "
                                     "sluice-admin beside its common name"));
}

}  // namespace sluice::trust
