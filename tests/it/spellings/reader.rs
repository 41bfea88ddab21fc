//! What programs make of the target of a request: every path that some usual backend could read from it.
//!
//! It knows nothing of jwtgate. Programs differ in what they do, how often and in which order, so every step may follow every other one; only
//! decoding has an end, after three times.

use std::collections::{HashMap, HashSet};

/// How often anybody decodes.
const DECODINGS: u8 = 3;

/// Every path that can be read from a request target.
pub(super) fn readings(target: &[u8]) -> HashSet<Vec<u8>> {
    // How often each may still be decoded.
    let mut left: HashMap<Vec<u8>, u8> = HashMap::new();
    let mut open = vec![(path_of(target), DECODINGS)];
    while let Some((path, decodings)) = open.pop() {
        if left.get(&path).is_some_and(|known| *known >= decodings) {
            continue;
        }
        open.extend(STEPS.iter().map(|step| (step(&path), decodings)));
        if decodings > 0 {
            open.extend(DECODERS.iter().map(|step| (step(&path), decodings - 1)));
        }
        left.insert(path, decodings);
    }
    left.into_keys().collect()
}

/// Whether a path is this one, or lies below it.
pub(super) fn lies_under(path: &[u8], prefix: &str) -> bool {
    path.strip_prefix(prefix.as_bytes())
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// The path of a target in any form (RFC 9112 §3.2). Nobody takes the query for a path.
fn path_of(target: &[u8]) -> Vec<u8> {
    let end = target.iter().position(|&byte| byte == b'?');
    let target = &target[..end.unwrap_or(target.len())];
    if target.starts_with(b"/") || target == b"*" {
        return target.to_vec();
    }
    let authority = find(target, b"://").map(|place| &target[place + 3..]);
    let Some(rest) = authority else {
        return [b"/", target].concat();
    };
    match rest.iter().position(|byte| b"/\\#;".contains(byte)) {
        Some(place) => rest[place..].to_vec(),
        None => b"/".to_vec(),
    }
}

type Step = fn(&[u8]) -> Vec<u8>;

const DECODERS: [Step; 2] = [percent_decoded, also_u_decoded];

const STEPS: [Step; 14] = [
    without_dot_segments,
    // Tomcat, Jetty and others: `/a;x=1/b` is `/a/b`.
    |path| each_segment(path, |segment| cut_at(segment, b";")),
    // IIS and Windows; browsers and WHATWG parsers everywhere.
    |path| replaced(path, b'\\', b'/'),
    merged,
    // C strings, and programs that split off query and fragment after decoding.
    |path| cut_at(path, b"\0"),
    |path| cut_at(path, b"?"),
    |path| cut_at(path, b"#"),
    |path| cut_at(path, b"\r\n"),
    // WHATWG parsers leave tabs and line ends out.
    |path| without(path, b"\t\r\n\0"),
    |path| each_segment(path, as_windows_names_a_file),
    // `new URL(request.url, base)`: `//x/admin` is the path `/admin` of the host `x`.
    without_authority,
    compatible,
    shortest,
    without_invisible,
];

fn percent_decoded(path: &[u8]) -> Vec<u8> {
    decoded(path, |_| None)
}

/// `%u0061`, as IIS and JavaScript's `unescape` have it.
fn also_u_decoded(path: &[u8]) -> Vec<u8> {
    decoded(path, |rest| {
        let digits = rest.strip_prefix(b"u")?.get(..4)?;
        let digits = std::str::from_utf8(digits).ok()?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let code = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
        char::from_u32(code)
    })
}

/// What is no encoding stays. `special` reads what stands behind a percent sign and takes five bytes.
fn decoded(path: &[u8], special: impl Fn(&[u8]) -> Option<char>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = path;
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            out.push(first);
        } else if let Some(character) = special(behind) {
            out.extend(character.to_string().bytes());
            rest = &behind[5..];
        } else if let Some(byte) = behind.get(..2).and_then(hex) {
            out.push(byte);
            rest = &behind[2..];
        } else {
            out.push(first);
        }
    }
    out
}

