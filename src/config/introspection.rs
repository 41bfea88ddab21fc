//! `[introspection]`: who may ask whether a token is good (RFC 7662).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Secret;

/// Who may ask `/introspect` whether a token is good (RFC 7662): Apache's `mod_auth_openidc`, API gateways, resource servers. Nobody unless somebody is named.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Introspection {
    /// The clients, each with a secret of its own. The name of the table is the client's identifier.
    pub clients: BTreeMap<String, IntrospectionClient>,
}

/// A client that may ask.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IntrospectionClient {
    /// Its secret.
    #[schemars(example = &"32 or more random characters")]
    pub secret: Option<Secret>,
    /// A file that holds the secret. One final line break is not part of it.
    #[schemars(example = &"/run/secrets/apache")]
    pub secret_file: Option<String>,
}
