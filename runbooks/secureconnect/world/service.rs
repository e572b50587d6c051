//! A service of the SecureConnect world, whichever its environment says: a static program, alone in its image.
//!
//! `service serve` answers HTTP at its ports; `service health` is its health check; `service crash` ends at once, `service
//! deaf` ignores SIGTERM. What it does wrong is told by the words in `/control/NAME`, which it reads as it runs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;

const SIGTERM: i32 = 15;
const SIG_IGN: usize = 1;

unsafe extern "C" {
    fn signal(signal: i32, handler: usize) -> usize;
    fn _exit(status: i32) -> !;
    fn poll(sockets: *mut Poll, count: u64, milliseconds: i32) -> i32;
}

/// What `poll` takes: a socket, what is waited for, what came.
#[repr(C)]
struct Poll {
    socket: i32,
    events: i16,
    came: i16,
}

const POLLIN: i16 = 1;

extern "C" fn end(_signal: i32) {
    unsafe { _exit(0) }
}

/// The first process of a container is not ended by a signal that it does not handle.
fn on_sigterm(handler: usize) {
    unsafe { signal(SIGTERM, handler) };
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("serve") => {
            on_sigterm(end as *const () as usize);
            serve();
        }
        Some("deaf") => {
            on_sigterm(SIG_IGN);
            serve();
        }
        Some("health") => {
            if told("unhealthy") {
                println!("connection pool exhausted: 50 of 50 in use");
                std::process::exit(1);
            }
            println!("ok");
        }
        Some("crash") => {
            eprintln!("thread 'main' panicked at src/main.rs:7:1:\nDATABASE_URL is not reachable");
            std::thread::sleep(Duration::from_millis(300));
            std::process::exit(101);
        }
        Some("id") => println!("uid=0(root) gid=0(root)"),
        _ => std::process::exit(64),
    }
}

fn name() -> String {
    std::env::var("SERVICE").unwrap_or_else(|_| "service".to_owned())
}

/// The lines of what this service is told to do wrong.
fn orders() -> Vec<String> {
    let text = std::fs::read_to_string(PathBuf::from("/control").join(name())).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn told(word: &str) -> bool {
    orders().iter().any(|line| line == word)
}

fn serve() -> ! {
    let name = name();
    println!("level=info service={name} msg=\"started\" errors=0");
    for (variable, value) in std::env::vars().filter(|(variable, _)| variable.ends_with("_FILE")) {
        if std::fs::read(&value).is_ok_and(|content| content.is_empty()) {
            eprintln!("level=error service={name} msg=\"{variable}: {value} is empty\"");
        }
    }
    let ports: Vec<u16> =
        std::env::var("PORTS").unwrap_or_default().split(',').filter_map(|port| port.parse().ok()).collect();
    for port in ports {
        std::thread::spawn(move || listen(port));
    }
    let (mut panicked, mut noisy) = (false, false);
    loop {
        let orders = orders();
        let told = |word: &str| orders.iter().any(|line| line == word);
        if told("panic") && !panicked {
            eprintln!("thread 'tokio-runtime-worker' panicked at src/hub.rs:42:7:\nindex out of bounds: the len is 3 but the index is 7");
        }
        if told("noise") && !noisy {
            println!("level=info msg=\"scan finished\" errors=0 fatal=0 panic=false panics_total=0 fatalities=0");
        }
        (panicked, noisy) = (told("panic"), told("noise"));
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Listens until it is told to close, and again when it no longer is.
fn listen(port: u16) {
    loop {
        while told("closed") {
            std::thread::sleep(Duration::from_millis(50));
        }
        let Ok(listener) = TcpListener::bind(("0.0.0.0", port)) else {
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        while !told("closed") {
            let mut socket = Poll { socket: listener.as_raw_fd(), events: POLLIN, came: 0 };
            // Not for ever: it may be told to close.
            if unsafe { poll(&mut socket, 1, 200) } > 0
                && let Ok((stream, _)) = listener.accept()
            {
                std::thread::spawn(move || answer(stream));
            }
        }
    }
}

/// Answers the requests of one connection, one behind the other.
fn answer(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let end = loop {
            if let Some(at) = seen.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            match stream.read(&mut buffer) {
                Ok(count) if count > 0 && seen.len() < 65536 => seen.extend_from_slice(&buffer[..count]),
                _ => return,
            }
        };
        let head = String::from_utf8_lossy(&seen[..end]).into_owned();
        seen.drain(..end);
        let path = head.split(' ').nth(1).unwrap_or_default();
        let orders = orders();
        if orders.iter().any(|line| line == "slow") {
            std::thread::sleep(Duration::from_secs(3));
        }
        let ordered = orders.iter().find_map(|line| line.strip_prefix("status=")?.parse().ok());
        let (status, kind, body) = match path {
            "/metrics" => (200, "text/plain", "# TYPE up gauge\nup 1\n".to_owned()),
            "/health" | "/api/health" | "/-/healthy" | "/-/ready" | "/ready" => {
                (200, "application/json", format!("{{\"status\":\"ok\",\"service\":\"{}\"}}", name()))
            }
            _ => (404, "text/plain", "not found\n".to_owned()),
        };
        let status: u16 = ordered.unwrap_or(status);
        let length = body.len();
        let text = format!("HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}");
        if stream.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}
