//! Where tokens may stand: the settings of `extract`, compiled.

use crate::config::{Config, Fault, IssuerSettings, OnMultipleTokens, TokenSource};

/// Where tokens may stand, compiled from the configuration.
#[derive(Clone, Debug)]
pub struct ExtractRules {
    pub(super) sources: Vec<Place>,
    pub(super) on_multiple: OnMultipleTokens,
    query_parameter: Option<String>,
}

/// One place.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Header { name: String, scheme: HeaderScheme },
    Cookie { name: String },
    Query { name: String },
}

/// What stands before a token in its header.
#[derive(Clone, Debug)]
pub(super) enum HeaderScheme {
    /// `Bearer TOKEN` or the bare token.
    Auto,
    /// Only this scheme, compared without case (RFC 9110 §11.1).
    Named(String),
    /// Only the bare token.
    Bare,
}

impl ExtractRules {
    /// Compiles the rules: the header, cookie and parameter that the top level names, and the headers of issuers, which hold tokens
    /// bare and are looked at before the common one. Faults name keys of the top level and of issuers.
    #[must_use]
    pub fn compile(config: &Config, issuers: &[IssuerSettings]) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut sources = Vec::new();
        for (index, source) in config.token_sources.iter().enumerate() {
            if config
                .token_sources
                .iter()
                .take(index)
                .any(|earlier| earlier == source)
            {
                faults.push(Fault::new(
                    format!("token_sources[{index}]"),
                    "a source that stands twice",
                    "each source once",
                    "remove the second one",
                ));
                continue;
            }
            if *source == TokenSource::Header {
                sources.extend(headers_of(issuers, &config.header_name, &mut faults));
            }
            let place = match source {
                TokenSource::Header => Place::Header {
                    name: config.header_name.to_ascii_lowercase(),
                    scheme: scheme(&config.header_scheme, &mut faults),
                },
                TokenSource::Cookie => Place::Cookie {
                    name: config.cookie_name.clone(),
                },
                TokenSource::Query => Place::Query {
                    name: config.param_name.clone(),
                },
            };
            if place.name().is_empty() {
                continue;
            }
            if !place.name().bytes().all(is_token_byte) {
                faults.push(Fault::new(
                    place.key(),
                    format!("`{}`", place.name()),
                    "letters, digits and the signs of an HTTP token, such as `auth_token`",
                    "RFC 9110 §5.6.2 lists the signs",
                ));
                continue;
            }
            sources.push(place);
        }
        warn(config, &sources, &mut faults);
        let query_parameter = sources.iter().find_map(|place| match place {
            Place::Query { name } => Some(name.clone()),
            Place::Header { .. } | Place::Cookie { .. } => None,
        });
        let rules = Self {
            sources,
            on_multiple: config.on_multiple_tokens,
            query_parameter,
        };
        (rules, faults)
    }

    /// The query parameter that may hold a token, so that it can be removed from addresses that people are sent to.
    #[must_use]
    pub fn query_parameter(&self) -> Option<&str> {
        self.query_parameter.as_deref()
    }
}

impl ExtractRules {
    /// Where tokens are looked for: the kind of place, and its name.
    pub fn places(&self) -> impl Iterator<Item = (TokenSource, &str)> {
        self.sources
            .iter()
            .map(|place| (place.source(), place.name()))
    }
}

impl Place {
    fn name(&self) -> &str {
        match self {
            Self::Header { name, .. } | Self::Cookie { name } | Self::Query { name } => name,
        }
    }

    const fn key(&self) -> &'static str {
        match self {
            Self::Header { .. } => "header_name",
            Self::Cookie { .. } => "cookie_name",
            Self::Query { .. } => "param_name",
        }
    }

    pub(super) const fn source(&self) -> TokenSource {
        match self {
            Self::Header { .. } => TokenSource::Header,
            Self::Cookie { .. } => TokenSource::Cookie,
            Self::Query { .. } => TokenSource::Query,
        }
    }
}

/// The headers that issuers have for themselves, each once.
fn headers_of(issuers: &[IssuerSettings], common: &str, faults: &mut Vec<Fault>) -> Vec<Place> {
    let mut names: Vec<String> = Vec::new();
    for settings in issuers {
        let name = settings.header_name.as_deref().unwrap_or_default();
        if !name.bytes().all(is_token_byte) {
            faults.push(Fault::new(
                settings.path("header_name"),
                format!("`{name}`"),
                "the name of a header",
                "for example `Cf-Access-Jwt-Assertion`",
            ));
        } else if !name.is_empty() && !name.eq_ignore_ascii_case(common) {
            let name = name.to_ascii_lowercase();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let bare = |name| Place::Header {
        name,
        scheme: HeaderScheme::Bare,
    };
    names.into_iter().map(bare).collect()
}

fn scheme(text: &str, faults: &mut Vec<Fault>) -> HeaderScheme {
    match text {
        "auto" => HeaderScheme::Auto,
        "" => HeaderScheme::Bare,
        name if name.bytes().all(is_token_byte) => HeaderScheme::Named(name.to_owned()),
        name => {
            faults.push(Fault::new(
                "header_scheme",
                format!("`{name}`"),
                "`auto`, a scheme such as `Bearer`, or empty",
                "write the scheme alone, without a blank or colon",
            ));
            HeaderScheme::Auto
        }
    }
}

fn warn(config: &Config, sources: &[Place], faults: &mut Vec<Fault>) {
    if sources.is_empty() {
        faults.push(Fault::new(
            "header_name, cookie_name, param_name",
            "no source of tokens",
            "at least one",
            "name a header (`header_name = \"Authorization\"`) or a cookie, and list it in `token_sources`",
        ).absent());
    }
    let is_on = |key| sources.iter().any(|place| place.key() == key);
    if is_on("param_name") {
        faults.push(Fault::warning(
            "param_name",
            format!("tokens are read from the query parameter `{}`", config.param_name),
            "a header or a cookie",
            "URLs end up in logs, histories and `Referer`: use it for links that nothing else can serve, and keep queries out of access logs",
        ));
    }
    for (key, name) in [
        ("cookie_name", &config.cookie_name),
        ("param_name", &config.param_name),
    ] {
        if !name.is_empty() && !is_on(key) && name.bytes().all(is_token_byte) {
            faults.push(Fault::warning(
                key,
                format!("`{name}`, which `token_sources` does not list"),
                "a source that is asked",
                "add it to `token_sources`",
            ));
        }
    }
}

/// RFC 9110 §5.6.2, tchar.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Severity;

    fn compile(config: &Config) -> (ExtractRules, Vec<Fault>) {
        ExtractRules::compile(config, &[])
    }

    #[test]
    fn weak_and_wrong_settings_are_told() {
        let (_, faults) = compile(&Config {
            param_name: "t".to_owned(),
            ..Config::default()
        });
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].severity, Severity::Warning);
        let nothing = Config {
            header_name: String::new(),
            ..Config::default()
        };
        assert!(compile(&nothing).1[0].found.contains("no source"));
        let wrong = Config {
            cookie_name: "a b".to_owned(),
            header_scheme: "Bearer ".to_owned(),
            token_sources: vec![
                TokenSource::Header,
                TokenSource::Cookie,
                TokenSource::Header,
            ],
            ..Config::default()
        };
        assert_eq!(compile(&wrong).1.len(), 3);
    }
}
