//! The return address: where a person comes back to after signing in.
//!
//! An address is checked with the URL parser that also builds the `Location` (WHATWG, the browsers' own), and what is sent is that
//! parser's serialisation, never the input: so the check and the browser cannot read different things (the class of
//! CVE-2021-32786, CVE-2020-11053). An address outside the allow list is replaced by the safe place, never followed.

use url::{Host, Url};

use crate::config::{Config, Fault};
use crate::request::{Original, Scheme};

use super::return_hosts::AllowedHost;

/// Where people may be sent.
#[derive(Clone, Debug)]
pub struct ReturnPolicy {
    auth_url: Option<Url>,
    parameter: String,
    hosts: Vec<AllowedHost>,
    public_url: Option<Url>,
    token_parameter: Option<String>,
}

/// How a person shall sign in, where that matters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Way<'w> {
    /// The values of `acr` that are good, separated by blanks.
    pub acr_values: Option<&'w str>,
    /// How many seconds ago the person may have signed in.
    pub max_age: Option<u64>,
}

impl ReturnPolicy {
    /// Compiles the policy. `token_parameter` is the query parameter that may hold a token: it never stands in a return address.
    #[must_use]
    pub fn compile(config: &Config, token_parameter: Option<&str>) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let auth_url = config
            .auth_url
            .as_deref()
            .and_then(|text| web_url("auth_url", text, &mut faults));
        let public_url = config
            .public_url
            .as_deref()
            .and_then(|text| web_url("public_url", text, &mut faults));
        let mut hosts = Vec::new();
        for (index, entry) in config.return_hosts.iter().enumerate() {
            match AllowedHost::parse(entry) {
                Some(host) => hosts.push(host),
                None => faults.push(Fault::new(
                    format!("return_hosts[{index}]"),
                    format!("`{entry}`"),
                    "a host such as `app.example.com`, `*.example.org` or `http://localhost:8080`",
                    "no path, no user; `http` and ports other than 443 must be written out",
                )),
            }
        }
        let parameter = config.retpath_param.clone();
        if let Some(url) = &auth_url {
            judge_sign_in(config, url, &parameter, &mut faults);
        }
        let policy = Self {
            auth_url,
            parameter,
            hosts,
            public_url,
            token_parameter: token_parameter.map(str::to_owned),
        };
        (policy, faults)
    }

    /// Whether people can be sent to sign in at all.
    #[must_use]
    pub const fn can_sign_in(&self) -> bool {
        self.auth_url.is_some()
    }

    /// The return address for a request: its own URL without the token, if it may be returned to.
    #[must_use]
    pub fn of_request(&self, original: &Original<'_>) -> Option<Url> {
        let mut target = original.path.to_owned();
        if let Some(query) = original.query {
            target.push('?');
            target.push_str(query);
        }
        self.of_path(original, &target)
    }

    /// The return address for what a `rd` parameter holds (decoded once): a path on the host of the request, or an absolute URL.
    #[must_use]
    pub fn of_parameter(&self, original: &Original<'_>, value: &str) -> Option<Url> {
        if !is_plain(value) {
            return None;
        }
        if value.starts_with('/') {
            return self.of_path(original, value);
        }
        let (scheme, rest) = value.split_once("://")?;
        let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
        // The authority as written must be a plain host: what a parser folds into one (percent-escapes, a user part, full-width
        // letters, missing or extra slashes) other parsers fold otherwise.
        let authority = rest.split(['/', '?', '#']).next()?;
        let is_host = !authority.is_empty()
            && authority
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
        (is_web && is_host).then(|| self.allowed(value)).flatten()
    }

    /// Where to send somebody who has to sign in: `auth_url` with the return address, percent-encoded once; the safe place where
    /// there is none, and `way` beside it. `None` when nobody can be sent, or when the request was for the sign-in page itself, which would loop.
    #[must_use]
    pub fn sign_in(
        &self,
        original: &Original<'_>,
        address: Option<&Url>,
        way: Way<'_>,
    ) -> Option<String> {
        let mut location = self.auth_url.clone()?;
        if self.is_sign_in_page(original) || address.is_some_and(|url| same_page(url, &location)) {
            return None;
        }
        if let Some(address) = address.or(self.public_url.as_ref()) {
            location
                .query_pairs_mut()
                .append_pair(&self.parameter, address.as_str());
        }
        // The names of OpenID Connect Core §3.1.2.1, which RFC 9470 §4 sends people with.
        if let Some(values) = way.acr_values {
            set_parameter(&mut location, ACR_VALUES, values);
        }
        if let Some(seconds) = way.max_age {
            set_parameter(&mut location, MAX_AGE, &seconds.to_string());
        }
        Some(location.into())
    }

    /// Where to send somebody whose return address is not allowed: `public_url`, else `auth_url`.
    #[must_use]
    pub fn safe_place(&self) -> Option<&Url> {
        self.public_url.as_ref().or(self.auth_url.as_ref())
    }

    fn of_path(&self, original: &Original<'_>, target: &str) -> Option<Url> {
        let is_path = target.starts_with('/')
            && !target.starts_with("//")
            && !target.starts_with("/\\")
            && is_plain(target);
        if !is_path {
            return None;
        }
        let Some(host) = original.host else {
            return self.on_public_url(target);
        };
        // Where nobody said which scheme the client used, the one that the allow list knows is right.
        let schemes = match original.scheme {
            Some(scheme) => [Some(scheme), None],
            None => [Some(Scheme::Https), Some(Scheme::Http)],
        };
        schemes
            .into_iter()
            .flatten()
            .find_map(|scheme| self.allowed(&format!("{}://{host}{target}", scheme.as_str())))
    }

    /// The same path under `public_url`, for a request without a host (HTTP/1.0).
    fn on_public_url(&self, target: &str) -> Option<Url> {
        let origin = self.public_url.as_ref()?.origin().ascii_serialization();
        self.cleaned(Url::parse(&format!("{origin}{target}")).ok()?)
    }

    fn allowed(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        let is_listed = self.hosts.iter().any(|host| host.allows(&url));
        let is_public = self.hosts.is_empty()
            && self
                .public_url
                .as_ref()
                .is_some_and(|public| public.origin() == url.origin());
        (is_listed || is_public)
            .then(|| self.cleaned(url))
            .flatten()
    }

    /// Last checks on the parsed form, and the token removed.
    fn cleaned(&self, mut url: Url) -> Option<Url> {
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.path().starts_with("//") {
            return None;
        }
        if let (Some(parameter), Some(query)) = (&self.token_parameter, url.query()) {
            let query = without_parameter(query, parameter);
            url.set_query(query.as_deref());
        }
        Some(url)
    }

    fn is_sign_in_page(&self, original: &Original<'_>) -> bool {
        let (Some(auth_url), Some(host)) = (&self.auth_url, original.host) else {
            return false;
        };
        let scheme = match original.scheme {
            Some(scheme) => scheme.as_str(),
            None => auth_url.scheme(),
        };
        Url::parse(&format!("{scheme}://{host}{}", original.path))
            .is_ok_and(|url| same_page(&url, auth_url))
    }
}

