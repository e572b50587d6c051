//! A Docker engine on a unix socket that answers as it is told, and notes what it was asked.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The first line of every request.
pub type Noted = Arc<Mutex<Vec<String>>>;

/// Answers every request on a connection of its own, for as long as the test lives.
pub fn serve(socket: &Path, behave: impl Fn(&str, &mut UnixStream) + Send + Sync + 'static) -> Noted {
    let listener = UnixListener::bind(socket).expect("a socket");
    let noted: Noted = Arc::default();
    let (notes, behave) = (noted.clone(), Arc::new(behave));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (notes, behave) = (notes.clone(), behave.clone());
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut byte) {
                        Ok(1) => head.push(byte[0]),
                        _ => return,
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let line = head.lines().next().unwrap_or_default().to_owned();
                notes.lock().expect("notes").push(line.clone());
                behave(&line, &mut stream);
            });
        }
    });
    noted
}

pub fn json(stream: &mut UnixStream, status: u16, body: &str) {
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
}
