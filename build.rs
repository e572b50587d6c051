//! Finds the files of the standard library, so that no list of them is kept by hand.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let stdlib = Path::new(&root).join("stdlib");
    println!("cargo::rerun-if-changed={}", stdlib.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&stdlib)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "runbook") {
            files.push(path);
        }
    }
    // Its order is that of the file ids, and part of the library's hash.
    files.sort();
    let mut list = String::from("&[\n");
    for path in &files {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        list.push_str(&format!("    ({name:?}, include_str!({:?})),\n", path.display().to_string()));
    }
    list.push_str("]\n");
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&out).join("stdlib.rs"), list)
}
