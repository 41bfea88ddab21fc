//! `[access]`: who may come in at all, whatever the rules say.

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;

/// Who may come in at all, before any rule. Every `allowed_…` list that is given must be met, and one `blocked_…` entry is enough to be kept out. `[issuers.NAME.access]` has the same keys for the tokens of one issuer; both count.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// Only these usernames may come in. Left out: every one.
    #[schemars(example = ["alice", "bob"])]
    pub allowed_users: Option<OneOrMany>,
    /// These usernames may not.
    #[schemars(example = &"mallory")]
    pub blocked_users: Option<OneOrMany>,
    /// Only people whose e-mail address is in one of these domains, and not said to be unverified. A domain does not cover those below it.
    #[schemars(example = &"example.com")]
    pub allowed_domains: Option<OneOrMany>,
    /// People whose e-mail address is in one of these domains may not.
    #[schemars(example = &"contractors.example.com")]
    pub blocked_domains: Option<OneOrMany>,
    /// Only people who are in one of these groups.
    #[schemars(example = &"staff")]
    pub allowed_groups: Option<OneOrMany>,
    /// People who are in one of these groups may not.
    #[schemars(example = &"suspended")]
    pub blocked_groups: Option<OneOrMany>,
    /// Only tokens that have all of these scopes.
    #[schemars(example = &"app:use")]
    pub allowed_scopes: Option<OneOrMany>,
    /// Tokens that have one of these scopes may not.
    #[schemars(example = &"offline_access")]
    pub blocked_scopes: Option<OneOrMany>,
    /// Usernames whose role is `admin`. Once this or `admin_groups` is given, a header that carries `role` says `admin` or `user`.
    #[schemars(example = &"alice")]
    pub admin_users: Option<OneOrMany>,
    /// Groups whose people have the role `admin`.
    #[schemars(example = &"admins")]
    pub admin_groups: Option<OneOrMany>,
}
