//! The first minute of a newcomer: what `demo` prints works as it is pasted.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::harness::{need, process};

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_three_curl_lines_of_the_demo_show_200_and_401_and_302() {
    let Some(_) = need::program("curl") else {
        return;
    };
    let child = process::command()
        .args(["demo", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary can be started");
    let mut demo = Demo(child);
    let stdout = demo.0.stdout.take().expect("stdout is a pipe");
    let lines: Vec<String> = BufReader::new(stdout)
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.starts_with("Refusals are logged"))
        .filter(|line| line.starts_with("curl "))
        .collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let answers: Vec<String> = lines
        .iter()
        .map(|line| {
            // As a shell would read it; the socket is open before the lines are printed.
            let ran = Command::new("sh")
                .args([
                    "-c",
                    &format!("{line} --silent --max-time 5 --retry 5 --retry-connrefused"),
                ])
                .output()
                .expect("a shell");
            String::from_utf8_lossy(&ran.stdout).to_lowercase()
        })
        .collect();
    assert!(answers[0].starts_with("http/1.1 200"), "{}", answers[0]);
    assert!(answers[0].contains("x-auth-user: alice"), "{}", answers[0]);
    assert!(answers[1].starts_with("http/1.1 401"), "{}", answers[1]);
    assert!(
        answers[1].contains("www-authenticate: bearer"),
        "{}",
        answers[1]
    );
    assert!(answers[2].starts_with("http/1.1 302"), "{}", answers[2]);
    assert!(
        answers[2].contains(
            "location: https://auth.example.com/?retpath=https%3a%2f%2fapp.example.com%2freports%3fyear%3d2026"
        ),
        "{}",
        answers[2]
    );
}

#[test]
fn the_shipped_minimal_configuration_has_no_fault() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("certs")).expect("a folder");
    let certificate = folder.path().join("certs/adfs-signature.crt");
    std::fs::copy(root.join("certs/demo-rsa.crt"), certificate).expect("the demo certificate");
    let ran = process::command()
        .args(["check", "--strict", "--config"])
        .arg(root.join("config/minimal.toml"))
        .env("JWTGATE_DANGER_DEMO_KEYS", "true")
        .current_dir(folder.path())
        .output()
        .expect("the binary can be started");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(told.contains("0 errors, 1 warning\n"), "{told}");
    assert!(told.contains("demo key"), "{told}");
}
