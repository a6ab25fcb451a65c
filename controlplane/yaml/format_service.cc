// The keys of `services[]` outside of its routes.
#include "common/config/words.h"
#include "controlplane/yaml/checks.h"
#include "controlplane/yaml/format.h"
#include "sluice/v1/listener.pb.h"

namespace sluice::yaml {
namespace {

constexpr int64_t kDayMs = 24 * 60 * 60 * 1000;
constexpr Choice kTlsVersions[] = {{"1.2"}, {"1.3"}};
constexpr Choice kClientAuthModes[] = {{"required", v1::ClientAuth::REQUIRED},
                                       {"optional", v1::ClientAuth::OPTIONAL}};

// Of a service's only certificate and of each of several.
constexpr Key kOcspPath = {
    .name = "ocsp_path",
    .doc =
        "DER file of the OCSP response that is stapled to the certificate while it is valid. Read "
        "by the controller at every apply, and where it watches the configuration, whenever the "
        "file changes.",
    .example = "'/etc/sluice/www.ocsp'",
    .without = "nothing is stapled",
    .check = CheckFile};

constexpr Key kCertificateKeys[] = {
    {.name = "cert_path",
     .doc = "PEM file of the certificate, followed by its intermediates. Read by the controller.",
     .example = "'/etc/sluice/www.pem'",
     .required = true,
     .check = CheckFile},
    {.name = "key_path",
     .doc = "PEM file of its private key, without a password. Read by the controller.",
     .example = "'/etc/sluice/www.key'",
     .required = true,
     .check = CheckFile},
    kOcspPath,
};

}  // namespace

const constinit Block kCertificate = {
    .title = "services[].tls.certificates[]",
    .doc = "One of several certificates; clients get the one that fits the name they ask for.",
    .keys = kCertificateKeys};

namespace {

constexpr Key kClientAuthKeys[] = {
    {.name = "mode",
     .kind = KeyKind::kChoice,
     .doc = "`required`: a client without a certificate that can be verified is refused in the "
            "handshake. `optional`: it may have none, but none that cannot be verified.",
     .example = "'optional'",
     .field = "mode",
     .initial = "required",
     .choices = kClientAuthModes},
    {.name = "ca_path",
     .doc = "PEM file of the authorities whose certificates are accepted. Read by the controller.",
     .example = "'/etc/sluice/clients-ca.pem'",
     .required = true,
     .check = CheckFile},
};
constexpr Block kClientAuth = {
    .title = "services[].tls.client_auth",
    .doc =
        "Asks clients for certificates (mutual TLS). Upstreams learn whose it is from "
        "`X-Forwarded-Client-Cert`, the access log from `client_cert_subject`.",
    .message = v1::ClientAuth::descriptor,
    .keys = kClientAuthKeys};

constexpr Key kTlsKeys[] = {
    {.name = "enabled",
     .kind = KeyKind::kFlag,
     .doc = "Whether the service speaks TLS.",
     .example = "true",
     .field = "enabled",
     .initial = "true"},
    {.name = "cert_path",
     .doc = "PEM file of the certificate, followed by its intermediates. Read by the controller, "
            "relative to the document's folder, and sent to the proxies.",
     .example = "'/path/to/cert.pem'",
     .without = "see certificates",
     .check = CheckFile},
    {.name = "key_path",
     .doc = "PEM file of its private key, without a password. Read by the controller.",
     .example = "'/path/to/key.pem'",
     .without = "see certificates",
     .check = CheckFile},
    kOcspPath,
    {.name = "certificates",
     .kind = KeyKind::kBlocks,
     .doc =
         "Further certificates, chosen by the name the client asks for (SNI). The first of all is "
         "the default.",
     .example = "[{cert_path: 'b.pem', key_path: 'b.key'}]",
     .without = "none but cert_path",
     .block = &kCertificate},
    {.name = "min_version",
     .kind = KeyKind::kChoice,
     .doc = "The oldest TLS version accepted.",
     .example = "'1.3'",
     .field = "min_version",
     .initial = "1.2",
     .choices = kTlsVersions},
    {.name = "client_auth",
     .kind = KeyKind::kBlock,
     .doc = "Certificates asked of clients.",
     .example = "{ca_path: '/etc/sluice/clients-ca.pem'}",
     .field = "client_auth",
     .without = "clients are not asked for one",
     .block = &kClientAuth},
};
constexpr Block kTls = {.title = "services[].tls",
                        .doc = "TLS towards clients. Left out, the service speaks clear text.",
                        .message = v1::ListenerTls::descriptor,
                        .keys = kTlsKeys};

constexpr Key kTimeoutKeys[] = {
    {.name = "handshake",
     .kind = KeyKind::kDuration,
     .doc = "For the TLS handshake, from the connection's begin.",
     .example = "10s",
     .field = "handshake_ms",
     .initial = "10s",
     .max = kDayMs},
    {.name = "header",
     .kind = KeyKind::kDuration,
     .doc = "For a whole request head, from its first byte.",
     .example = "15s",
     .field = "header_ms",
     .initial = "15s",
     .max = kDayMs},
    {.name = "idle",
     .kind = KeyKind::kDuration,
     .doc = "Between two reads or writes while a message is under way.",
     .example = "60s",
     .field = "idle_ms",
     .initial = "60s",
     .max = kDayMs},
    {.name = "keep_alive",
     .kind = KeyKind::kDuration,
     .doc = "For an idle connection between two requests.",
     .example = "75s",
     .field = "keep_alive_ms",
     .initial = "75s",
     .max = kDayMs},
    {.name = "half_close",
     .kind = KeyKind::kDuration,
     .doc = "To begin the answer to a client that has closed its sending side, and between two "
            "pieces of it.",
     .example = "10s",
     .field = "half_close_ms",
     .initial = "10s",
     .max = kDayMs},
};
constexpr Block kTimeouts = {.title = "services[].timeouts",
                             .doc = "How long clients may take; `0s` means no limit.",
                             .message = v1::DownstreamTimeouts::descriptor,
                             .keys = kTimeoutKeys};

constexpr Key kLimitKeys[] = {
    {.name = "header_bytes",
     .kind = KeyKind::kInteger,
     .doc = "Size of a request head, start line included. Beyond it: 431.",
     .example = "65536",
     .field = "header_bytes",
     .initial = "65536",
     .min = 256,
     .max = 1 << 20},
    {.name = "header_count",
     .kind = KeyKind::kInteger,
     .doc = "Fields of a request head. Beyond it: 431.",
     .example = "100",
     .field = "header_count",
     .initial = "100",
     .min = 1,
     .max = 10'000},
    {.name = "target_bytes",
     .kind = KeyKind::kInteger,
     .doc = "Size of a request target. Beyond it: 414.",
     .example = "16384",
     .field = "target_bytes",
     .without = "16384, or header_bytes if that is less",
     .min = 16,
     .max = 1 << 20},
    {.name = "body_bytes",
     .kind = KeyKind::kInteger,
     .doc = "Size of a request body; 0 means no limit. Beyond it: 413.",
     .example = "10485760",
     .field = "body_bytes",
     .initial = "0"},
    {.name = "connections",
     .kind = KeyKind::kInteger,
     .doc = "Open client connections of one proxy; 0 means no limit.",
     .example = "20000",
     .field = "connections",
     .initial = "0",
     .max = 10'000'000},
};
constexpr Block kLimits = {.title = "services[].limits",
                           .doc = "How much clients may send.",
                           .message = v1::DownstreamLimits::descriptor,
                           .keys = kLimitKeys};

constexpr Key kProxyProtocolKeys[] = {
    {.name = "trusted",
     .kind = KeyKind::kTexts,
     .doc = "CIDR blocks of the load balancers that send the header. What anybody else sends is "
            "never taken for one.",
     .example = "['10.0.0.0/24']",
     .field = "trusted",
     .required = true,
     .check = CheckCidr},
    {.name = "required",
     .kind = KeyKind::kFlag,
     .doc = "Whether a connection from there that does not begin with a header is closed. A "
            "header that is not valid always closes it.",
     .example = "true",
     .field = "required",
     .initial = "true"},
};
constexpr Block kProxyProtocol = {
    .title = "services[].proxy_protocol",
    .doc =
        "The PROXY protocol, version 1 or 2, before TLS and HTTP. The client it names takes "
        "the place of the connection's own address everywhere: `peer` in the access log, "
        "X-Forwarded-For, trusted_proxies, `hash_on: client_ip`. It must arrive within "
        "timeouts.header.",
    .message = v1::ListenerProxyProtocol::descriptor,
    .keys = kProxyProtocolKeys};

constexpr Choice kProtocols[] = {{"http", v1::LISTENER_PROTOCOL_HTTP},
                                 {"tcp", v1::LISTENER_PROTOCOL_TCP}};

constexpr Key kServiceKeys[] = {
    {.name = "name",
     .doc = "The service's name, in logs, metrics and commands. Unique.",
     .example = "'api-gateway'",
     .field = "name",
     .required = true,
     .check = config::NameProblem},
    {.name = "bind_address",
     .doc = "IP address and port to listen on.",
     .example = "'0.0.0.0:8000'",
     .field = "address",
     .required = true,
     .check = config::AddressProblem},
    {.name = "protocol",
     .kind = KeyKind::kChoice,
     .doc =
         "http, or tcp: bytes are passed on, whatever they are. The routes of a tcp service have "
         "no paths and nothing of HTTP; `host` is the server name a client asks for in TLS (SNI), "
         "be it ours (`tls`) or, without `tls`, that of the upstream, to which it goes unopened. "
         "A client that names none takes the first route without a `host`. `timeouts.tunnel` of "
         "the route says how long a connection may be silent.",
     .example = "'tcp'",
     .field = "protocol",
     .initial = "http",
     .choices = kProtocols},
    {.name = "tls",
     .kind = KeyKind::kBlock,
     .doc = "TLS towards clients.",
     .example = "{cert_path: '/path/to/cert.pem', key_path: '/path/to/key.pem'}",
     .field = "tls",
     .without = "clear text",
     .block = &kTls},
    {.name = "trusted_proxies",
     .kind = KeyKind::kTexts,
     .doc =
         "CIDR blocks of proxies in front of this one, whose X-Forwarded-* and X-Request-ID count.",
     .example = "['10.0.0.0/8']",
     .field = "trusted_proxies",
     .without = "server.trusted_proxies",
     .check = CheckCidr},
    {.name = "proxy_protocol",
     .kind = KeyKind::kBlock,
     .doc = "Load balancers in front that name the client by the PROXY protocol.",
     .example = "{trusted: ['10.0.0.0/24']}",
     .field = "proxy_protocol",
     .without = "no header is read",
     .block = &kProxyProtocol},
    {.name = "timeouts",
     .kind = KeyKind::kBlock,
     .doc = "How long clients may take.",
     .example = "{header: 15s}",
     .field = "timeouts",
     .block = &kTimeouts},
    {.name = "limits",
     .kind = KeyKind::kBlock,
     .doc = "How much clients may send.",
     .example = "{body_bytes: 10485760}",
     .field = "limits",
     .block = &kLimits},
    {.name = "placement",
     .kind = KeyKind::kTextMap,
     .doc = "Labels that a node must have, every one of them, to serve this: other nodes get "
            "neither the service nor the upstreams and certificates that it alone uses. Two "
            "services may have one address where no node can have both.",
     .example = "{zone: 'eu', tier: 'edge'}",
     .field = "placement",
     .without = "on all nodes",
     .pair_check = config::LabelProblem},
    {.name = "routes",
     .kind = KeyKind::kBlocks,
     .doc = "Tried in this order; the first that matches a request serves it. No match: 404.",
     .example = "[{name: 'web', upstreams: [{name: 'web'}]}]",
     .required = true,
     .block = &kRoute},
};

}  // namespace

const constinit Block kService = {
    .title = "services[]",
    .doc = "A service: where the proxies listen, what they grant clients, where requests go.",
    .message = v1::Listener::descriptor,
    .keys = kServiceKeys};

}  // namespace sluice::yaml
