//! What the benchmark asks: a server on loopback that answers every request at once with `ok`, and keeps connections.
//!
//! `cargo run --release --example bench-server` prints its address and serves until it is ended.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok";

fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || serve(stream));
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut buffer = [0; 4096];
    let mut seen = 0;
    loop {
        let count = stream.read(&mut buffer[seen..]).ok().filter(|count| *count > 0)?;
        seen += count;
        // Requests without a body: each ends with an empty line.
        while let Some(end) = buffer[..seen].windows(4).position(|window| window == b"\r\n\r\n") {
            stream.write_all(ANSWER).ok()?;
            buffer.copy_within(end + 4..seen, 0);
            seen -= end + 4;
        }
    }
}
