//! What is wrong with a configuration, told so that a person can mend it.

use std::fmt;
use std::path::Path;

/// One thing that is wrong or weak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A fault stops the start, a warning does not.
    pub severity: Severity,
    /// Where: a key such as `server.listen[0]`, an environment variable, a file.
    pub path: String,
    /// What stands there. Never a secret.
    pub found: String,
    /// What should stand there.
    pub expected: String,
    /// What to do.
    pub hint: String,
    /// Whether something is lacking, which may be because what stands there could not be read.
    pub is_absence: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It starts, and should be looked at.
    Warning,
    /// It does not start.
    Fault,
}

impl Fault {
    /// Something that stops the start.
    pub fn new(
        path: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Fault,
            path: path.into(),
            found: found.into(),
            expected: expected.into(),
            hint: hint.into(),
            is_absence: false,
        }
    }

    /// The same fault or warning, because something is lacking.
    #[must_use]
    pub fn absent(self) -> Self {
        Self {
            is_absence: true,
            ..self
        }
    }

    /// Something that is weak.
    pub fn warning(
        path: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::new(path, found, expected, hint)
        }
    }
}

impl Severity {
    /// The word in front of the message.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Fault => "error",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: `{}`\n  found:    {}\n  expected: {}\n  hint:     {}",
            self.severity.word(),
            self.path,
            self.found,
            self.expected,
            self.hint
        )
    }
}

/// Faults of form and faults of meaning, together. That something is lacking is left out where a fault of form says why: the
/// value could not be read, its key is misspelt, or the whole file is no TOML.
#[must_use]
pub fn joined(form: Vec<Fault>, mut meaning: Vec<Fault>, file: Option<&Path>) -> Vec<Fault> {
    let is_unread = file.is_some_and(|file| {
        let file = file.display().to_string();
        form.iter().any(|fault| fault.path == file)
    });
    let explains = |form: &Fault, key: &str| {
        form.path.starts_with(key) || form.hint.contains(&format!("`{key}`"))
    };
    meaning.retain(|fault| {
        let is_explained = || {
            fault
                .path
                .split(", ")
                .any(|key| form.iter().any(|form| explains(form, key)))
        };
        !fault.is_absence || !(is_unread || is_explained())
    });
    form.into_iter().chain(meaning).collect()
}

/// Whether any of them stops the start.
#[must_use]
pub fn any_stops(faults: &[Fault]) -> bool {
    faults.iter().any(|fault| fault.severity == Severity::Fault)
}