/// Free of what browsers drop or fold before they read a URL: controls, blanks, backslashes.
fn is_plain(text: &str) -> bool {
    !text
        .chars()
        .any(|character| character.is_control() || character.is_whitespace() || character == '\\')
}

fn same_page(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin() && one.path() == other.path()
}

/// The query without every pair of this name, whether the name is written plainly or percent-encoded; the other pairs stay byte
/// for byte. `None` when nothing is left.
#[must_use]
pub fn without_parameter(query: &str, name: &str) -> Option<String> {
    let is_other = |pair: &&str| {
        let own = pair.split('=').next().unwrap_or_default().replace('+', " ");
        percent_encoding::percent_decode_str(&own).ne(name.bytes())
    };
    let kept: Vec<&str> = query.split('&').filter(is_other).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

fn web_url(key: &str, text: &str, faults: &mut Vec<Fault>) -> Option<Url> {
    if text.is_empty() {
        return None;
    }
    let mut hint = "write it as a browser's address bar would show it".to_owned();
    let found = match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "https" | "http") => {
            "another scheme than https or http".to_owned()
        }
        Ok(url) if url.host_str().is_none_or(str::is_empty) => "no host".to_owned(),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "a user part".to_owned()
        }
        Ok(url) => return Some(url),
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            hint = format!("did you mean `https://{text}`?");
            "no scheme".to_owned()
        }
        Err(error) => error.to_string(),
    };
    faults.push(Fault::new(
        key,
        format!("`{text}`: {found}"),
        "an absolute URL such as `https://auth.example.com/login`",
        hint,
    ));
    None
}

