//! Reading a token: from standard input, a file or a variable. Never from the command line, which every user of the machine can see.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

/// Where the token is.
#[derive(Debug, Args)]
pub(super) struct TokenInput {
    /// Read the token from this file instead of standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "token_env")]
    token_file: Option<PathBuf>,
    /// Read the token from this environment variable instead of standard input.
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
}

/// More than any token that the service would look at.
const MAX_INPUT: u64 = 1024 * 1024;

impl TokenInput {
    /// Whether it is said where the token is, other than standard input.
    pub(super) const fn is_named(&self) -> bool {
        self.token_file.is_some() || self.token_env.is_some()
    }

    /// The token, without blanks and line breaks around it, and without `Bearer` in front.
    pub(super) fn read(&self) -> anyhow::Result<String> {
        match self.read_if_any()? {
            Some(token) => Ok(token),
            None => bail!(
                "there is no token\n  hint: pipe it in (`jwtgate explain < token.txt`), or name a file with --token-file"
            ),
        }
    }

    /// The same; `None` where there is nothing.
    pub(super) fn read_if_any(&self) -> anyhow::Result<Option<String>> {
        let text = match (&self.token_file, &self.token_env) {
            (Some(file), _) => std::fs::read_to_string(file)
                .with_context(|| format!("cannot read `{}`", file.display()))?,
            (None, Some(name)) => super::environment()
                .find(|(own, _)| own.to_str() == Some(name))
                .and_then(|(_, value)| value.into_string().ok())
                .with_context(|| format!("there is no environment variable `{name}`"))?,
            (None, None) => {
                let mut text = String::new();
                std::io::stdin()
                    .take(MAX_INPUT)
                    .read_to_string(&mut text)
                    .context("cannot read standard input")?;
                text
            }
        };
        let text = text.trim();
        let token = match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => text,
        };
        Ok((!token.is_empty()).then(|| token.to_owned()))
    }
}
