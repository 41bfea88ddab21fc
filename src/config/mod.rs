//! Configuration as the operator wrote it: raw sections, one file each, and how they are read.
//!
//! A leaf: it names no other room. `load` reads the file and the environment and reports every fault at once; `schema` is what both
//! are judged by; `reference` writes the documentation from the same source. What a value *means* is parsed by the room that uses
//! it, once, at load: see `app.rs`.

pub mod access;
pub mod admin;
pub mod authenticator;
pub mod cache;
pub mod effective;
pub mod ext_authz;
pub mod fault;
mod filling;
pub mod identity;
pub mod introspection;
pub mod issuers;
pub mod keys;
pub mod load;
pub mod log;
pub mod preset_page;
pub mod presets;
pub mod reference;
pub mod rules;
pub mod schema;
pub mod server;
pub mod signed_identity;
pub mod spoe;
mod unique;
pub mod upstream;
pub mod value;

pub use access::Access;
pub use admin::Admin;
pub use authenticator::{Config, OnMultipleTokens, SecretEncoding, TokenSource};
pub use cache::Cache;
pub use effective::IssuerSettings;
pub use ext_authz::ExtAuthz;
pub use fault::{Fault, Severity};
pub use identity::{FieldTable, GroupOverage, Identity, ListFormat, NonAscii};
pub use introspection::{Introspection, IntrospectionClient};
pub use issuers::IssuerTable;
pub use keys::{Keys, RsaTogether};
pub use load::{Loaded, load};
pub use log::{Log, LogFormat};
pub use rules::RuleTable;
pub use server::{OriginalRequestHeader, Server};
pub use signed_identity::SignedIdentity;
pub use spoe::Spoe;
pub use upstream::Upstream;
pub use value::{OneOrMany, Secret, Span};
