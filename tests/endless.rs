//! Answers without end, and values without bounds: each is unknown, in little memory, and the run goes on to its end.

mod support;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

use support::{BINARY, Story};

/// What an engine answers to whatever it is asked, behind `/_ping`.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// Blanks, for ever.
    Blanks,
    /// `[{},{},…`, for ever.
    Objects,
    /// As many small objects as fit into a few MiB, and their end: three bytes each, and half a kilobyte when they are read.
    Amplified,
    /// A frame of 4 GB.
    Frame,
    /// A head without end.
    Head,
}

/// Serves a socket until the test ends.
fn engine(story: &Story, answer: Answer) -> String {
    let path = story.path("engine.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                // Who was asked too much goes away.
                let _ = serve(stream, answer);
            });
        }
    });
    format!("unix://{}", path.display())
}

fn serve(mut stream: UnixStream, answer: Answer) -> std::io::Result<()> {
    let mut asked = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let head = loop {
            if let Some(end) = asked.windows(4).position(|window| window == b"\r\n\r\n") {
                break asked.drain(..end + 4).collect::<Vec<u8>>();
            }
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                count => asked.extend_from_slice(&buffer[..count]),
            }
        };
        let head = String::from_utf8_lossy(&head).into_owned();
        if head.contains("/_ping") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        }
        if head.starts_with("POST") && head.contains("/containers/") && head.contains("/exec") {
            stream.write_all(
                b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"Id\":\"abc\"}",
            )?;
            asked.clear();
            continue;
        }
        let ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        let begun = match head.contains("/exec/abc/start") {
            true => "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".to_owned(),
            false => format!("{ok}Connection: close\r\n\r\n"),
        };
        let block = vec![b' '; 64 * 1024];
        match answer {
            Answer::Blanks => {
                stream.write_all(begun.as_bytes())?;
                loop {
                    stream.write_all(&block)?;
                }
            }
            Answer::Objects => {
                stream.write_all(begun.as_bytes())?;
                stream.write_all(b"[")?;
                let objects = "{},".repeat(20_000);
                loop {
                    stream.write_all(objects.as_bytes())?;
                }
            }
            Answer::Amplified => {
                let body = format!("[{}{{}}]", "{},".repeat(2_000_000));
                stream.write_all(format!("{ok}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
            }
            Answer::Frame => {
                stream.write_all(begun.as_bytes())?;
                stream.write_all(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])?;
                loop {
                    stream.write_all(&block)?;
                }
            }
            Answer::Head => {
                stream.write_all(ok.as_bytes())?;
                loop {
                    stream.write_all(b"x-more: 0123456789012345678901234567890123456789\r\n")?;
                }
            }
        }
    }
}

/// Runs it with 2 GB of address space.
fn bounded(story: &Story, engine: &str) -> (i32, String) {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 2000000; exec \"$0\" exec plan.runbook", BINARY]);
    command.current_dir(story.folder.path()).env("NO_COLOR", "1").env("XDG_STATE_HOME", story.path(".state"));
    command.env_remove("RUNBOOK_STATE").env_remove("RUST_LOG").env("DOCKER_HOST", engine);
    let output = command.output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let code = output.status.code().unwrap_or_else(|| panic!("aborted: {text}"));
    (code, text)
}

const PEAK: &str = "grep VmHWM /proc/$PPID/status";

/// What the last action said of the memory that was taken.
#[track_caller]
fn peak(text: &str) -> u64 {
    let line = text.lines().rfind(|line| line.contains("VmHWM:")).unwrap_or_else(|| panic!("{text}"));
    line.split_whitespace().rev().nth(1).and_then(|size| size.parse().ok()).expect("kB")
}

