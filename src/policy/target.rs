//! One form for hosts and paths, so that no spelling of a denied one is allowed (the class of CVE-2025-54576, CVE-2026-33494,
//! CVE-2026-48794).
//!
//! A path is percent-decoded once and its dot segments are folded (RFC 3986 §6.2.2). Some paths have a few *readings*: as folded and as
//! sent, with and without blanks and dots at the end of a segment. All of them must lead to the same rule. Where nobody can tell how a
//! program reads it, a path is *ambiguous*, and no allowing rule fits it. Query and fragment play no part.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use crate::clock::Timestamp;
use crate::request::Original;

/// What rules are asked about: everything of a request but its token.
#[derive(Clone, Debug)]
pub struct Question<'r> {
    /// Host and path in one form.
    pub target: Target<'r>,
    /// The method, as the client sent it; `None` where the proxy did not say it.
    pub method: Option<&'r str>,
    /// Whether it is a CORS preflight.
    pub is_preflight: bool,
    /// The client's address; `None` where nobody trustworthy said it.
    pub source: Option<IpAddr>,
    /// The place of the issuer whose token was verified; `None` where none was.
    pub issuer: Option<usize>,
    /// The moment at which it is asked.
    pub now: Timestamp,
}

/// Host and path of a request in one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'r> {
    /// In small letters, without port and final dot; `None` where the client named none.
    pub host: Option<Cow<'r, str>>,
    /// The path.
    pub path: Path<'r>,
}

/// The path of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path<'r> {
    /// Decoded once, without dot segments.
    Plain(Cow<'r, str>),
    /// Programs read it in these ways: the usual one first, then what some make of it.
    Several(Vec<String>),
    /// Nobody can tell how programs read it.
    Ambiguous,
    /// The proxy did not say it.
    Unknown,
}

impl<'r> Target<'r> {
    /// Of an original request.
    #[must_use]
    pub fn of(original: &Original<'r>) -> Self {
        Self {
            host: original.host.map(host),
            path: if original.states_path {
                path(original.path)
            } else {
                Path::Unknown
            },
        }
    }
}

/// A host without its port and final dot, in small letters; an IPv6 address in its shortest form, without brackets.
#[must_use]
pub fn host(raw: &str) -> Cow<'_, str> {
    if let Some(rest) = raw.strip_prefix('[') {
        let inside = rest.split(']').next().unwrap_or_default();
        return inside
            .parse::<Ipv6Addr>()
            .map_or(Cow::Borrowed(inside), |address| {
                Cow::Owned(address.to_string())
            });
    }
    let name = raw.split(':').next().unwrap_or_default();
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// A path in one form.
#[must_use]
pub fn path(raw: &str) -> Path<'_> {
    if is_in_form(raw) {
        return Path::Plain(Cow::Borrowed(raw));
    }
    decoded(raw)
        .and_then(|text| readings(&text))
        .map_or(Path::Ambiguous, |mut readings| {
            match readings.as_mut_slice() {
                [only] => Path::Plain(Cow::Owned(std::mem::take(only))),
                _ => Path::Several(readings),
            }
        })
}

/// Every way to read a decoded path, each once, the usual one first; `None` where nobody can tell.
fn readings(decoded: &str) -> Option<Vec<String>> {
    if decoded.chars().any(is_look_alike) {
        return None;
    }
    let reduced = reduced(decoded);
    let all = [
        folded(decoded)?,
        // Many backends get the path as it was sent and do not fold it.
        decoded.to_owned(),
        folded(&reduced)?,
        reduced,
    ];
    let mut readings: Vec<String> = Vec::with_capacity(all.len());
    for reading in all {
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    }
    Some(readings)
}

