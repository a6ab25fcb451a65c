// What documents say about clients' certificates and OCSP responses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/config/testing_ocsp.h"
#include "controlplane/build/testing_documents.h"
#include "sluice/v1/certificate.pb.h"
#include "sluice/v1/listener.pb.h"

namespace sluice::build {
namespace {

using config::testing_certificates::MakeSelfSigned;
using config::testing_certificates::Pair;
using config::testing_ocsp::MakeResponse;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_documents::Build;
using testing_documents::DocumentOf;
using testing_documents::Get;
using testing_documents::kNow;
using testing_documents::LinesOf;
using testing_documents::SendAlong;
using testing_documents::WithService;

constexpr int64_t kDay = 86'400;

const Pair& Site() {
  static const Pair pair = MakeSelfSigned();
  return pair;
}

v1::Document WithTls(std::string_view more) {
  v1::Document document = DocumentOf(WithService(
      fmt::format("    tls:\n      cert_path: a.pem\n      key_path: a.key\n{}", more)));
  SendAlong("a.pem", Site().chain_pem, &document);
  SendAlong("a.key", Site().key_pem, &document);
  return document;
}

v1::Document WithOcsp(const std::string& der) {
  v1::Document document = WithTls("      ocsp_path: a.ocsp\n");
  SendAlong("a.ocsp", der, &document);
  return document;
}

std::string Response(int64_t from, int64_t until, int status = V_OCSP_CERTSTATUS_GOOD) {
  return MakeResponse({.certificate_pem = Site().chain_pem,
                       .issuer_pem = Site().chain_pem,
                       .issuer_key_pem = Site().key_pem,
                       .this_update_unix = from,
                       .next_update_unix = until,
                       .status = status});
}

TEST(ClientAuthDocumentTest, ClientsAreNotAskedUnlessItSaysSo) {
  const BuildResult result = Build(WithTls(""));
  ASSERT_THAT(LinesOf(result), ElementsAre());
  EXPECT_FALSE(Get<v1::Listener>(result.resources, v1::RESOURCE_KIND_LISTENER, "web")
                   .tls()
                   .has_client_auth());
}

TEST(ClientAuthDocumentTest, IsRequiredUnlessItSaysOptional) {
  const auto auth = [](std::string_view mode) {
    v1::Document document =
        WithTls(fmt::format("      client_auth: {{ca_path: ca.pem{}}}\n", mode));
    SendAlong("ca.pem", Site().chain_pem, &document);
    const BuildResult result = Build(document);
    EXPECT_THAT(LinesOf(result), ElementsAre());
    EXPECT_THAT(ReferencedPaths(document), ElementsAre("a.key", "a.pem", "ca.pem"));
    return Get<v1::Listener>(result.resources, v1::RESOURCE_KIND_LISTENER, "web")
        .tls()
        .client_auth();
  };
  EXPECT_EQ(auth("").ca_pem(), Site().chain_pem);
  EXPECT_EQ(auth("").mode(), v1::ClientAuth::REQUIRED);
  EXPECT_EQ(auth(", mode: required").mode(), v1::ClientAuth::REQUIRED);
  EXPECT_EQ(auth(", mode: optional").mode(), v1::ClientAuth::OPTIONAL);
}

// One file with certificate and key is common, and so is naming the wrong one.
TEST(TlsDocumentTest, OnlyTheKeysOwnFieldHasTheKey) {
  const std::string combined = Site().chain_pem + Site().key_pem;
  v1::Document document =
      DocumentOf(WithService("    tls:\n      cert_path: a.pem\n      key_path: a.pem\n"
                             "      client_auth: {ca_path: a.pem}\n"));
  SendAlong("a.pem", combined, &document);
  const BuildResult result = Build(document);
  ASSERT_THAT(LinesOf(result), ElementsAre());
  const auto certificate =
      Get<v1::Certificate>(result.resources, v1::RESOURCE_KIND_CERTIFICATE, "a.pem");
  EXPECT_EQ(certificate.chain_pem(), Site().chain_pem);
  EXPECT_THAT(certificate.key_pem(), HasSubstr("PRIVATE KEY"));
  for (const auto& resource : result.resources) {
    if (resource->kind() == v1::RESOURCE_KIND_CERTIFICATE) continue;
    EXPECT_THAT(resource->body(), testing::Not(HasSubstr("PRIVATE KEY"))) << resource->name();
  }
}

// Who may write documents may not for that read what the controller keeps to itself.
TEST(TlsDocumentTest, NothingIsReadFromThePrivateFolder) {
  const std::string folder =
      std::filesystem::canonical(testing::TempDir()).string() + "/private-folder";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder + "/own/deep");
  const std::string secret = folder + "/own/deep/a.pem";
  ASSERT_TRUE(base::WriteFileAtomically(secret, Site().chain_pem + Site().key_pem, 0600).ok());
  std::filesystem::create_symlink(folder + "/own", folder + "/link");
  const auto problems = [&](const std::string& path, const std::string& private_folder) {
    const v1::Document document = DocumentOf(WithService(
        fmt::format("    tls:\n      cert_path: '{0}'\n      key_path: '{0}'\n", path)));
    return LinesOf(BuildSnapshot(document, {.private_folder = private_folder, .now_unix = kNow}));
  };
  EXPECT_THAT(problems(secret, ""), ElementsAre());
  EXPECT_THAT(problems(secret, folder + "/own/deep/a"), ElementsAre());  // A name that begins so.
  for (const std::string& path : {secret, folder + "/own/./deep/../deep/a.pem",
                                  folder + "/link/deep/a.pem", "/proc/self/root" + secret}) {
    for (const std::string& own : {folder + "/own", folder + "/own/", folder + "/link"}) {
      EXPECT_THAT(problems(path, own), testing::Contains(HasSubstr("the controller's own folder")))
          << path << " in " << own;
    }
  }
  std::filesystem::remove_all(folder);
}

TEST(ClientAuthDocumentTest, TellsWhatIsWrongWhereItStands) {
  EXPECT_THAT(LinesOf(Build(WithTls("      client_auth: {mode: optional}\n"))),
              ElementsAre(HasSubstr("a.yaml:7:20: error: services[0].tls.client_auth")));
  EXPECT_THAT(LinesOf(Build(WithTls("      client_auth: {ca_path: ca.pem, mode: always}\n"))),
              testing::Contains(HasSubstr("services[0].tls.client_auth.mode")));
  EXPECT_THAT(
      LinesOf(Build(WithTls("      client_auth: {ca_path: ca.pem}\n"))),
      ElementsAre(HasSubstr("a.yaml:7:30: error: services[0].tls.client_auth.ca_path: cannot read "
                            "'ca.pem'")));
  v1::Document garbage = WithTls("      client_auth: {ca_path: ca.pem}\n");
  SendAlong("ca.pem", "garbage", &garbage);
  EXPECT_THAT(LinesOf(Build(garbage)),
              ElementsAre(HasSubstr("services[0].tls.client_auth.ca_path: 'ca.pem': no "
                                    "certificate found")));
  v1::Document clear = WithTls("      enabled: false\n      client_auth: {ca_path: ca.pem}\n");
  SendAlong("ca.pem", Site().chain_pem, &clear);
  EXPECT_THAT(LinesOf(Build(clear)),
              ElementsAre(HasSubstr("a.yaml:8:20: error: services[0].tls.client_auth: without TLS "
                                    "nobody is asked")));
}

TEST(OcspDocumentTest, GoesWithItsCertificate) {
  const std::string der = Response(kNow - kDay, kNow + kDay);
  const v1::Document document = WithOcsp(der);
  const BuildResult result = Build(document);
  ASSERT_THAT(LinesOf(result), ElementsAre());
  EXPECT_EQ(
      Get<v1::Certificate>(result.resources, v1::RESOURCE_KIND_CERTIFICATE, "a.pem").ocsp_der(),
      der);
  EXPECT_THAT(ReferencedPaths(document), ElementsAre("a.key", "a.ocsp", "a.pem"));
}

TEST(OcspDocumentTest, MayStandInTheListAndOnceForAll) {
  v1::Document document = DocumentOf(
      "services:\n"
      "  - {name: a, bind_address: '127.0.0.1:80', routes: [{name: r, respond: {status: 200}}],\n"
      "     tls: {certificates: [{cert_path: a.pem, key_path: a.key}]}}\n"
      "  - {name: b, bind_address: '127.0.0.1:81', routes: [{name: r, respond: {status: 200}}],\n"
      "     tls: {certificates: [{cert_path: a.pem, key_path: a.key, ocsp_path: a.ocsp}]}}\n"
      "  - {name: c, bind_address: '127.0.0.1:82', routes: [{name: r, respond: {status: 200}}],\n"
      "     tls: {certificates: [{cert_path: a.pem, key_path: a.key, ocsp_path: OTHER}]}}\n");
  SendAlong("a.pem", Site().chain_pem, &document);
  SendAlong("a.key", Site().key_pem, &document);
  SendAlong("a.ocsp", Response(kNow - kDay, kNow + kDay), &document);
  EXPECT_THAT(
      LinesOf(Build(document)),
      ElementsAre(HasSubstr("a.yaml:7:74: error: services[2].tls.certificates[0].ocsp_path: "
                            "'a.pem' has another OCSP response ('a.ocsp') at a.yaml:5:74")));
  std::string* text = document.mutable_files(0)->mutable_content();
  text->replace(text->find("OTHER"), 5, "a.ocsp");
  const BuildResult result = Build(document);
  EXPECT_THAT(LinesOf(result), ElementsAre());
  EXPECT_FALSE(Get<v1::Certificate>(result.resources, v1::RESOURCE_KIND_CERTIFICATE, "a.pem")
                   .ocsp_der()
                   .empty());
}

TEST(OcspDocumentTest, OneThatIsNotStapledOrIsBadNewsIsAWarning) {
  const auto warning = [](const std::string& der) {
    const BuildResult result = Build(WithOcsp(der));
    EXPECT_TRUE(result.ok());
    const std::vector<std::string> lines = LinesOf(result);
    return lines.size() == 1 ? lines[0] : "not one line";
  };
  EXPECT_THAT(warning(Response(kNow - 2 * kDay, kNow - kDay)),
              HasSubstr("a.yaml:7:18: warning: services[0].tls.ocsp_path: 'a.ocsp' expired on "
                        "2027-01-14 and is not stapled; fetch a new OCSP response"));
  EXPECT_THAT(warning(Response(kNow + kDay, kNow + 2 * kDay)),
              HasSubstr("'a.ocsp' is not valid before 2027-01-16"));
  EXPECT_THAT(warning(Response(kNow - kDay, kNow + kDay, V_OCSP_CERTSTATUS_REVOKED)),
              HasSubstr("does not say that the certificate is good"));
}

TEST(OcspDocumentTest, OneThatIsOfNoUseIsAnError) {
  EXPECT_THAT(LinesOf(Build(WithOcsp("garbage"))),
              ElementsAre(HasSubstr("a.yaml:7:18: error: services[0].tls.ocsp_path: 'a.ocsp': no "
                                    "OCSP response; give it in DER")));
  EXPECT_THAT(LinesOf(Build(WithTls("      ocsp_path: gone.ocsp\n"))),
              ElementsAre(HasSubstr("services[0].tls.ocsp_path: cannot read 'gone.ocsp'")));
}

}  // namespace
}  // namespace sluice::build