#[test]
fn an_engine_that_answers_without_end_is_unknown() {
    let questions = [
        "docker.container(\"x\").name == \"x\"",
        "docker.containers() == []",
        "docker.images() == []",
        "docker.networks() == []",
        "docker.volumes() == []",
        "docker.stats(\"x\").processes == 1",
        "docker.processes(\"x\") == []",
        "docker.logs(\"x\").text == \"\"",
        "docker.file(\"x\", \"/etc/passwd\").text == \"\"",
        "docker.exec(\"x\", [\"true\"]).status == 0",
        "docker.engine().version == \"1\"",
    ];
    for answer in [Answer::Blanks, Answer::Objects, Answer::Amplified, Answer::Frame, Answer::Head] {
        // Where many MiB have to be read for each, some tell for all.
        let questions = match answer {
            Answer::Blanks | Answer::Frame => &questions[7..10],
            _ => &questions[..],
        };
        let expects: String = questions.iter().map(|question| format!("  expect {question}\n")).collect();
        let story = Story::new(&format!(
            "runbook \"Endless\" {{ proof = none }}\nstep s {{\n{expects}  finally {{ run \"{PEAK}\" }}\n}}\n"
        ));
        let (code, text) = bounded(&story, &engine(&story, answer));
        assert_eq!(code, 1, "{answer:?}: {text}");
        let unknown = text.lines().filter(|line| line.trim_start().starts_with('?')).count();
        // An engine that says nothing else may say that there is nothing, and nothing more.
        assert!(unknown >= questions.len() - 2, "{answer:?}: {text}");
        assert!(peak(&text) < 400_000, "{answer:?}: {text}");
    }
}

#[test]
fn an_action_in_a_container_that_prints_a_frame_of_4_gb_fails_in_little_memory() {
    let story = Story::new(&format!(
        "runbook \"Frame\" {{ proof = none }}\nstep s {{\n  run docker.exec(\"x\", [\"true\"])\n  finally {{ run \"{PEAK}\" }}\n}}\n"
    ));
    let (code, text) = bounded(&story, &engine(&story, Answer::Frame));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("has more than the 16 MiB"), "{text}");
    assert!(peak(&text) < 200_000, "{text}");
}

#[test]
fn values_that_grow_without_bounds_are_unknown() {
    let text: String =
        (1..=11).map(|n| format!("  let t{n} = \"{}\"\n", format!("#{{t{}}}", n - 1).repeat(10))).collect();
    let list: String =
        (1..=11).map(|n| format!("  let t{n} = [{}]\n", vec![format!("t{}", n - 1); 10].join(", "))).collect();
    let map: String = (1..=11)
        .map(|n| {
            let entries: Vec<String> = (0..10).map(|at| format!("\"k{at}\": t{}", n - 1)).collect();
            format!("  let t{n} = {{{}}}\n", entries.join(", "))
        })
        .collect();
    let sum: String = (1..=30).map(|n| format!("  let t{n} = t{0} + t{0}\n", n - 1)).collect();
    for (what, lets, last) in [("\"0123456789\"", text, 11), ("[1]", list, 11), ("[1]", map, 11), ("[1]", sum, 30)] {
        let story = Story::new(&format!(
            "runbook \"Bomb\" {{ }}\nstep s {{\n  let t0 = {what}\n{lets}  expect t{last} is present\n  finally {{ run \"{PEAK}\" }}\n}}\n"
        ));
        let (code, text) = bounded(&story, "");
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("larger than the 32 MiB that a value may take"), "{text}");
        assert!(peak(&text) < 800_000, "{what}: {}", peak(&text));
    }
}

#[test]
fn any_number_of_expects_takes_little_memory() {
    let story = Story::new(&format!(
        "runbook \"Many\" {{ }}\nstep s {{\n  let some = json(file(\"some.json\").text)\n  for a in some {{\n    for b in some \
         {{\n      expect a + b >= 0\n    }}\n  }}\n  run \"{PEAK}\"\n}}\n"
    ));
    story.write("some.json", &format!("{:?}", (0..200).collect::<Vec<u32>>()));
    let told = story.exec();
    assert_eq!(told.status, 0);
    assert!(told.stdout.contains("expects: 40000 held"), "{}", told.stdout);
    assert!(peak(&told.text) < 100_000, "{} kB", peak(&told.text));
}
