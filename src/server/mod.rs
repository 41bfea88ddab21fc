//! The outer world: HTTP in, HTTP out. The only room that knows actix and the headers of proxies.
//!
//! `routes` is the one table of endpoints; `asked` is a request whatever protocol brought it, and `reply` an answer before one writes it.
//! `forwarded` reads what a proxy says of the original request, in one place, and `client_address` who sent it; `answer` asks the
//! gate and records what came of it, in `turn`s where a key must be waited for; `respond` is the only place with status codes; `page`, `accept` and `bounces` serve people; `listen`
//! opens sockets, `serve` puts actix on them with connections that `watched` limits, and `express` in front of it, for the checks that every request goes through; `span` is the root span.
//!
//! Beside the endpoints, `ext_authz` speaks gRPC to Envoy, `spoe` HAProxy's agent protocol, and `upstream` stands in front of an
//! application itself, each on `connections` of its own (`beside` is what such listeners share). `tls` is for all listeners; `claims` reads what an answer says beyond the identity headers, and `spelling` knows which header names are taken for one.

pub mod accept;
pub mod admin;
pub mod answer;
pub mod asked;
pub mod beside;
mod bounces;
mod claims;
mod client_address;
mod connections;
pub mod exchanges;
mod explain;
mod express;
#[cfg(feature = "ext-authz")]
pub mod ext_authz;
pub mod forwarded;
pub mod handlers;
pub mod introspection;
pub mod listen;
pub mod live;
pub mod page;
pub mod reply;
pub mod respond;
pub mod routes;
pub mod serve;
pub mod span;
pub mod spelling;
#[cfg(feature = "spoe")]
pub mod spoe;
pub mod tls;
pub mod trust;
pub mod turn;
pub mod upstream;
pub mod watched;

pub use live::{Live, Service};
