//! A real Docker engine for tests: images are built here from a static program, and containers bear a name of their test.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Story, Told};

/// The static program, built once.
pub fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let program = folder.join(format!("app-{}", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docker/app.rs");
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition", "2024", "-O", "-C", "target-feature=+crt-static", source, "-o"]).arg(&program);
        assert!(rustc.status().expect("rustc runs").success(), "the program of the containers is built");
        program
    })
}

pub fn docker(args: &[&str]) -> Output {
    Command::new("docker")
        .env("DOCKER_BUILDKIT", "0")
        .args(args)
        .output()
        .expect("docker runs: these tests need an engine")
}

#[track_caller]
pub fn done(args: &[&str]) -> String {
    let output = docker(args);
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// An image and the containers of one test; they go away with it.
pub struct World {
    pub name: String,
}

impl World {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("runbook-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::copy(program(), folder.path().join("app")).expect("copied");
        let file = "FROM scratch\nLABEL test=NAME\nCOPY app /app\nHEALTHCHECK --interval=200ms --timeout=5s --retries=1 CMD [\"/app\", \"check\"]\n\
                    ENTRYPOINT [\"/app\"]\nCMD [\"serve\", \"well\"]\nENV LOG_LEVEL=info\nLABEL role=test\n";
        std::fs::write(folder.path().join("Dockerfile"), file.replace("NAME", &name)).expect("written");
        done(&["build", "-q", "-t", &name, folder.path().to_str().expect("a path")]);
        Self { name }
    }

    /// The full name of a container of this test.
    pub fn named(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    pub fn start(&self, name: &str, options: &[&str], command: &[&str]) -> String {
        let full = self.named(name);
        let mut args = vec!["run", "-d", "--network", "none", "--name", &full];
        args.extend(options);
        args.push(&self.name);
        args.extend(command);
        done(&args);
        full
    }

    pub fn story(&self, body: &str) -> Story {
        let body = body.replace("NAME", &self.name);
        Story::new(&format!("runbook \"Docker\" {{ proof = none }}\n\nstep look {{\n{body}\n}}\n"))
    }

    #[track_caller]
    pub fn go(&self, body: &str) -> Told {
        let told = self.story(body).exec();
        assert_eq!(told.status, 0, "{}", told.text);
        told
    }

    #[track_caller]
    pub fn no_go(&self, body: &str, words: &[&str]) {
        let told = self.story(body).exec();
        assert_eq!(told.status, 1, "{}", told.text);
        for words in words {
            assert!(told.text.contains(&words.replace("NAME", &self.name)), "{words:?} is not in:\n{}", told.text);
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let listed = docker(&["ps", "-aq", "--filter", &format!("name=^/{}-", self.name)]);
        let ids = String::from_utf8_lossy(&listed.stdout).into_owned();
        for id in ids.split_whitespace() {
            docker(&["rm", "-f", "-v", id]);
        }
        docker(&["rmi", "-f", &self.name]);
    }
}
