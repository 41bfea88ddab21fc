//! Step 1: where is the token?
//!
//! The sources are asked in the configured order, and the first that holds a token decides; a bad token never falls through to
//! the next source. Two different tokens in one source are always refused, the same token twice is one token.

use memchr::{memchr, memchr2};

use crate::config::{OnMultipleTokens, TokenSource};
use crate::reason::Reason;
use crate::request::{HeaderLines, RawToken, RequestView};

use super::places::{ExtractRules, HeaderScheme, Place};
use super::signatures::Signatures;

/// A token that nobody has judged yet, and where it stood.
#[derive(Clone, Copy, Debug)]
pub struct Credential<'r> {
    token: RawToken<'r>,
    source: TokenSource,
    signatures: Signatures<'r>,
}

impl<'r> Credential<'r> {
    /// The same, with a word on when its signature is checked.
    #[must_use]
    pub(super) const fn with_signatures(self, signatures: Signatures<'r>) -> Self {
        Self { signatures, ..self }
    }

    /// When its signature is checked.
    pub(super) const fn signatures(self) -> Signatures<'r> {
        self.signatures
    }

    /// A token that did not come with a request: for commands that judge what they are handed.
    #[must_use]
    pub const fn new(token: RawToken<'r>, source: TokenSource) -> Self {
        Self {
            token,
            source,
            signatures: Signatures::AtOnce,
        }
    }

    /// The token.
    #[must_use]
    pub const fn token(self) -> RawToken<'r> {
        self.token
    }

    /// Where it stood.
    #[must_use]
    pub const fn source(self) -> TokenSource {
        self.source
    }
}

/// Finds the token of a request.
///
/// # Errors
/// There is none ([`Reason::TokenMissing`]), or there are two ([`Reason::TokenAmbiguous`]).
pub fn extract<'r, H: HeaderLines>(
    rules: &ExtractRules,
    request: &RequestView<'r, H>,
) -> Result<Credential<'r>, Reason> {
    let mut found: Option<Credential<'r>> = None;
    for place in &rules.sources {
        let token = match place {
            Place::Header { name, scheme } => in_header(request.headers.lines(name), scheme)?,
            Place::Cookie { name } => in_cookies(request.headers.lines("cookie"), name)?,
            Place::Query { name } => in_query(request.original.query, name)?,
        };
        let Some(token) = token else { continue };
        match found {
            None => {
                found = Some(Credential::new(RawToken::new(token), place.source()));
            }
            Some(first) if first.token.bytes() == token => {}
            Some(_) => return Err(Reason::TokenAmbiguous),
        }
        if rules.on_multiple == OnMultipleTokens::First {
            break;
        }
    }
    found.ok_or(Reason::TokenMissing)
}

/// Takes another find of the same source: none so far, the same again, or a different one.
fn add<'r>(found: &mut Option<&'r [u8]>, token: &'r [u8]) -> Result<(), Reason> {
    match *found {
        None => *found = Some(token),
        Some(first) if first == token => {}
        Some(_) => return Err(Reason::TokenAmbiguous),
    }
    Ok(())
}

fn in_header<'r>(
    lines: impl Iterator<Item = &'r [u8]>,
    scheme: &HeaderScheme,
) -> Result<Option<&'r [u8]>, Reason> {
    let mut token = None;
    let mut has_other = false;
    for line in lines {
        let value = line.trim_ascii();
        if value.is_empty() {
            continue;
        }
        match token_of(value, scheme) {
            // Some proxies join two lines by a comma (Envoy does).
            Some(candidate) if memchr(b',', candidate).is_some() => {
                return Err(Reason::TokenAmbiguous);
            }
            Some(candidate) => add(&mut token, candidate)?,
            // A proxy that joins lines hides a token behind a credential of another scheme.
            None if joins_a_token(value, scheme) => return Err(Reason::TokenAmbiguous),
            None => has_other = true,
        }
    }
    // A second line of another scheme is a second, different credential.
    match token {
        Some(_) if has_other => Err(Reason::TokenAmbiguous),
        token => Ok(token),
    }
}

/// Whether one of the comma-separated parts of a value would be a token on a line of its own. A bare word counts only in the form
/// of one: `Digest` and others have parameters behind commas (RFC 9110 §11.2).
fn joins_a_token(value: &[u8], scheme: &HeaderScheme) -> bool {
    let is_compact = |part: &[u8]| {
        let is_token_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        part.iter().all(is_token_byte) && part.split(|&byte| byte == b'.').count() >= 3
    };
    let looks_like_one = |part: &[u8]| {
        let has_scheme = part.contains(&b' ');
        token_of(part, scheme).is_some_and(|token| has_scheme || is_compact(token))
    };
    value.contains(&b',')
        && value
            .split(|&byte| byte == b',')
            .any(|part| looks_like_one(part.trim_ascii()))
}

