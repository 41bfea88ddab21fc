//! A file that the product ships, with the places of a test in it.

use std::fs;
use std::path::Path;

/// The text of a shipped file. Whatever is replaced in it must be there.
pub(super) struct Shipped {
    path: &'static str,
    text: String,
}

impl Shipped {
    /// `path` is below `config`, the folder of what is shipped or of what `jwtgate proxy-config` wrote.
    pub(super) fn read(config: &Path, path: &'static str) -> Self {
        let text = fs::read_to_string(config.join(path));
        Self {
            path,
            text: text.unwrap_or_else(|error| panic!("config/{path} is shipped: {error}")),
        }
    }

    pub(super) fn with(mut self, shipped: &str, tested: &str) -> Self {
        self.replace(shipped, tested);
        self
    }

    /// A line in front of all others.
    pub(super) fn behind(mut self, line: &str) -> Self {
        self.text.insert_str(0, line);
        self
    }

    pub(super) fn has(&self, shipped: &str) -> bool {
        self.text.contains(shipped)
    }

    pub(super) fn replace(&mut self, shipped: &str, tested: &str) {
        assert!(
            self.has(shipped),
            "config/{} no longer has `{shipped}`",
            self.path
        );
        let ends_in_digit = shipped.ends_with(|last: char| last.is_ascii_digit());
        let mut pieces = self.text.split(shipped);
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            // A port that begins with the digits of another is not that one: a free one was put here before.
            let goes_on = piece.starts_with(|next: char| next.is_ascii_digit());
            text.push_str(if ends_in_digit && goes_on {
                shipped
            } else {
                tested
            });
            text.push_str(piece);
        }
        self.text = text;
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Without the folders in front.
    pub(super) fn name(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    pub(super) fn write_to(&self, folder: &Path) {
        fs::write(folder.join(self.name()), &self.text).expect("the temporary folder is ours");
    }
}
