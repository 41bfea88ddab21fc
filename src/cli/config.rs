//! `jwtgate config`: the schema, the reference, an example.

use clap::{Args, ValueEnum};

use crate::config::{reference, schema};

use super::{Exit, print};

/// Print the schema, the reference or an example of the configuration.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate config example > jwtgate.toml\n  jwtgate config schema > jwtgate.schema.json\n\nExit codes: 0 printed, 2 wrong usage."
)]
pub(super) struct Arguments {
    /// What to print.
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// The JSON Schema, for editors.
    Schema,
    /// The reference page, in Markdown.
    Reference,
    /// A file with every key, commented out.
    Example,
}

#[expect(clippy::unnecessary_wraps, reason = "every command has this form")]
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    match arguments.what {
        What::Schema => print::data(format_args!("{:#}", schema::schema())),
        What::Reference => print::data(reference::page().trim_end()),
        What::Example => print::data(reference::example().trim_end()),
    }
    Ok(Exit::Fine)
}
