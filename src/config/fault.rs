//! What is wrong with a configuration, told so that a person can mend it.

use std::fmt;

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

/// Whether any of them stops the start.
#[must_use]
pub fn any_stops(faults: &[Fault]) -> bool {
    faults.iter().any(|fault| fault.severity == Severity::Fault)
}