/// The token in a header value; `None` when the value is of another scheme, which counts as no token (RFC 9110 §11.4).
fn token_of<'r>(value: &'r [u8], scheme: &HeaderScheme) -> Option<&'r [u8]> {
    let blank = value.iter().position(|&byte| byte == b' ');
    let expected = match (scheme, blank) {
        // The scheme alone, without a token.
        (HeaderScheme::Auto, None) if value.eq_ignore_ascii_case(b"bearer") => return None,
        (HeaderScheme::Auto | HeaderScheme::Bare, None) => return Some(value),
        (HeaderScheme::Auto, Some(_)) => "bearer",
        (HeaderScheme::Named(name), Some(_)) => name,
        (HeaderScheme::Bare, Some(_)) | (HeaderScheme::Named(_), None) => return None,
    };
    let (name, token) = value.split_at_checked(blank?)?;
    name.eq_ignore_ascii_case(expected.as_bytes())
        .then(|| token.trim_ascii_start())
}

fn in_cookies<'r>(
    lines: impl Iterator<Item = &'r [u8]>,
    name: &str,
) -> Result<Option<&'r [u8]>, Reason> {
    let mut token = None;
    for line in lines {
        // Envoy joins two `Cookie` lines by a comma, so a comma separates too. No token holds one.
        for pair in split_at_either(b';', b',', line) {
            if let Some(value) = value_of(pair.trim_ascii(), name) {
                add(&mut token, value)?;
            }
        }
    }
    Ok(token)
}

/// The parts of a line between two separators. Cookies are long, and are looked through with vector instructions.
fn split_at_either(one: u8, other: u8, line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let Some((part, behind)) =
            memchr2(one, other, line).and_then(|end| line.split_at_checked(end))
        else {
            return rest.take();
        };
        rest = behind.get(1..);
        Some(part)
    })
}

fn in_query<'r>(query: Option<&'r str>, name: &str) -> Result<Option<&'r [u8]>, Reason> {
    let mut token = None;
    for pair in query.unwrap_or_default().split('&') {
        if let Some(value) = value_of(pair.as_bytes(), name) {
            add(&mut token, value)?;
        }
    }
    Ok(token)
}