fn hex(digits: &[u8]) -> Option<u8> {
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
    u8::from_str_radix(text, 16).ok()
}

/// RFC 3986 §5.2.4: above the root is the root.
fn without_dot_segments(path: &[u8]) -> Vec<u8> {
    let Some(rest) = path.strip_prefix(b"/") else {
        return path.to_vec();
    };
    let parts: Vec<&[u8]> = rest.split(|&byte| byte == b'/').collect();
    let mut kept: Vec<&[u8]> = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let is_dots = [&b"."[..], b".."].contains(part);
        if *part == b".." {
            kept.pop();
        }
        if !is_dots {
            kept.push(part);
        } else if place + 1 == parts.len() {
            kept.push(b"");
        }
    }
    [b"/", kept.join(&b'/').as_slice()].concat()
}

fn each_segment(path: &[u8], change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let segments: Vec<Vec<u8>> = path.split(|&byte| byte == b'/').map(change).collect();
    segments.join(&b'/')
}

fn cut_at(text: &[u8], any: &[u8]) -> Vec<u8> {
    let end = text.iter().position(|byte| any.contains(byte));
    text[..end.unwrap_or(text.len())].to_vec()
}

fn replaced(text: &[u8], from: u8, to: u8) -> Vec<u8> {
    let changed = |&byte: &u8| if byte == from { to } else { byte };
    text.iter().map(changed).collect()
}

fn without(text: &[u8], any: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    text.retain(|byte| !any.contains(byte));
    text
}

fn merged(path: &[u8]) -> Vec<u8> {
    let mut path = path.to_vec();
    path.dedup_by(|one, other| (*one, *other) == (b'/', b'/'));
    path
}

/// Windows drops dots and blanks at the end of a name, and these streams are the file or the folder itself.
fn as_windows_names_a_file(segment: &[u8]) -> Vec<u8> {
    let streams = ["::$data", "::$index_allocation", ":$i30:$index_allocation"];
    let is_stream = |stream: &&str| {
        let start = segment.len().checked_sub(stream.len());
        start.is_some_and(|start| segment[start..].eq_ignore_ascii_case(stream.as_bytes()))
    };
    if let Some(stream) = streams.iter().find(|stream| is_stream(stream)) {
        return segment[..segment.len() - stream.len()].to_vec();
    }
    let is_dots = segment.iter().all(|byte| b". ".contains(byte));
    let end = segment.iter().rposition(|byte| match byte {
        b' ' => false,
        b'.' => is_dots,
        _ => true,
    });
    segment[..end.map_or(0, |last| last + 1)].to_vec()
}

fn without_authority(path: &[u8]) -> Vec<u8> {
    let rest = path.strip_prefix(b"//").unwrap_or_default();
    match rest.iter().position(|&byte| byte == b'/') {
        Some(place) => rest[place..].to_vec(),
        None => path.to_vec(),
    }
}

/// As Unicode's NFKC has it, and the best fits of narrow character sets. Not a whole table: what turns into `/admin`.
fn compatible(path: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(path) else {
        return path.to_vec();
    };
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\u{ff01}'..='\u{ff5e}' => out.extend(char::from_u32(u32::from(character) - 0xfee0)),
            '\u{24d0}'..='\u{24e9}' => out.extend(char::from_u32(u32::from(character) - 0x246f)),
            '\u{1d41a}'..='\u{1d433}' => out.extend(char::from_u32(u32::from(character) - 0x1d3b9)),
            other => match COMPATIBLE.iter().find(|(from, _)| *from == other) {
                Some((_, to)) => out.push_str(to),
                None => out.push(other),
            },
        }
    }
    out.into_bytes()
}

