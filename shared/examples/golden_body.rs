//! Writes the golden body of this version, once for each schema number:
//! `cargo run -p steward-shared --example golden_body shared/tests/golden/columns_1_steward.cbor`

use std::process::ExitCode;

use steward_shared::wire::columns::encode;

#[path = "../tests/golden/content.rs"]
mod content;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("name the file to write");
        return ExitCode::FAILURE;
    };
    let body = content::content();
    let written = encode(&body.readings, &body.header)
        .map_err(|e| e.to_string())
        .and_then(|bytes| std::fs::write(&path, bytes).map_err(|e| e.to_string()));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{}: {e}", path.display());
            ExitCode::FAILURE
        }
    }
}
