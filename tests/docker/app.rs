//! What runs in the containers of the tests: a static program without a shell beside it.
//!
//! `app serve` prints to both streams, and lives until it is told to end; `app end N` ends with N; `app say …` and `app make
//! PATH` are for what is run in a container; `app check` is the
//! health check: well while `/healthy` exists, which `serve well` writes.

use std::time::Duration;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", rest @ ..] => {
            println!("serving errors=0");
            eprintln!("to standard error");
            if rest.contains(&"well") {
                let _ = std::fs::write("/healthy", "");
            }
            if rest.contains(&"panic") {
                eprintln!("thread 'main' panicked at 'it broke'");
            }
            loop {
                std::thread::sleep(Duration::from_secs(3600));
            }
        }
        ["say", words @ ..] => {
            println!("{}", words.join(" "));
            eprintln!("said");
        }
        ["make", path] => std::fs::write(path, "made\n").expect("it is written"),
        ["end", status] => std::process::exit(status.parse().unwrap_or(1)),
        ["check"] => std::process::exit(i32::from(!std::path::Path::new("/healthy").exists())),
        _ => std::process::exit(64),
    }
}
