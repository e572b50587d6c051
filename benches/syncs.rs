//! `bench-syncs FOLDER COUNT BYTES`: writes COUNT pieces of BYTES, and has each on disk before the next: what `benches/record`
//! compares with.

use std::io::Write;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, count, bytes] = args.as_slice() else { panic!("bench-syncs FOLDER COUNT BYTES") };
    let (count, bytes): (usize, usize) = (count.parse().expect("a count"), bytes.parse().expect("a size"));
    let path = std::path::Path::new(folder).join(format!("syncs-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new().append(true).create_new(true).open(&path).expect("a file");
    let piece = vec![b'x'; bytes];
    for _ in 0..count {
        file.write_all(&piece).expect("written");
        file.sync_data().expect("on disk");
    }
    std::fs::remove_file(path).expect("removed");
}
