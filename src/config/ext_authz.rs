//! `[ext_authz]`: the listener for Envoy's external authorization over gRPC.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OneOrMany, Span};

/// The listener for Envoy's external authorization over gRPC (`envoy.service.auth.v3.Authorization/Check`).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExtAuthz {
    /// Addresses to listen on, as in `server.listen`. Empty: off.
    #[schemars(example = &"127.0.0.1:9001")]
    pub listen: OneOrMany,
    /// What Envoy gets as dynamic metadata beside a request that passes: names, each with `username` for the resolved name or the path of a claim. Values keep their JSON type; an absent claim is left out.
    #[schemars(example = BTreeMap::from([("user", "username"), ("tenant", "org.id")]))]
    pub metadata: BTreeMap<String, String>,
    /// The most checks at a time on one connection.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_concurrent_streams: u64,
    /// How long a connection may be silent before it is asked whether it still lives.
    pub keep_alive: Span,
}

impl Default for ExtAuthz {
    fn default() -> Self {
        Self {
            listen: "".into(),
            metadata: BTreeMap::new(),
            max_concurrent_streams: 256,
            keep_alive: Span::seconds(60),
        }
    }
}
