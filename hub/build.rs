//! Finds the console's built pages. It never runs npm: without them the hub shows a page that says how to
//! build them, and with the feature `require-console` (packages) their absence is an error.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=HUB_CONSOLE_DIST");
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let dist = env::var_os("HUB_CONSOLE_DIST").map_or_else(|| here.join("console/dist"), PathBuf::from);
    println!("cargo:rustc-env=HUB_CONSOLE_DIST={}", dist.display());
    let index = dist.join("index.html");
    let required = env::var_os("CARGO_FEATURE_REQUIRE_CONSOLE").is_some();
    if index.exists() {
        println!("cargo:rerun-if-changed={}", index.display());
    } else if required {
        println!(
            "cargo:error=the console is not built: {} is missing; run `cargo xtask console`",
            index.display()
        );
    } else if env::var("PROFILE").is_ok_and(|p| p == "release") {
        // Development builds read the pages when they are asked for; a release holds them and must notice new ones.
        println!("cargo:rerun-if-changed={}", index.display());
        println!(
            "cargo:warning=the console is not built, a page in its place says how; run `cargo xtask console`"
        );
    }
}
