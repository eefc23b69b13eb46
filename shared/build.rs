//! Packs the repository's device profiles and lists them, so that a gateway knows them without any file beside it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../device-profiles");
    println!("cargo:rerun-if-changed={}", folder.display());
    let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    let out = Path::new(&out);
    let mut list = String::from("&[\n");
    for vendor in children(&folder) {
        for model in children(&vendor).into_iter().filter(|p| p.extension().is_some_and(|e| e == "toml")) {
            println!("cargo:rerun-if-changed={}", model.display());
            let name = format!("device-profiles/{}/{}", last(&vendor), last(&model));
            let text = fs::read(&model).expect("a profile can be read");
            let packed = out.join(name.replace('/', "-"));
            fs::write(&packed, miniz_oxide::deflate::compress_to_vec(&text, 10))
                .expect("OUT_DIR can be written");
            writeln!(list, "({name:?}, include_bytes!({:?})),", packed.display().to_string())
                .expect("a String takes all that is written to it");
        }
    }
    list.push_str("]\n");
    fs::write(out.join("profiles.rs"), list).expect("OUT_DIR can be written");
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|e| e.path()).collect();
    paths.sort();
    paths
}

fn last(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
