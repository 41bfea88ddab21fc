//! The one place that writes to stdout and stderr. A reader that went away is no reason to panic.

use std::fmt::Display;
use std::io::Write as _;

/// Data, for stdout: one line.
pub(super) fn data(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Talk, for stderr: one line.
pub(super) fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Talk that takes the place of the line before it.
pub(super) fn replace(line: impl Display) {
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "\r\x1b[K{line}");
    let _ = out.flush();
}

/// A text without what could forge or hide something on a terminal: anything but letters, digits and plain signs is escaped.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_ascii_graphic() || character == ' ' || character.is_alphanumeric() {
                character.to_string()
            } else {
                character.escape_unicode().to_string()
            }
        })
        .collect()
}
