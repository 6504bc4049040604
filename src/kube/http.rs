//! One HTTP client to the API server: which limits its connections have.

use std::time::Duration;

use ::kube::client::{Client, ConfigExt};
use ::kube::{Config, Error};
use http_body_util::Limited;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tower::{BoxError, ServiceBuilder};

/// Time for a connection to stand, TLS included by the limit of each call.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// A connection on which nothing happens for that long is asked for a sign of life.
const KEEPALIVE: Duration = Duration::from_secs(3);
/// That many signs of life may be missed.
const KEEPALIVE_RETRIES: u32 = 2;
/// Sent bytes that nobody confirms for that long end the connection.
const UNCONFIRMED_LIMIT: Duration = Duration::from_secs(6);
/// An unused connection is kept for that long.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// Greatest size of one answer, a watch's included: then it is begun anew.
const ANSWER_LIMIT: usize = 64 << 20;

/// A client with connections of its own that never repeats a request: what was sent and not answered is the caller's to
/// look after. (The pool underneath takes another connection when it finds one closed before a byte was written.)
pub(super) fn client(config: &Config) -> Result<Client, Error> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_LIMIT));
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE));
    connector.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
    #[cfg(target_os = "linux")]
    connector.set_tcp_user_timeout(Some(UNCONFIRMED_LIMIT));
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let http = HttpClient::builder(TokioExecutor::new()).pool_idle_timeout(IDLE_LIMIT).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_response(|response: ::http::Response<_>| response.map(|body| Limited::new(body, ANSWER_LIMIT)))
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace.clone()))
}
