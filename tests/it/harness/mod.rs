//! What every test stands on: the process under test, a raw HTTP client, tokens, and the neighbours of a gate.

pub(crate) mod http;
pub(crate) mod need;
pub(crate) mod nginx;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod settings;
pub(crate) mod tokens;
pub(crate) mod upstream;
pub(crate) mod wait;

pub(crate) use http::{Address, Connection, Request, Response};
pub(crate) use process::Gate;
pub(crate) use settings::Settings;
