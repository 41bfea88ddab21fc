//! What may stand in a header: complete and exactly what the issuer signed, or nothing. Never trimmed, folded or cut.

use std::borrow::Cow;

use crate::config::NonAscii;

/// A text as a header value; `None` when it must not stand in one.
pub(super) fn encode(text: &str, non_ascii: NonAscii) -> Option<Cow<'_, str>> {
    if is_plain(text, b'%') {
        return Some(text.into());
    }
    if text.trim() != text {
        return None;
    }
    if is_printable_ascii(text) {
        let is_percent = non_ascii == NonAscii::Percent && has_escape(text);
        return Some(if is_percent {
            percent(text).into()
        } else {
            text.into()
        });
    }
    match non_ascii {
        _ if text.chars().any(is_forbidden) => None,
        NonAscii::Refuse => None,
        NonAscii::Utf8 => Some(text.into()),
        NonAscii::Percent => Some(percent(text).into()),
    }
}

const HEX: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
];

/// Percent-encodes what is not ASCII and every `%`. It is applied to a text that holds a non-ASCII character or a valid
/// percent-escape, and any other passes unchanged, which makes the whole reversible: `100%` stays itself, and `José` and a literal
/// `Jos%C3%A9` never meet.
fn percent(text: &str) -> String {
    let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or('0');
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii() && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(digit(byte >> 4));
            encoded.push(digit(byte & 15));
        }
    }
    encoded
}

/// Whether a text stands in a header as it is, whatever the settings, and holds no `separator`: visible ASCII without a `%`. Most come this
/// way, so there is no branch in the loop, of which the compiler makes a few vector instructions.
pub(super) fn is_plain(text: &str, separator: u8) -> bool {
    text.bytes().fold(true, |so_far, byte| {
        so_far & (matches!(byte, b'!'..=b'~') && byte != b'%' && byte != separator)
    })
}

fn is_printable_ascii(text: &str) -> bool {
    text.bytes()
        .fold(true, |so_far, byte| so_far & matches!(byte, b' '..=b'~'))
}

fn has_escape(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.contains(&b'%')
        && bytes.array_windows().any(|&[percent, high, low]| {
            percent == b'%' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
        })
}

/// Control characters (C0, DEL, C1), line and paragraph separators, and format characters, which are invisible or turn the
/// direction of text around: none may stand in a name that people and programs compare.
const fn is_forbidden(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}
