//! A plain reverse proxy on Pingora: what the other peers of tools/bench do by configuration.
//!
//! usage: pingora-peer CONFIG.json      (written by adapters/pingora.py; see Config)

use std::collections::HashMap;
use std::error::Error as AnyError;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs, thread};

use async_trait::async_trait;
use pingora_core::listeners::tls::TlsSettings;
use pingora_core::modules::http::HttpModules;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::tls::ssl::{SslOptions, SslSessionCacheMode, SslVersion};
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType, Result};
use pingora_http::RequestHeader;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};
use serde::{Deserialize, Serialize};

// ---- configuration --------------------------------------------------------------------------

#[derive(Deserialize)]
struct Config {
    listen: String,
    /// Without: plain HTTP/1.1.
    tls: Option<Tls>,
    /// The file of the access log. Without: none is written.
    log: Option<String>,
    upstreams: HashMap<String, Target>,
    /// Prefix of the path, with a slash at its end, to the name of an upstream. The longest wins.
    routes: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Tls {
    cert: String,
    key: String,
    /// Offer HTTP/2 with ALPN.
    h2: bool,
}

#[derive(Deserialize)]
struct Target {
    address: String,
    /// HTTP/2 in clear text, without asking.
    h2: bool,
}

/// Idle connections kept to all upstreams together: no scenario has more at work.
const POOL_CONNECTIONS_MAX: usize = 8192;
/// Exchanges at a time on one HTTP/2 connection to an upstream: what servers commonly allow.
const UPSTREAM_STREAMS_MAX: usize = 100;

/// TLS 1.3 with one curve and one cipher, and nothing to resume a session with.
fn tls_settings(tls: &Tls) -> Result<TlsSettings, Box<dyn AnyError>> {
    let mut settings = TlsSettings::intermediate(&tls.cert, &tls.key)?;
    settings.set_min_proto_version(Some(SslVersion::TLS1_3))?;
    settings.set_ciphersuites("TLS_AES_128_GCM_SHA256")?;
    settings.set_groups_list("X25519")?;
    settings.set_options(SslOptions::NO_TICKET);
    settings.set_num_tickets(0)?;
    settings.set_session_cache_mode(SslSessionCacheMode::OFF);
    if tls.h2 {
        settings.enable_h2();
    }
    Ok(settings)
}

// ---- access log -----------------------------------------------------------------------------

#[derive(Serialize)]
struct Line<'a> {
    ts: f64,
    client: &'a str,
    method: &'a str,
    uri: &'a str,
    status: u16,
    bytes: usize,
    duration: f64,
    upstream: &'a str,
    request_id: &'a str,
    user_agent: &'a str,
}

/// Lines leave when there are 64 KiB of them, or after a second.
struct AccessLog(Mutex<BufWriter<File>>);

impl AccessLog {
    fn open(path: &str) -> std::io::Result<Arc<Self>> {
        let file = File::options().create(true).append(true).open(path)?;
        let log = Arc::new(Self(Mutex::new(BufWriter::with_capacity(64 << 10, file))));
        let flushed = log.clone();
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_secs(1));
                let _ = flushed.0.lock().unwrap().flush();
            }
        });
        Ok(log)
    }

    /// A full disk costs lines, not requests.
    fn write(&self, line: &Line) {
        let mut out = self.0.lock().unwrap();
        let _ = serde_json::to_writer(&mut *out, line);
        let _ = out.write_all(b"\n");
    }
}

// ---- proxy ----------------------------------------------------------------------------------

struct Upstream {
    address: String,
    peer: HttpPeer,
}

impl Upstream {
    fn new(target: Target) -> Self {
        let mut peer = HttpPeer::new(&target.address, false, String::new());
        if target.h2 {
            peer.options.set_http_version(2, 2);
            peer.options.max_h2_streams = UPSTREAM_STREAMS_MAX;
        }
        Self {
            address: target.address,
            peer,
        }
    }
}

struct Proxy {
    routes: HashMap<String, Arc<Upstream>>,
    log: Option<Arc<AccessLog>>,
}

impl Proxy {
    /// Takes away the path's last segment until what is left is a route's prefix.
    fn route(&self, path: &str) -> Option<&Arc<Upstream>> {
        path.rmatch_indices('/')
            .find_map(|(slash, _)| self.routes.get(&path[..=slash]))
    }
}

/// One request and its answer.
struct Exchange {
    started: Instant,
    request_id: String,
    upstream: Option<Arc<Upstream>>,
}

fn client_of(session: &Session) -> String {
    let address = session.client_addr().and_then(|address| address.as_inet());
    address
        .map(|inet| inet.ip().to_string())
        .unwrap_or_default()
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Exchange;

    fn new_ctx(&self) -> Exchange {
        Exchange {
            started: Instant::now(),
            request_id: format!("{:032x}", rand::random::<u128>()),
            upstream: None,
        }
    }

    /// Without the module for compression, which is there by default.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn upstream_peer(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
    ) -> Result<Box<HttpPeer>> {
        let Some(upstream) = self.route(session.req_header().uri.path()) else {
            return Error::e_explain(ErrorType::HTTPStatus(404), "no route");
        };
        exchange.upstream = Some(upstream.clone());
        Ok(Box::new(upstream.peer.clone()))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        request.insert_header("X-Request-ID", exchange.request_id.as_str())?;
        request.append_header("X-Forwarded-For", client_of(session))?;
        Ok(())
    }

    async fn logging(&self, session: &mut Session, _: Option<&Error>, exchange: &mut Exchange) {
        let Some(log) = &self.log else { return };
        let request = session.req_header();
        let user_agent = request
            .headers
            .get("user-agent")
            .and_then(|value| value.to_str().ok());
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        log.write(&Line {
            ts: now.as_millis() as f64 / 1e3,
            client: &client_of(session),
            method: request.method.as_str(),
            uri: request.uri.path_and_query().map_or("", |uri| uri.as_str()),
            status: session
                .response_written()
                .map_or(0, |response| response.status.as_u16()),
            bytes: session.body_bytes_sent(),
            duration: exchange.started.elapsed().as_micros() as f64 / 1e6,
            upstream: exchange
                .upstream
                .as_ref()
                .map_or("", |upstream| &upstream.address),
            request_id: &exchange.request_id,
            user_agent: user_agent.unwrap_or_default(),
        });
    }
}

fn main() -> Result<(), Box<dyn AnyError>> {
    let path = env::args()
        .nth(1)
        .ok_or("usage: pingora-peer CONFIG.json")?;
    let config: Config = serde_json::from_str(&fs::read_to_string(path)?)?;

    let upstreams: HashMap<_, _> = config
        .upstreams
        .into_iter()
        .map(|(name, target)| (name, Arc::new(Upstream::new(target))))
        .collect();
    let mut routes = HashMap::new();
    for (prefix, name) in config.routes {
        let upstream = upstreams
            .get(&name)
            .ok_or(format!("{prefix}: no upstream {name}"))?;
        routes.insert(prefix, upstream.clone());
    }
    let log = config.log.as_deref().map(AccessLog::open).transpose()?;

    let conf = ServerConf {
        threads: 1,
        upstream_keepalive_pool_size: POOL_CONNECTIONS_MAX,
        // The harness has no patience: it ends at once.
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Proxy { routes, log });
    match &config.tls {
        Some(tls) => service.add_tls_with_settings(&config.listen, None, tls_settings(tls)?),
        None => service.add_tcp(&config.listen),
    }
    server.add_service(service);
    server.run_forever()
}
