//! `[spoe]`: the listener for HAProxy's agent protocol.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OneOrMany;

/// The listener for HAProxy's agent protocol (SPOE). Needs no Lua, keeps its connections, and tells HAProxy by variables.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Spoe {
    /// Addresses to listen on, as in `server.listen`. Empty: off.
    #[schemars(example = &"127.0.0.1:9002")]
    pub listen: OneOrMany,
}

impl Default for Spoe {
    fn default() -> Self {
        Self { listen: "".into() }
    }
}
