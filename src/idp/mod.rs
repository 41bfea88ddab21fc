//! Talking to providers: the only HTTP client.
//!
//! `client` fetches one document, bounded in time and size; `address` says which addresses may be asked; `discovery` reads a provider's
//! metadata; `freshness` reads how long an answer may be used. What the documents mean is for `keys`. Depends on nothing.

pub mod address;
pub mod client;
pub mod discovery;
pub mod freshness;

pub use client::{Client, FetchFault, Fetched};
