//! What of a client's request is not passed on.

use std::sync::Arc;

use crate::config::{Config, Fault};
use crate::server::spelling::is_same_folded;

/// Compiled from `[upstream]`. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct UpstreamRules {
    names: Arc<[Name]>,
    /// Whether the token is taken out.
    pub(super) strip_token: bool,
}

/// A header name, or the beginning of one.
#[derive(Clone, Debug)]
enum Name {
    Whole(String),
    Beginning(String),
}

impl UpstreamRules {
    /// Compiles `upstream.strip_headers`.
    #[must_use]
    pub fn compile(config: &Config) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut names = Vec::new();
        for (index, text) in config.upstream.strip_headers.iter().enumerate() {
            let (name, is_whole) = match text.strip_suffix('*') {
                Some(beginning) => (beginning, false),
                None => (text.as_str(), true),
            };
            let is_name = http::HeaderName::try_from(name).is_ok() && !name.contains('*');
            if !is_name {
                faults.push(Fault::new(
                    format!("upstream.strip_headers[{index}]"),
                    format!("`{text}`"),
                    "a header name, or the beginning of one and `*`",
                    "for example `X-Real-User` or `X-Auth-*`",
                ));
                continue;
            }
            names.push(if is_whole {
                Name::Whole(name.to_owned())
            } else {
                Name::Beginning(name.to_owned())
            });
        }
        let rules = Self {
            names: names.into(),
            strip_token: config.upstream.strip_token,
        };
        (rules, faults)
    }

    /// Whether a client's header of this name is not passed on.
    pub(super) fn strips(&self, header: &str) -> bool {
        self.names.iter().any(|name| match name {
            Name::Whole(name) => is_same_folded(name, header),
            Name::Beginning(beginning) => header
                .get(..beginning.len())
                .is_some_and(|start| is_same_folded(beginning, start)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s8_3_names_are_stripped_in_every_spelling() {
        let (rules, faults) = UpstreamRules::compile(&Config::default());
        assert_eq!(faults, []);
        for name in [
            "remote-user",
            "remote_user",
            "x-auth-anything",
            "x_auth.request-user",
            "x-original-url",
            "x_http_method_override",
        ] {
            assert!(rules.strips(name), "{name}");
        }
        for name in ["x-forwarded-for", "authorization", "remote", "x-aut"] {
            assert!(!rules.strips(name), "{name}");
        }
    }

    #[test]
    fn what_is_no_name_is_a_fault() {
        let mut config = Config::default();
        config.upstream.strip_headers = ["", "*", "a b", "X-*-Y"].map(str::to_owned).to_vec();
        assert_eq!(UpstreamRules::compile(&config).1.len(), 4);
    }
}
