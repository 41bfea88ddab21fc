//! In place of `expression`, where jwtgate is built without the feature `cel`: a configuration that needs it is refused.

use crate::config::Fault;

use super::subject::Subject;
use super::target::Question;

/// There is none.
#[derive(Clone, Debug)]
pub enum Expression {}

/// There is none.
#[derive(Debug)]
pub enum Known {}

/// The expression could not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

impl Expression {
    /// Refuses an expression. `path` names the key in the fault.
    ///
    /// # Errors
    /// Always.
    pub fn compile(path: &str, text: &str) -> Result<Self, Fault> {
        Err(Fault::new(
            path,
            format!("`{text}`, and this jwtgate was built without the feature `cel`"),
            "no expression",
            "build it with `--features cel`, which is on unless you switch it off",
        ))
    }

    /// Whether it may ask for groups.
    #[must_use]
    pub const fn asks_for_groups(&self) -> bool {
        match *self {}
    }

    /// Whether it is true.
    ///
    /// # Errors
    /// Never, since there is no expression.
    pub fn holds(&self, _: &Question<'_>, _: Option<&Known>) -> Result<bool, Failed> {
        match *self {}
    }
}

impl Known {
    /// There is nothing to know.
    #[must_use]
    pub const fn of(_: &Subject<'_>) -> Option<Self> {
        None
    }

    /// The memory that it takes, in bytes.
    #[must_use]
    pub const fn size(&self) -> usize {
        match *self {}
    }
}