/// What is left of a path in the hands of programs that cut: at `?` and `#` after decoding, blanks and dots at the end of a segment and
/// the stream behind a file's name (Windows); and that take full-width letters for plain ones (Unicode NFKC).
fn reduced(path: &str) -> String {
    let narrow: String = path.chars().map(narrowed).collect();
    let cut = narrow.split(['?', '#']).next().unwrap_or_default();
    let segments = cut.split('/').map(|segment| {
        let name = match segment.find("::$").or_else(|| segment.find(":$")) {
            Some(stream) => segment.get(..stream).unwrap_or(segment),
            None => segment,
        };
        let is_dots = name.bytes().all(|byte| byte == b'.');
        if is_dots {
            name
        } else {
            name.trim_end_matches(['.', ' '])
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// A full-width letter, digit or sign as the plain one.
fn narrowed(character: char) -> char {
    match character {
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character)
        }
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            ' '
        }
        other => other,
    }
}

/// Whether nothing in it needs a closer look, as with most paths.
fn is_in_form(raw: &str) -> bool {
    let is_plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'/' | b'-'
                    | b'_'
                    | b'.'
                    | b'~'
                    | b'@'
                    | b'+'
                    | b':'
                    | b','
                    | b'='
                    | b'&'
                    | b'!'
                    | b'*'
                    | b'('
                    | b')'
                    | b'$'
                    | b'\''
            )
    };
    if !raw.starts_with('/') {
        return false;
    }
    let mut before = 0;
    for byte in raw.bytes() {
        let is_odd = matches!(
            (before, byte),
            (b'/', b'/' | b'.') | (b'.', b'/') | (b':', b'$')
        );
        if is_odd || !is_plain(byte) {
            return false;
        }
        before = byte;
    }
    before != b'.'
}

