//! What the stories share: a folder of their own, the program, and a server on loopback that answers as it is told.

#![allow(dead_code)]

pub mod browser;
pub mod by_hand;
pub mod engine;
pub mod hostile_engine;
pub mod mutate;
pub mod process;
pub mod schema;
pub mod shells;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

pub const BINARY: &str = env!("CARGO_BIN_EXE_runbook");

/// A folder that goes away, with a runbook in it.
pub struct Story {
    pub folder: tempfile::TempDir,
}

pub struct Told {
    pub status: i32,
    /// Standard output and error, one behind the other.
    pub text: String,
    pub stdout: String,
}

impl Story {
    pub fn new(runbook: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("plan.runbook"), runbook).expect("written");
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.path(name), text).expect("written");
        self
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).current_dir(self.folder.path()).env("NO_COLOR", "1");
        command.env_remove("RUST_LOG").env_remove("RUNBOOK_STATE");
        // Locks of a test go away with it.
        command.env("XDG_STATE_HOME", self.path(".state"));
        // Whatever the tests themselves were started with: in the background, by nohup(1).
        // SAFETY: signal(2) alone between fork and exec.
        unsafe {
            std::os::unix::process::CommandExt::pre_exec(&mut command, || {
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                libc::signal(libc::SIGHUP, libc::SIG_DFL);
                Ok(())
            });
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Told {
        told(self.command(args).output().expect("it runs"))
    }

    pub fn exec(&self) -> Told {
        self.run(&["exec", "plan.runbook"])
    }

    pub fn dry_run(&self) -> Told {
        self.run(&["dry-run", "plan.runbook"])
    }

    /// The events of a run.
    pub fn events(&self, command: &str) -> Vec<serde_json::Value> {
        let told = self.run(&[command, "--format", "json", "plan.runbook"]);
        told.stdout.lines().map(|line| serde_json::from_str(line).expect("an event a line")).collect()
    }

    /// Every file with its content, mode and time: what a dry run must leave as it is.
    pub fn world(&self) -> Vec<String> {
        use std::os::unix::fs::MetadataExt;
        let mut all = Vec::new();
        let mut open = vec![self.folder.path().to_owned()];
        while let Some(path) = open.pop() {
            let meta = std::fs::symlink_metadata(&path).expect("there");
            let content = if meta.is_file() { std::fs::read(&path).expect("read") } else { Vec::new() };
            all.push(format!(
                "{} {:o} {} {:?} {content:?}",
                path.display(),
                meta.mode(),
                meta.mtime_nsec(),
                meta.uid()
            ));
            if meta.is_dir() {
                open.extend(std::fs::read_dir(&path).expect("read").flatten().map(|entry| entry.path()));
            }
        }
        all.sort();
        all
    }
}

/// What each test leaves on record is what the schema says.
impl Drop for Story {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            schema::records(self.folder.path());
        }
    }
}

impl Told {
    /// The report of the run, made from its record, is what was shown live, byte for byte.
    #[track_caller]
    pub fn is_reported_by(&self, mut report: Command) {
        let report = told(report.output().expect("it runs"));
        let progress = &self.text[self.stdout.len()..];
        assert_eq!(report.stdout, format!("{progress}{}", self.stdout));
    }
}

pub fn told(output: Output) -> Told {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    schema::events(&stdout);
    Told { status: output.status.code().unwrap_or(-1), text, stdout }
}

/// A program of the examples, built with the tests.
pub fn example(name: &str) -> PathBuf {
    let program = PathBuf::from(BINARY).parent().expect("a folder").join("examples").join(name);
    assert!(program.exists(), "{} is built with the tests", program.display());
    program
}

/// What a server does with a connection, given the request's head and body.
pub type Behaviour = dyn Fn(&str, &str, &mut TcpStream) + Send + Sync;

/// A server on loopback; it notes the first line of every request.
pub struct Server {
    pub base: String,
    pub requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn new(behaviour: impl Fn(&str, &str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (noted, behaviour): (_, Arc<Behaviour>) = (requests.clone(), Arc::new(behaviour));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (noted, behaviour) = (noted.clone(), behaviour.clone());
                std::thread::spawn(move || converse(stream, &noted, &*behaviour));
            }
        });
        Self { base, requests }
    }

    /// Always the same answer.
    pub fn answering(status: u16, body: &str) -> Self {
        let body = body.to_owned();
        Self::new(move |_, _, stream| answer(stream, status, &body))
    }
}

pub fn answer(stream: &mut TcpStream, status: u16, body: &str) {
    let length = body.len();
    let _ = write!(stream, "HTTP/1.1 {status} -\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
}

fn converse(mut stream: TcpStream, noted: &Mutex<Vec<String>>, behaviour: &Behaviour) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let Ok(count) = stream.read(&mut buffer) else { return };
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if count == 0 {
                return;
            }
            continue;
        };
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, length)| length.trim().parse().ok())
            .unwrap_or(0usize);
        if body.len() < length && count > 0 {
            continue;
        }
        noted.lock().expect("notes").push(head.lines().next().unwrap_or_default().to_owned());
        return behaviour(head, body, &mut stream);
    }
}
