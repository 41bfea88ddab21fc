//! What every test stands on: the process under test, a raw HTTP client, tokens, and the neighbours of a gate.

pub(crate) mod answer;
pub(crate) mod bomb;
pub(crate) mod fetched;
pub(crate) mod grpc;
pub(crate) mod http;
pub(crate) mod judge;
pub(crate) mod key_server;
pub(crate) mod need;
pub(crate) mod padded;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod provider;
pub(crate) mod proxies;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod tls;
pub(crate) mod tokens;
pub(crate) mod upstream;
pub(crate) mod wait;
pub(crate) mod waiting;

pub(crate) use answer::Answer;
pub(crate) use http::{Address, Connection, Request, Response};
pub(crate) use judge::Judge;
pub(crate) use key_server::KeyServer;
pub(crate) use process::Gate;
pub(crate) use provider::{Provider, Shape};
pub(crate) use settings::Settings;
pub(crate) use tls::TlsIdentity;