/// Percent-decoded once; `None` where that leaves something that programs read differently.
fn decoded(raw: &str) -> Option<String> {
    let mut bytes = raw.bytes();
    let mut decoded = Vec::with_capacity(raw.len());
    while let Some(byte) = bytes.next() {
        match byte {
            // Separators of some servers, and path parameters (`/admin;x`), which some take off and others do not.
            b'\\' | b';' => return None,
            b'%' => {
                let byte = hex(bytes.next()?)? << 4 | hex(bytes.next()?)?;
                // Encoded separators and dots, which some decode before they split and others after; controls.
                if matches!(byte, b'/' | b'\\' | b'.' | b';' | 0..=0x1f | 0x7f) {
                    return None;
                }
                decoded.push(byte);
            }
            byte if byte.is_ascii_control() => return None,
            byte => decoded.push(byte),
        }
    }
    // What looks encoded after decoding, somebody decodes again.
    let is_encoded_twice = decoded.windows(3).any(|three| {
        matches!(three, [b'%', b'u' | b'U', digit] if digit.is_ascii_hexdigit())
            || matches!(three, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    });
    if is_encoded_twice {
        return None;
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Letters that compatibility folding (Unicode NFKC) or a narrow character set turns into a separator, dots or a percent sign; and
/// invisible ones, but for the joiners that some scripts need.
const fn is_look_alike(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{37e}' | '\u{2024}'..='\u{2026}' | '\u{2044}' | '\u{2100}'..='\u{2101}' | '\u{2105}'..='\u{2106}'
            | '\u{2215}'..='\u{2216}' | '\u{29f5}' | '\u{29f8}' | '\u{fe14}' | '\u{fe16}' | '\u{fe19}' | '\u{fe30}' | '\u{fe52}'
            | '\u{fe54}' | '\u{fe56}' | '\u{fe5f}' | '\u{fe68}' | '\u{fe6a}' | '\u{ff05}' | '\u{ff0e}' | '\u{ff0f}' | '\u{ff1b}'
            | '\u{ff3c}'
    )
}

/// Without dot segments (RFC 3986 §5.2.4); `None` for empty segments, for a way above the root, and for segments of dots and blanks, which
/// some file systems take for dot segments.
fn folded(path: &str) -> Option<String> {
    let Some(rest) = path.strip_prefix('/') else {
        // `*`, the target of some `OPTIONS`.
        return (path == "*").then(|| path.to_owned());
    };
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = rest.split('/').peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let is_dots = part.bytes().all(|byte| byte == b'.' || byte == b' ');
        match part {
            "." => {}
            ".." => {
                segments.pop()?;
            }
            "" if is_last => {}
            _ if is_dots => return None,
            _ => {
                segments.push(part);
                continue;
            }
        }
        if is_last {
            segments.push("");
        }
    }
    let mut folded = String::with_capacity(path.len());
    for segment in &segments {
        folded.push('/');
        folded.push_str(segment);
    }
    if folded.is_empty() {
        folded.push('/');
    }
    Some(folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(raw: &str) -> String {
        match path(raw) {
            Path::Plain(path) => path.into_owned(),
            Path::Several(readings) => readings.join(" | "),
            Path::Ambiguous => "ambiguous".to_owned(),
            Path::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn s10_3_paths_are_decoded_once_and_dot_segments_are_folded() {
        for (raw, expected) in [
            ("/", "/"),
            ("*", "*"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a/..b/c", "/a/..b/c"),
            ("/%61dmin", "/admin"),
            ("/caf%C3%A9", "/café"),
            ("/caf%c3%a9", "/café"),
            ("/a%20b", "/a b"),
            ("/100%25", "/100%"),
            ("/a%E2%80%8Cb", "/a\u{200c}b"),
        ] {
            assert_eq!(plain(raw), expected, "{raw}");
        }
    }

    #[test]
    fn s10_3_what_some_programs_read_otherwise_has_several_readings() {
        for (raw, expected) in [
            ("/a/./b", "/a/b | /a/./b"),
            ("/a/../b", "/b | /a/../b"),
            ("/a/b/..", "/a/ | /a/b/.."),
            ("/a/..", "/ | /a/.."),
            ("/C%23/what%3F", "/C#/what? | /C"),
            ("/admin.", "/admin. | /admin"),
            ("/admin%20/x", "/admin /x | /admin/x"),
            ("/admin::$DATA", "/admin::$DATA | /admin"),
            ("/%EF%BD%81dmin", "/\u{ff41}dmin | /admin"),
            ("/x%20/../y.", "/y. | /x /../y. | /y | /x/../y"),
        ] {
            assert_eq!(plain(raw), expected, "{raw}");
        }
    }

    #[test]
    fn s10_3_what_two_programs_may_read_differently_is_ambiguous() {
        for raw in [
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "//a",
            "/a//b",
            "/a//",
            "/a;b",
            "/a%3bb",
            "/%2e%2e/a",
            "/a/%2e/b",
            "/a/.%2e/b",
            "/a%2ehtml",
            "/a%00",
            "/a%0a",
            "/a%7f",
            "/a%",
            "/a%4",
            "/a%zz",
            "/a%u002f",
            "/%2561dmin",
            "/%252e%252e/a",
            "/..",
            "/a/../../b",
            "/a/.../b",
            "/a/..%20/b",
            "/a/%20/b",
            "/%c0%af",
            "/%ff",
            "/%ef%bc%8f",
            "/a\u{ff0f}b",
            "/a\u{200b}b",
            "/%25u0061",
            "/a\tb",
            "",
            "a",
            "**",
        ] {
            assert_eq!(plain(raw), "ambiguous", "{raw}");
        }
    }

    #[test]
    fn s10_4_hosts_are_compared_in_small_letters_without_port_and_final_dot() {
        for (raw, expected) in [
            ("app.example.com", "app.example.com"),
            ("APP.Example.COM:8443", "app.example.com"),
            ("app.example.com.", "app.example.com"),
            ("app.example.com.:443", "app.example.com"),
            ("[::1]:80", "::1"),
            ("[0:0:0:0:0:0:0:1]", "::1"),
            ("127.0.0.1:8080", "127.0.0.1"),
        ] {
            assert_eq!(host(raw), expected, "{raw}");
        }
    }
}