const COMPATIBLE: [(char, &str); 33] = [
    ('\u{2024}', "."),
    ('\u{fe52}', "."),
    ('\u{ff61}', "."),
    ('\u{3002}', "."),
    ('\u{2025}', ".."),
    ('\u{fe30}', ".."),
    ('\u{2026}', "..."),
    ('\u{2044}', "/"),
    ('\u{2215}', "/"),
    ('\u{29f8}', "/"),
    ('\u{2216}', "\\"),
    ('\u{29f5}', "\\"),
    ('\u{fe68}', "\\"),
    ('\u{fe6a}', "%"),
    ('\u{fe54}', ";"),
    ('\u{fe14}', ";"),
    ('\u{37e}', ";"),
    ('\u{fe56}', "?"),
    ('\u{fe16}', "?"),
    ('\u{fe5f}', "#"),
    ('\u{a0}', " "),
    ('\u{2003}', " "),
    ('\u{3000}', " "),
    ('\u{aa}', "a"),
    ('\u{1d43}', "a"),
    ('\u{1d48}', "d"),
    ('\u{217e}', "d"),
    ('\u{1d50}', "m"),
    ('\u{217f}', "m"),
    ('\u{2071}', "i"),
    ('\u{2170}', "i"),
    ('\u{207f}', "n"),
    ('\u{33cc}', "in"),
];

/// Overlong UTF-8, as lenient decoders read it: more bytes than an ASCII character needs.
fn shortest(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = path;
    while let Some((&first, behind)) = rest.split_first() {
        let (byte, length) = match *rest {
            [0xc0, low @ 0x80..=0xbf, ..] => (low & 0x3f, 2),
            [0xc1, low @ 0x80..=0xbf, ..] => (0x40 | (low & 0x3f), 2),
            [0xe0, high @ (0x80 | 0x81), low @ 0x80..=0xbf, ..] => {
                ((high & 1) << 6 | (low & 0x3f), 3)
            }
            [0xf0, 0x80, high @ (0x80 | 0x81), low @ 0x80..=0xbf, ..] => {
                ((high & 1) << 6 | (low & 0x3f), 4)
            }
            _ => (first, 1),
        };
        out.push(byte);
        rest = &behind[length - 1..];
    }
    out
}

/// What Unicode calls default ignorable (NFKC_Casefold).
fn without_invisible(path: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(path) else {
        return path.to_vec();
    };
    let is_seen = |character: &char| !matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    text.chars()
        .filter(is_seen)
        .collect::<String>()
        .into_bytes()
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[test]
fn the_reader_of_these_tests_reads_what_programs_read() {
    for (target, reading) in [
        ("/admin", "/admin"),
        ("/admin?x", "/admin"),
        ("http://host/admin", "/admin"),
        ("/%61dmin/x", "/admin/x"),
        ("/%252561dmin", "/admin"),
        ("/%u0061dmin", "/admin"),
        ("/%25u0061dmin", "/admin"),
        ("/public/%252e%252e%252fadmin", "/admin"),
        ("/public/..;x=1/admin", "/admin"),
        ("/public\\..\\admin", "/admin"),
        ("/public//../admin", "/public/admin"),
        ("/public//../admin", "/admin"),
        ("/public%00/../../admin", "/public"),
        ("/..%c0%afadmin", "/admin"),
        ("/%e0%80%ae%f0%80%80%ae/%c1%a1dmin", "/admin"),
        ("/public/\u{ff0e}\u{ff0e}\u{ff0f}admin", "/admin"),
        ("/admin.%20.", "/admin"),
        ("/admin::$DATA", "/admin"),
        ("//host/admin", "/admin"),
        ("/ad%0amin", "/admin"),
        ("/admin/../public", "/admin/../public"),
        ("/admin/../public", "/public"),
    ] {
        assert!(
            readings(target.as_bytes()).contains(reading.as_bytes()),
            "{target}: {reading}"
        );
    }
    for target in [
        "/public/x",
        "/public?/../admin",
        "/administrator",
        "/public/a%20b",
        "/a/dmin",
    ] {
        let all = readings(target.as_bytes());
        assert!(
            !all.iter().any(|path| lies_under(path, "/admin")),
            "{target}"
        );
    }
    // Without an end to decoding, everything would be read.
    assert!(!readings(b"/%25252561dmin").contains(&b"/admin"[..]));
}
