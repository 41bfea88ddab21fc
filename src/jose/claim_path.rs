//! Naming a claim: by its literal name, by a dotted path, by a JSON Pointer (RFC 6901).

use std::fmt;

use super::claims::Claims;
use super::json::Json;

/// Which claim is meant. `groups`, `https://example.com/groups` and `a.b` are literal names first; where no claim has that name,
/// `a.b` is the member `b` of the claim `a`; the claim's own name may hold dots, as in `kubernetes.io.namespace`. What starts with `/` is a
/// JSON Pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimPath {
    /// A name, or a dotted path.
    Name(String),
    /// The unescaped parts of a JSON Pointer.
    Pointer(Vec<String>),
}

/// The text names no claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("empty, or a JSON Pointer with a `~` that is not `~0` or `~1`")]
pub struct NotAPath;

impl ClaimPath {
    /// Reads a path.
    ///
    /// # Errors
    /// An empty text, a `~` in a pointer that is no escape.
    pub fn parse(text: &str) -> Result<Self, NotAPath> {
        if text.is_empty() {
            return Err(NotAPath);
        }
        let Some(pointer) = text.strip_prefix('/') else {
            return Ok(Self::Name(text.to_owned()));
        };
        let parts = pointer.split('/').map(|part| {
            let without_escapes = part.replace("~0", "").replace("~1", "");
            if without_escapes.contains('~') {
                return Err(NotAPath);
            }
            Ok(part.replace("~1", "/").replace("~0", "~"))
        });
        Ok(Self::Pointer(parts.collect::<Result<_, _>>()?))
    }

    /// The names of the claims that it may lead through: of `a.b`, both `a.b` and `a`.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        let (whole, dots) = match self {
            Self::Name(name) => (Some(name.as_str()), name.as_str()),
            Self::Pointer(parts) => (parts.first().map(String::as_str), ""),
        };
        let shorter = dots
            .match_indices('.')
            .filter_map(|(dot, _)| dots.get(..dot));
        whole.into_iter().chain(shorter)
    }

    /// The claim, if the token has it. `null` counts as absent.
    #[must_use]
    pub fn resolve<'c, 'a>(&self, claims: &'c Claims<'a>) -> Option<&'c Json<'a>> {
        let found = match self {
            Self::Name(name) => claims.get(name).or_else(|| dotted(name, claims)),
            Self::Pointer(parts) => {
                let (first, rest) = parts.split_first()?;
                descend(claims.get(first)?, rest.iter().map(String::as_str))
            }
        };
        found.filter(|value| !matches!(value, Json::Null))
    }
}

fn dotted<'c, 'a>(path: &str, claims: &'c Claims<'a>) -> Option<&'c Json<'a>> {
    path.match_indices('.').find_map(|(dot, _)| {
        let (first, rest) = path.split_at_checked(dot)?;
        let rest = rest.strip_prefix('.')?;
        descend(claims.get(first)?, rest.split('.'))
    })
}

fn descend<'c, 'a, 'p>(
    mut value: &'c Json<'a>,
    parts: impl Iterator<Item = &'p str>,
) -> Option<&'c Json<'a>> {
    for part in parts {
        value = match value {
            Json::Object(members) => members.get(part)?,
            Json::Array(items) => items.get(index(part)?)?,
            _ => return None,
        };
    }
    Some(value)
}

/// RFC 6901 §4: digits without a leading zero.
fn index(part: &str) -> Option<usize> {
    let is_canonical =
        part == "0" || (!part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit()));
    is_canonical.then(|| part.parse().ok())?
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Pointer(parts) => parts.iter().try_for_each(|part| {
                write!(formatter, "/{}", part.replace('~', "~0").replace('/', "~1"))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_found_by_name_path_and_pointer() {
        let claims = Claims::parse(
            br#"{"a":{"b":{"c":"deep"}},"x.y":"literal","x":{"y":"nested"},"https://e.com/g":"uri","l":["zero","one"],"s/t":{"~":"odd"},"n":null}"#,
        )
        .unwrap();
        let cases = [
            ("a.b.c", Some("deep")),
            ("x.y", Some("literal")),
            ("/x/y", Some("nested")),
            ("https://e.com/g", Some("uri")),
            ("/l/1", Some("one")),
            ("l.0", Some("zero")),
            ("/s~1t/~0", Some("odd")),
            ("/l/01", None),
            ("/l/2", None),
            ("/l/-", None),
            ("/l/+1", None),
            ("n", None),
            ("a.b.c.d", None),
            ("missing", None),
        ];
        for (path, expected) in cases {
            let path = ClaimPath::parse(path).unwrap();
            let found = path.resolve(&claims).and_then(Json::as_str);
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_told() {
        assert_eq!(ClaimPath::parse(""), Err(NotAPath));
        assert_eq!(ClaimPath::parse("/a~2"), Err(NotAPath));
        assert_eq!(ClaimPath::parse("/a~01/b").unwrap().to_string(), "/a~01/b");
    }
}