const ACR_VALUES: &str = "acr_values";
const MAX_AGE: &str = "max_age";

/// Sets a parameter, which must not stand there twice (RFC 6749 §3.1).
fn set_parameter(location: &mut Url, name: &str, value: &str) {
    let query = location
        .query()
        .and_then(|query| without_parameter(query, name));
    location.set_query(query.as_deref());
    location.query_pairs_mut().append_pair(name, value);
}

fn judge_sign_in(config: &Config, auth_url: &Url, parameter: &str, faults: &mut Vec<Fault>) {
    if parameter.is_empty() {
        faults.push(Fault::new(
            "retpath_param",
            "an empty name",
            "the parameter in which the sign-in page takes the return address",
            "`retpath`, `rd`, `next` and `return_to` are usual",
        ));
    }
    if [ACR_VALUES, MAX_AGE].contains(&parameter) {
        faults.push(Fault::new(
            "retpath_param",
            format!("`{parameter}`, which says how a person shall sign in"),
            "the parameter in which the sign-in page takes the return address",
            "`retpath`, `rd`, `next` and `return_to` are usual",
        ));
    }
    if auth_url.query_pairs().any(|(name, _)| name == parameter) {
        faults.push(Fault::new(
            "auth_url",
            format!("a query that already holds `{parameter}`"),
            "a URL without the parameter that jwtgate adds",
            "remove it: which of the two the sign-in page would read is not certain",
        ));
    }
    if auth_url.scheme() == "http" && !is_loopback(auth_url) {
        faults.push(Fault::warning(
            "auth_url",
            "plain http",
            "https",
            "people type passwords there",
        ));
    }
    if config.return_hosts.is_empty() && config.public_url.as_deref().is_none_or(str::is_empty) {
        faults.push(Fault::warning(
            "return_hosts",
            "nothing, and no `public_url` either",
            "the hosts that people may be sent back to",
            "people are sent to `auth_url` without a return address: name your application's host, as in `return_hosts = [\"app.example.com\"]`",
        ).absent());
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(config: &Config) -> ReturnPolicy {
        ReturnPolicy::compile(config, Some("auth_token")).0
    }

    fn config() -> Config {
        Config {
            auth_url: Some("https://auth.example.com/login?app=hub#top".to_owned()),
            return_hosts: ["app.example.com", "*.example.org", "http://localhost:8080"]
                .map(str::to_owned)
                .to_vec(),
            public_url: Some("https://app.example.com".to_owned()),
            ..Config::default()
        }
    }

    fn request<'r>(host: &'r str, path: &'r str, query: Option<&'r str>) -> Original<'r> {
        Original {
            method: "GET",
            scheme: Some(Scheme::Https),
            host: Some(host),
            path,
            query,
            states_method: true,
            states_path: true,
        }
    }

    fn returned(host: &str, path: &str, query: Option<&str>) -> Option<String> {
        policy(&config())
            .of_request(&request(host, path, query))
            .map(String::from)
    }

    #[test]
    fn s11_7_the_return_address_is_encoded_once_beside_the_query_and_before_the_fragment() {
        let policy = policy(&config());
        let original = request(
            "app.example.com",
            "/a b".split(' ').next().unwrap(),
            Some("x=1&y=%2F&admin=1"),
        );
        let address = policy.of_request(&original);
        assert_eq!(
            policy
                .sign_in(&original, address.as_ref(), Way::default())
                .unwrap(),
            "https://auth.example.com/login?app=hub&retpath=https%3A%2F%2Fapp.example.com%2Fa%3Fx%3D1%26y%3D%252F%26admin%3D1#top"
        );
    }

    #[test]
    fn s11_7_the_token_is_removed_and_the_rest_stays_byte_for_byte() {
        for (query, expected) in [
            ("auth_token=T&a=%2f+b", "?a=%2f+b"),
            ("a=1&auth_token=T", "?a=1"),
            ("auth_token=T", ""),
            ("%61uth_token=T&b", "?b"),
            ("auth_tokens=T", "?auth_tokens=T"),
            ("", "?"),
        ] {
            assert_eq!(
                returned("app.example.com", "/p", Some(query)),
                Some(format!("https://app.example.com/p{expected}")),
                "{query}"
            );
        }
    }

    #[test]
    fn s11_3_hosts_match_by_whole_labels() {
        for host in [
            "a.example.org",
            "a.b.example.org",
            "APP.example.com",
            "app.example.com:443",
        ] {
            assert!(returned(host, "/", None).is_some(), "{host}");
        }
        for host in [
            "example.org",
            "aexample.org",
            "example.org.evil.example",
            "app.example.com.evil.example",
            "evil.example",
            "a.example.org:8443",
            "a.example.org.",
            "localhost:8080",
        ] {
            assert_eq!(returned(host, "/", None), None, "{host}");
        }
    }

    #[test]
    fn without_return_hosts_only_the_public_address_is_returned_to() {
        let policy = policy(&Config {
            return_hosts: Vec::new(),
            ..config()
        });
        let returned = |scheme, host| {
            let original = Original {
                scheme,
                host,
                ..request("", "/x", Some("q"))
            };
            policy.of_request(&original).map(String::from)
        };
        let public = Some("https://app.example.com/x?q".to_owned());
        assert_eq!(
            returned(Some(Scheme::Https), Some("app.example.com")),
            public
        );
        assert_eq!(returned(None, Some("app.example.com")), public);
        assert_eq!(returned(None, None), public);
        assert_eq!(returned(Some(Scheme::Http), Some("app.example.com")), None);
        assert_eq!(returned(None, Some("app.example.com:8443")), None);
        assert_eq!(returned(None, Some("evil.example")), None);
    }

    #[test]
    fn without_a_known_host_nobody_is_given_a_return_address() {
        let config = Config {
            return_hosts: Vec::new(),
            public_url: None,
            ..config()
        };
        let (policy, faults) = ReturnPolicy::compile(&config, None);
        assert_eq!(faults[0].path, "return_hosts");
        let original = request("app.example.com", "/", None);
        assert_eq!(policy.of_request(&original), None);
        assert_eq!(
            policy.sign_in(&original, None, Way::default()).unwrap(),
            "https://auth.example.com/login?app=hub#top"
        );
    }

    #[test]
    fn a_request_for_the_sign_in_page_itself_is_never_sent_there() {
        let policy = policy(&config());
        let original = request("auth.example.com", "/login", Some("retpath=x"));
        assert_eq!(policy.sign_in(&original, None, Way::default()), None);
        let original = request("auth.example.com", "/other", None);
        assert!(policy.sign_in(&original, None, Way::default()).is_some());
    }

    #[test]
    fn s11_1_every_recorded_return_address_is_judged_as_recorded() {
        let vectors = include_str!("../../tests/vectors/redirects.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        let policy = policy(&config());
        let original = request("app.example.com", "/", None);
        for case in vectors["cases"].as_array().unwrap() {
            let input = case["input"].as_str().unwrap();
            let found = policy.of_parameter(&original, input).map(String::from);
            let expected = case["location"].as_str().map(str::to_owned);
            assert_eq!(found, expected, "{} {input:?}", case["id"]);
        }
    }

    #[test]
    fn wrong_settings_are_faults() {
        let config = Config {
            auth_url: Some("https://auth.example.com?retpath=x".to_owned()),
            public_url: Some("app.example.com".to_owned()),
            return_hosts: [
                "",
                "*",
                "*.",
                "https://a/b",
                "ftp://a",
                "u@a",
                "a b",
                "*.127.0.0.1",
            ]
            .map(str::to_owned)
            .to_vec(),
            ..Config::default()
        };
        let (_, faults) = ReturnPolicy::compile(&config, None);
        assert_eq!(faults.len(), 10, "{faults:#?}");
    }
}
