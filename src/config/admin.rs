//! `[admin]`: the listener for operators.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OneOrMany;

/// The listener for operators: `/healthz`, `/readyz`, `/metrics`. Never the public one.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Addresses to listen on, as in `server.listen`. Empty: off.
    #[schemars(example = &"127.0.0.1:8081")]
    pub listen: OneOrMany,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8081".into(),
        }
    }
}
