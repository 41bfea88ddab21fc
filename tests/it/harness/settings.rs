//! The config text of a server under test, put together from its parts.

use std::fs;

use tempfile::TempDir;

use super::process::{Exited, Gate};
use super::tokens;

/// What a server is started with. Listeners stand on port 0 unless a test says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    top: String,
    listen: String,
    server: String,
    admin: String,
    tables: String,
    files: Vec<(String, Vec<u8>)>,
    environment: Vec<(String, String)>,
}

impl Settings {
    /// No key, no audience: only listeners.
    pub(crate) fn empty() -> Self {
        Self {
            top: String::new(),
            listen: "[\"127.0.0.1:0\"]".to_owned(),
            server: String::new(),
            admin: "listen = \"127.0.0.1:0\"".to_owned(),
            tables: String::new(),
            files: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// [`tokens::SECRET`] and [`tokens::AUDIENCE`]: what [`tokens::good`] is good for.
    pub(crate) fn hmac() -> Self {
        Self::empty()
            .top(&format!("secret = \"{}\"", tokens::SECRET))
            .top(&format!("expected_audience = \"{}\"", tokens::AUDIENCE))
    }

    /// As [`Settings::hmac`], with a cookie, a query parameter and a place to sign in.
    pub(crate) fn with_sign_in() -> Self {
        Self::hmac().top(
            "cookie_name = \"auth_token\"\n\
             param_name = \"auth_token\"\n\
             auth_url = \"https://auth.example.com/login\"\n\
             public_url = \"https://app.example.com\"\n\
             return_hosts = [\"app.example.com\"]",
        )
    }

    /// Adds lines at the top level.
    pub(crate) fn top(mut self, lines: &str) -> Self {
        self.top.push_str(lines);
        self.top.push('\n');
        self
    }

    /// Replaces `[server] listen`; the value is TOML.
    pub(crate) fn listen(mut self, value: &str) -> Self {
        value.clone_into(&mut self.listen);
        self
    }

    /// Adds lines to `[server]`.
    pub(crate) fn server(mut self, lines: &str) -> Self {
        self.server.push_str(lines);
        self.server.push('\n');
        self
    }

    /// Replaces the lines of `[admin]`.
    pub(crate) fn admin(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.admin);
        self
    }

    /// Adds whole tables.
    pub(crate) fn table(mut self, text: &str) -> Self {
        self.tables.push_str(text);
        self.tables.push('\n');
        self
    }

    /// Puts a file beside the config, to be named as `{dir}/NAME` in it.
    pub(crate) fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    /// Sets an environment variable of the process.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts `serve` and waits until it is ready.
    ///
    /// # Panics
    ///
    /// With everything the process printed, when it does not get ready.
    pub(crate) fn start(self) -> Gate {
        self.try_start()
            .unwrap_or_else(|exited| panic!("the server did not get ready:\n{}", exited.output))
    }

    /// Starts `serve` where a refusal to start is what the test is about.
    pub(crate) fn try_start(self) -> Result<Gate, Exited> {
        let folder = self.write();
        Gate::launch(folder, &self.environment)
    }

    /// Writes the files and `jwtgate.toml` into a folder of their own.
    pub(crate) fn write(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for (name, content) in &self.files {
            fs::write(folder.path().join(name), content).expect("the temporary folder is writable");
        }
        let text = self
            .text()
            .replace("{dir}", &folder.path().display().to_string());
        fs::write(folder.path().join("jwtgate.toml"), text)
            .expect("the temporary folder is writable");
        folder
    }

    fn text(&self) -> String {
        format!(
            "{}\n[server]\nlisten = {}\n{}\n[admin]\n{}\n\n{}",
            self.top, self.listen, self.server, self.admin, self.tables
        )
    }
}
