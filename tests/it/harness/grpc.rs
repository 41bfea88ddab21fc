//! What Envoy says and hears over gRPC.

use std::collections::HashMap;
use std::time::Duration;

use envoy_types::ext_authz::v3::pb::{
    Address as EnvoyAddress, CheckRequest, CheckResponse, HttpResponse,
};
use envoy_types::pb::envoy::config::core::v3::{Address as Wrapped, SocketAddress};
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::Gate;

/// A check, as Envoy would write it.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    http: HttpRequest,
    source: String,
}

impl Check {
    pub(crate) fn of(method: &str, path: &str) -> Self {
        let http = HttpRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            host: "app.example.com".to_owned(),
            scheme: "https".to_owned(),
            protocol: "HTTP/1.1".to_owned(),
            ..HttpRequest::default()
        };
        let source = "127.0.0.1".to_owned();
        Self { http, source }.header(":path", path)
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::of("GET", path)
    }

    /// Adds a header line. Envoy writes names in small letters, and joins lines of one name by a comma.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let lines = &mut self.http.headers;
        lines
            .entry(name.to_owned())
            .and_modify(|line| *line = format!("{line},{value}"))
            .or_insert_with(|| value.to_owned());
        self
    }

    pub(crate) fn bearer(self, token: impl std::fmt::Display) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn page_load(self) -> Self {
        self.header("accept", "text/html,*/*;q=0.8")
            .header("sec-fetch-mode", "navigate")
    }

    /// Who sent the request to Envoy.
    pub(crate) fn from(mut self, address: &str) -> Self {
        address.clone_into(&mut self.source);
        self
    }

    /// Changes anything at all.
    pub(crate) fn but(mut self, change: impl FnOnce(&mut HttpRequest)) -> Self {
        change(&mut self.http);
        self
    }

    pub(crate) fn message(&self) -> CheckRequest {
        let socket = SocketAddress {
            address: self.source.clone(),
            ..SocketAddress::default()
        };
        let peer = Peer {
            address: Some(Wrapped {
                address: Some(EnvoyAddress::SocketAddress(socket)),
            }),
            ..Peer::default()
        };
        CheckRequest {
            attributes: Some(AttributeContext {
                source: Some(peer),
                request: Some(Request {
                    http: Some(self.http.clone()),
                    ..Request::default()
                }),
                ..AttributeContext::default()
            }),
        }
    }

    /// Asks on a connection of its own.
    pub(crate) fn send(&self, gate: &Gate) -> Told {
        let message = self.message();
        run(async {
            Told(
                client(gate)
                    .await
                    .check(message)
                    .await
                    .map(tonic::Response::into_inner),
            )
        })
    }
}

/// Runs something that waits.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let limited = async { tokio::time::timeout(Duration::from_secs(20), work).await };
    runtime.block_on(limited).expect("it ends in time")
}

/// A connection to the gRPC listener of a gate.
pub(crate) async fn channel(gate: &Gate) -> Channel {
    let port = gate.listener("ext_authz").port();
    Channel::from_shared(format!("http://127.0.0.1:{port}"))
        .expect("a URL")
        .connect()
        .await
        .expect("the gRPC listener is there")
}

pub(crate) async fn client(gate: &Gate) -> AuthorizationClient<Channel> {
    AuthorizationClient::new(channel(gate).await)
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Told(pub(crate) Result<CheckResponse, Status>);

impl Told {
    fn response(&self) -> &CheckResponse {
        self.0.as_ref().expect("an answer and no gRPC error")
    }

    pub(crate) fn code(&self) -> Code {
        Code::from(self.response().status.as_ref().expect("a status").code)
    }

    /// 200 for a request that may pass, else the status of the denied response.
    pub(crate) fn status(&self) -> i32 {
        match self.response().http_response.as_ref() {
            Some(HttpResponse::OkResponse(_)) if self.code() == Code::Ok => 200,
            Some(HttpResponse::DeniedResponse(denied)) if self.code() != Code::Ok => {
                denied.status.as_ref().expect("a status").code
            }
            other => panic!("{:?} with {other:?}", self.code()),
        }
    }

    /// The header lines, as name and value: those for the application, or those for the client.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let lines = match self.response().http_response.as_ref() {
            Some(HttpResponse::OkResponse(ok)) => &ok.headers,
            Some(HttpResponse::DeniedResponse(denied)) => &denied.headers,
            other => panic!("{other:?}"),
        };
        let lines = lines.iter().filter_map(|line| line.header.as_ref());
        lines
            .map(|line| (line.key.clone(), line.value.clone()))
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.headers().into_iter();
        lines.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(crate) fn removed(&self) -> Vec<String> {
        match self.response().http_response.as_ref() {
            Some(HttpResponse::OkResponse(ok)) => ok.headers_to_remove.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn body(&self) -> String {
        match self.response().http_response.as_ref() {
            Some(HttpResponse::DeniedResponse(denied)) => denied.body.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The dynamic metadata, by name.
    pub(crate) fn metadata(
        &self,
    ) -> Option<HashMap<String, envoy_types::pb::google::protobuf::Value>> {
        let metadata = self.response().dynamic_metadata.as_ref()?;
        Some(metadata.fields.clone())
    }
}