/// The value of `name=value`, when the name is this one byte for byte and the value is not empty: an empty one counts as absent.
fn value_of<'r>(pair: &'r [u8], name: &str) -> Option<&'r [u8]> {
    let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::request::{Original, Scheme};

    struct Lines(Vec<(&'static str, &'static str)>);

    impl HeaderLines for Lines {
        fn lines<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
            let name = name.to_owned();
            self.0
                .iter()
                .filter(move |(own, _)| *own == name)
                .map(|(_, value)| value.as_bytes())
        }
    }

    fn config() -> Config {
        Config {
            cookie_name: "t".to_owned(),
            param_name: "t".to_owned(),
            ..Config::default()
        }
    }

    fn find(
        config: &Config,
        lines: &[(&'static str, &'static str)],
        query: &'static str,
    ) -> Result<(TokenSource, String), Reason> {
        let (rules, _) = ExtractRules::compile(config, &[]);
        let headers = Lines(lines.to_vec());
        let request = RequestView {
            headers: &headers,
            original: Original {
                method: "GET",
                scheme: Some(Scheme::Https),
                host: Some("a"),
                path: "/",
                query: Some(query),
                states_method: true,
                states_path: true,
            },
            source: None,
        };
        extract(&rules, &request).map(|found| {
            let token = String::from_utf8(found.token.bytes().to_vec()).unwrap();
            (found.source, token)
        })
    }

    fn in_header_as(scheme: &str, value: &'static str) -> Result<String, Reason> {
        let config = Config {
            header_scheme: scheme.to_owned(),
            ..config()
        };
        find(&config, &[("authorization", value)], "").map(|(_, token)| token)
    }

    #[test]
    fn s9_1_the_first_source_that_holds_a_token_decides() {
        let lines = [("authorization", "Bearer h"), ("cookie", "t=c")];
        assert_eq!(
            find(&config(), &lines, "t=q"),
            Ok((TokenSource::Header, "h".to_owned()))
        );
        let config = Config {
            token_sources: vec![TokenSource::Query, TokenSource::Cookie, TokenSource::Header],
            ..config()
        };
        assert_eq!(
            find(&config, &lines, "t=q"),
            Ok((TokenSource::Query, "q".to_owned()))
        );
        assert_eq!(
            find(&config, &lines, "t="),
            Ok((TokenSource::Cookie, "c".to_owned()))
        );
    }

    #[test]
    fn different_tokens_in_two_sources_can_be_refused() {
        let config = Config {
            on_multiple_tokens: OnMultipleTokens::Reject,
            ..config()
        };
        let lines = [("authorization", "Bearer a"), ("cookie", "t=b")];
        assert_eq!(find(&config, &lines, ""), Err(Reason::TokenAmbiguous));
        let lines = [("authorization", "Bearer a"), ("cookie", "t=a")];
        assert!(find(&config, &lines, "t=a").is_ok());
    }

    #[test]
    fn s9_2_schemes_are_compared_without_case_and_others_are_absent() {
        for value in ["Bearer x", "bearer x", "BEARER   x", "x"] {
            assert_eq!(in_header_as("auto", value), Ok("x".to_owned()), "{value}");
        }
        for value in [
            "Basic x",
            "Digest a=b, c=d",
            "Digest u=a,realm=\"www.example.com\",opaque=a.b.c",
            "Hawk id=\"1\", nonce=\"j.k.l\"",
            "Digest u=a,o=a.b.c,r=\"a.b.c\"",
            "Hawk id=\"1\", n=\"a.b.c\"",
            "",
            " ",
            "Bearer",
            "bearer ",
        ] {
            assert_eq!(in_header_as("auto", value), Err(Reason::TokenMissing));
        }
        assert_eq!(in_header_as("Bearer", "x"), Err(Reason::TokenMissing));
        assert_eq!(in_header_as("Token", "token x"), Ok("x".to_owned()));
        assert_eq!(in_header_as("Token", "Bearer x"), Err(Reason::TokenMissing));
        assert_eq!(in_header_as("", "x"), Ok("x".to_owned()));
        assert_eq!(in_header_as("", "Bearer x"), Err(Reason::TokenMissing));
    }

    #[test]
    fn s9_2_two_authorization_lines_with_different_values_are_refused() {
        for (first, second) in [
            ("Bearer a", "Bearer b"),
            ("Bearer a", "Basic b"),
            ("Basic b", "Bearer a"),
        ] {
            let lines = [("authorization", first), ("authorization", second)];
            assert_eq!(find(&config(), &lines, ""), Err(Reason::TokenAmbiguous));
        }
        let lines = [("authorization", "Bearer a"), ("authorization", "bearer a")];
        assert!(find(&config(), &lines, "").is_ok());
        for joined in [
            "Bearer a,Bearer b",
            "Basic x, Bearer b",
            "Bearer a, Basic x",
            "a.b.c, Bearer d",
            "Basic x,a.b.c",
        ] {
            assert_eq!(
                in_header_as("auto", joined),
                Err(Reason::TokenAmbiguous),
                "{joined}"
            );
        }
    }

    #[test]
    fn s9_3_names_of_cookies_and_parameters_match_exactly() {
        for cookie in ["T=x", "tt=x", "xt=x", "t%3D=x", "t", "t ="] {
            let lines: Vec<(&'static str, &'static str)> = vec![("cookie", cookie)];
            assert_eq!(find(&config(), &lines, ""), Err(Reason::TokenMissing));
        }
        for query in ["T=x", "tt=x", "%74=x", "t", "x&t="] {
            assert_eq!(find(&config(), &[], query), Err(Reason::TokenMissing));
        }
        let lines = [("cookie", "a=1; t=x;b=2"), ("cookie", "c=3")];
        assert_eq!(find(&config(), &lines, "").unwrap().1, "x");
        assert_eq!(
            find(&config(), &[("cookie", "a=1; t=x,b=2")], "")
                .unwrap()
                .1,
            "x"
        );
        assert_eq!(find(&config(), &[], "a=1&t=x&b=2").unwrap().1, "x");
    }

    #[test]
    fn s9_3_the_same_name_twice_with_different_values_is_refused() {
        for cookie in ["t=a; t=b", "t=b,t=a"] {
            let lines: Vec<(&'static str, &'static str)> = vec![("cookie", cookie)];
            assert_eq!(find(&config(), &lines, ""), Err(Reason::TokenAmbiguous));
        }
        assert_eq!(find(&config(), &[], "t=a&t=b"), Err(Reason::TokenAmbiguous));
        assert!(find(&config(), &[], "t=a&t=a&t=").is_ok());
    }
}
