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
            if let Some(why) = real_is_ill() {
                println!("{why}");
                std::process::exit(1);
            }
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
        Some(program @ ("redis" | "nginx" | "prometheus" | "alertmanager")) => become_real(program),
        Some("id") => println!("uid=0(root) gid=0(root)"),
        _ => std::process::exit(64),
    }
}

/// Becomes a real program of the image: its settings are written, its secrets read from where they are mounted.
fn become_real(program: &str) -> ! {
    use std::os::unix::process::CommandExt;
    let write = |path: &str, text: &str| std::fs::write(path, text).expect("the container's own files can be written");
    for folder in ["/data", "/tmp", "/var/lib/nginx", "/var/log/nginx", "/run"] {
        let _ = std::fs::create_dir_all(folder);
    }
    let words: Vec<&str> = match program {
        "redis" => {
            let password = std::fs::read_to_string("/run/secrets/redis_password").unwrap_or_default();
            write("/redis.conf", &format!("port 6379\nsave \"\"\ndir /data\nrequirepass {}\n", password.trim()));
            vec!["/usr/bin/redis-server", "/redis.conf"]
        }
        "nginx" => {
            write("/nginx.conf", NGINX);
            vec!["/usr/sbin/nginx", "-e", "stderr", "-c", "/nginx.conf"]
        }
        "prometheus" => {
            write("/prometheus.yml", PROMETHEUS);
            vec![
                "/usr/bin/prometheus",
                "--config.file=/prometheus.yml",
                "--storage.tsdb.path=/data",
                "--web.listen-address=:9091",
            ]
        }
        _ => {
            write("/alertmanager.yml", "route:\n  receiver: none\nreceivers:\n  - name: none\n");
            vec![
                "/usr/bin/prometheus-alertmanager",
                "--config.file=/alertmanager.yml",
                "--storage.path=/data",
                "--web.listen-address=:9093",
                "--cluster.listen-address=",
            ]
        }
    };
    let error = std::process::Command::new(words[0]).args(&words[1..]).exec();
    eprintln!("{program} can't be run: {error}");
    std::process::exit(127);
}

const NGINX: &str = "user root;
daemon off;
pid /run/nginx.pid;
error_log stderr;
events { }
http {
  access_log off;
  server {
    listen 80;
    location / { proxy_pass http://api-gateway:8080; }
  }
}
";

const PROMETHEUS: &str = "scrape_configs:
  - job_name: services
    static_configs:
      - targets: [api-gateway:8080, chat-service:8082, storage-service:8084]
";

/// What ails the real program, where this container runs one.
fn real_is_ill() -> Option<String> {
    let real = std::env::var("REAL").ok()?;
    let ask = |port: u16, words: &str| -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(words.as_bytes())?;
        let mut answer = [0; 256];
        let count = stream.read(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[..count]).into_owned())
    };
    let healthy = "GET /-/healthy HTTP/1.0\r\n\r\n";
    let (answer, wanted) = match real.as_str() {
        // Without the password it says so, which shows that it runs and asks for it.
        "redis" => (ask(6379, "PING\r\n"), "NOAUTH"),
        "prometheus" => (ask(9091, healthy), "200"),
        "alertmanager" => (ask(9093, healthy), "200"),
        _ => return None,
    };
    match answer {
        Ok(answer) if answer.contains(wanted) => None,
        Ok(answer) => Some(format!("{real} answered {answer:?}")),
        Err(error) => Some(format!("{real}: {error}")),
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
