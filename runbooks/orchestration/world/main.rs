//! The world of `runbooks/orchestration`: a small job service that speaks the API of the deployment checklist.
//!
//! `cargo run --example orchestration-world -- [--port N] [--fault NAME]` serves on loopback until it is ended, and prints
//! its address first. The state is in memory. Faults: `never-healthy`, `default-password`, `login-refused`, `no-token`,
//! `job-fails`, `job-stuck`, `slow`, `swagger`, `no-headers`.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long the service takes to become healthy, and a job to be done.
const START: Duration = Duration::from_millis(400);
const WORK: Duration = Duration::from_millis(500);

/// The password that the template sets, and that must be changed.
const DEFAULT_PASSWORD: &str = "admin123";

struct World {
    fault: String,
    password: String,
    began: Instant,
    tokens: Vec<String>,
    jobs: HashMap<u64, Instant>,
}

fn main() {
    let mut port = 0;
    let mut fault = String::new();
    let mut password = "correct horse battery".to_owned();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().unwrap_or_default();
        match arg.as_str() {
            "--port" => port = value.parse().unwrap_or(0),
            "--fault" => fault = value,
            "--password" => password = value,
            other => {
                eprintln!("unknown argument: {other}");
                std::process::exit(2);
            }
        }
    }
    let listener = match TcpListener::bind(("127.0.0.1", port)) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("port {port} can't be served: {error}");
            std::process::exit(1);
        }
    };
    if let Ok(address) = listener.local_addr() {
        println!("http://{address}");
        let _ = std::io::stdout().flush();
    }
    let world = World { fault, password, began: Instant::now(), tokens: Vec::new(), jobs: HashMap::new() };
    let world = Arc::new(Mutex::new(world));
    for stream in listener.incoming().flatten() {
        let world = world.clone();
        std::thread::spawn(move || {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            let _ = converse(stream, &world);
        });
    }
}

/// Reads one request, and answers it.
fn converse(mut stream: TcpStream, world: &Mutex<World>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let (head, length) = loop {
        let count = stream.read(&mut buffer)?;
        bytes.extend_from_slice(&buffer[..count]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            break (head, end + 4 + length);
        }
        if count == 0 || bytes.len() > 64 * 1024 {
            return Ok(());
        }
    };
    while bytes.len() < length.min(64 * 1024) {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
    let body = serde_json::from_slice(&bytes[head.len() + 4..]).unwrap_or(Value::Null);
    if world.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).fault == "slow" {
        std::thread::sleep(Duration::from_millis(1500));
    }
    let (status, answer, safe) = {
        let mut world = world.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let (status, answer) = world.answer(&head, &body);
        (status, answer, world.fault != "no-headers")
    };
    let text = answer.to_string();
    let headers = if safe { "x-content-type-options: nosniff\r\nx-frame-options: DENY\r\n" } else { "" };
    write!(
        stream,
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

impl World {
    fn answer(&mut self, head: &str, body: &Value) -> (u16, Value) {
        let mut line = head.lines().next().unwrap_or_default().split(' ');
        let (method, path) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
        let healthy = self.began.elapsed() > START && self.fault != "never-healthy";
        match (method, path) {
            ("GET", "/actuator/health") if healthy => (200, json!({ "status": "UP" })),
            ("GET", "/actuator/health") => (503, json!({ "status": "STARTING" })),
            ("GET", "/swagger-ui/index.html") if self.fault == "swagger" => (200, json!("Swagger UI")),
            ("POST", "/api/v1/auth/login") => self.login(body),
            ("POST", "/api/v1/jobs") if self.known(head) => {
                let id = self.jobs.len() as u64 + 1;
                self.jobs.insert(id, Instant::now());
                (202, json!({ "id": id, "name": body["name"], "status": "QUEUED" }))
            }
            ("GET", path) if path.starts_with("/api/v1/jobs/") && self.known(head) => {
                let id = path.rsplit('/').next().and_then(|id| id.parse().ok()).unwrap_or(0);
                match self.jobs.get(&id) {
                    Some(since) => (200, json!({ "id": id, "status": self.job(*since) })),
                    None => (404, json!({ "error": "there is no such job" })),
                }
            }
            (_, path) if path.starts_with("/api/v1/jobs") => (401, json!({ "error": "a token is needed" })),
            _ => (404, json!({ "error": "there is nothing here" })),
        }
    }

    fn login(&mut self, body: &Value) -> (u16, Value) {
        let password = body["password"].as_str().unwrap_or_default();
        let default = self.fault == "default-password" && password == DEFAULT_PASSWORD;
        let right = password == self.password && self.fault != "login-refused";
        if body["username"] != "admin" || !(right || default) {
            return (401, json!({ "error": "wrong user or password" }));
        }
        if self.fault == "no-token" {
            return (200, json!({ "message": "welcome" }));
        }
        let token = format!("jwt-{}-{}", self.tokens.len(), self.began.elapsed().as_nanos());
        self.tokens.push(token.clone());
        (200, json!({ "token": token }))
    }

    fn known(&self, head: &str) -> bool {
        header(head, "authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|token| self.tokens.iter().any(|known| known == token))
    }

    fn job(&self, since: Instant) -> &'static str {
        match self.fault.as_str() {
            "job-stuck" => "RUNNING",
            _ if since.elapsed() < WORK => "RUNNING",
            "job-fails" => "FAILED",
            _ => "DONE",
        }
    }
}
