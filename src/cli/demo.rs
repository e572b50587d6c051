//! `runbook demo`: the quickstart runbook, with a small world of its own on loopback and in a folder that goes away.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::check::program::{Program, Settings};
use crate::check::{Input, check};
use crate::engine::world::Trust;
use crate::engine::{Cancel, Options};
use crate::report::diagnostic as shown;
use crate::report::texts::Texts;

use super::forms::Views;
use super::{Format, Global, run};

const RUNBOOK: &str = include_str!("../../runbooks/quickstart.runbook");

/// The one who may deploy.
const TOKEN: &str = "demo-token-5f2c9a71";

#[derive(Args)]
pub(super) struct Demo {
    /// What a review sees: the dry run before the run, and after it
    #[arg(long)]
    dry_run: bool,
    /// Only serve the small service, for runbooks of your own; ends with Ctrl-C
    #[arg(long)]
    serve: bool,
    /// The port on loopback; 0 for any
    #[arg(long, default_value_t = 0)]
    port: u16,
}

impl Demo {
    pub fn run(self, global: Global) -> ExitCode {
        match self.try_run(global) {
            Ok(code) => code,
            Err(why) => {
                eprintln!("runbook: the demo can't be set up: {why}");
                ExitCode::from(4)
            }
        }
    }

    fn try_run(self, global: Global) -> Result<ExitCode, Box<dyn std::error::Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let folder = tempfile::Builder::new().prefix("runbook-demo-").tempdir()?;
        std::fs::create_dir(folder.path().join("secrets"))?;
        let secret = folder.path().join("secrets/token.txt");
        std::fs::write(&secret, format!("{TOKEN}\n"))?;
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let file = folder.path().join("quickstart.runbook");
        std::fs::write(&file, RUNBOOK)?;
        let code = runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
            let base = format!("http://{}", listener.local_addr()?);
            let service = tokio::spawn(serve(listener));
            if self.serve {
                println!("serving {base} (the token is {TOKEN}); Ctrl-C ends it");
                tokio::signal::ctrl_c().await?;
                return Ok(ExitCode::SUCCESS);
            }
            let program = program(&file, &base, global)?;
            let told = |global, dry| Views::new(Format::Text, global, dry, &Cancel::new(), &Texts::default()).in_turn();
            let options = Options::default();
            let plan = async || {
                run::plan(program.clone(), &options, Trust::Sandboxed, told(global, true).0).await;
            };
            if self.dry_run {
                plan().await;
                println!("\n--- carried out ---\n");
            }
            let (sinks, written) = told(Global { quiet: global.quiet || self.dry_run, ..global }, false);
            let ended = run::carry_out(program.clone(), sinks).await;
            written.whole();
            if self.dry_run {
                println!("\n--- and the dry run after it ---\n");
                plan().await;
            } else if !global.quiet {
                eprintln!("\nNext: `runbook demo --dry-run` shows what a review sees, before and after.");
            }
            service.abort();
            Ok::<ExitCode, Box<dyn std::error::Error>>(run::exit_code(&ended).into())
        })?;
        runtime.shutdown_background();
        Ok(code)
    }
}

fn program(file: &std::path::Path, base: &str, global: Global) -> Result<Arc<Program>, Box<dyn std::error::Error>> {
    let settings =
        Settings { set: vec![("base".to_owned(), base.to_owned())], values_required: true, ..Settings::default() };
    let input = Input {
        name: "quickstart.runbook".to_owned(),
        path: Some(file.to_owned()),
        bytes: RUNBOOK.as_bytes().to_vec(),
        kept: None,
    };
    let checked = check(input, &settings);
    checked
        .program
        .map(Arc::new)
        .ok_or_else(|| shown::render(&checked.sources, &checked.diagnostics, global.colour_err()).into())
}

/// What the service is doing.
struct Service {
    version: String,
    /// The version that is starting, since when, and whether it will come up.
    starting: Option<(String, Instant, bool)>,
    workers: Option<u64>,
    log: Vec<String>,
}

impl Service {
    fn status(&mut self) -> &'static str {
        match &self.starting {
            None => "ok",
            Some((version, since, true)) if since.elapsed() > Duration::from_millis(1200) => {
                self.version = version.clone();
                self.log.push(format!("version {version} is up"));
                self.starting = None;
                "ok"
            }
            Some((version, since, false)) if since.elapsed() > Duration::from_millis(500) => {
                let line = format!("version {version} crashed: settings.workers is missing");
                if self.log.last() != Some(&line) {
                    self.log.push(line);
                }
                "crashed"
            }
            Some(_) => "starting",
        }
    }

    fn answer(&mut self, method: &str, path: &str, token: bool, body: &[u8]) -> (u16, &'static str, String) {
        let status = self.status();
        let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let object = |status: u16, object: serde_json::Value| (status, "application/json", object.to_string());
        match (method, path) {
            ("GET", "/health") => object(200, json!({"status": status, "version": self.version, "lost": 0})),
            ("GET", "/metrics") => (200, "text/plain", "requests_total 42\nerrors_total 0\n".to_owned()),
            ("GET", "/log") => (200, "text/plain", self.log.join("\n") + "\n"),
            ("POST", "/deploy" | "/settings") if !token => object(401, json!({"error": "a bearer token is needed"})),
            ("POST", "/settings") => {
                self.workers = body["workers"].as_u64();
                self.log.push("settings changed".to_owned());
                object(200, json!({"workers": self.workers}))
            }
            ("POST", "/deploy") => {
                let version = body["version"].as_str().unwrap_or_default().to_owned();
                self.log.push(format!("version {version} is starting"));
                self.starting = Some((version, Instant::now(), self.workers.is_some()));
                object(202, json!({"status": "starting"}))
            }
            _ => object(404, json!({"error": "there is nothing here"})),
        }
    }
}

async fn serve(listener: TcpListener) {
    let service = Arc::new(Mutex::new(Service {
        version: "1.0".to_owned(),
        starting: None,
        workers: None,
        log: vec!["version 1.0 is up".to_owned()],
    }));
    while let Ok((stream, _)) = listener.accept().await {
        let service = service.clone();
        tokio::spawn(async move {
            // Who asks badly is not answered.
            let _ = tokio::time::timeout(Duration::from_secs(10), converse(stream, service)).await;
        });
    }
}

/// Answers one request: HTTP/1.1 as far as a demo needs it.
async fn converse(mut stream: TcpStream, service: Arc<Mutex<Service>>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let head = loop {
        let count = stream.read(&mut buffer).await?;
        bytes.extend_from_slice(&buffer[..count]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if count == 0 || bytes.len() > 64 * 1024 {
            return Ok(());
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.lines();
    let mut request = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (request.next().unwrap_or_default(), request.next().unwrap_or_default());
    let headers: Vec<(String, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim()))
        .collect();
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0usize).min(64 * 1024);
    while bytes.len() < head + 4 + length {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
    let token = header("authorization") == Some(&format!("Bearer {TOKEN}"));
    let (status, kind, body) =
        service.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).answer(method, path, token, &bytes[head + 4..]);
    let answer = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}
