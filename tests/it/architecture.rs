//! Reads the sources of the whole workspace and says where the rules of the house are broken: which crate may know
//! which, which floor of the hub may import which, where SQL and HTTP may stand, what a parent file may hold.
//! Each rule is a plain function from sources to breaches, and each has a test that a bad sample is caught: a rule
//! that finds nothing because it looks at nothing would otherwise pass for ever.

#[path = "architecture/reading.rs"]
mod reading;
#[path = "architecture/rules.rs"]
mod rules;

use reading::{Source, console_sources, manifests, read_all, rust_sources};
use rules::*;

fn none(breaches: &[String]) {
    assert!(
        breaches.is_empty(),
        "the house is broken in {} places:\n{}",
        breaches.len(),
        breaches.join("\n")
    );
}

// The whole workspace.

#[test]
fn crates_know_only_what_they_may() {
    none(&crate_arrows(&manifests()));
}

#[test]
fn the_protocols_do_no_io_and_read_no_clock() {
    none(&pure_protocols(&rust_sources()));
}

#[test]
fn modules_of_the_hub_import_only_from_lower_floors() {
    none(&floors(&rust_sources()));
}

#[test]
fn a_slice_points_from_routes_to_verbs_to_model_and_store() {
    none(&slices(&rust_sources()));
}

#[test]
fn http_stands_only_in_routes() {
    none(&http_only_in_routes(&rust_sources()));
}

#[test]
fn sql_stands_only_in_stores() {
    none(&sql_only_in_stores(&rust_sources()));
}

#[test]
fn a_store_writes_its_own_tables_and_reads_downward() {
    none(&tables(&rust_sources(), &read_all("hub/src", &["sql"])));
}

#[test]
fn parent_files_hold_no_types_and_no_logic() {
    none(&parent_files(&rust_sources()));
}

#[test]
fn stores_are_private() {
    none(&private_stores(&rust_sources()));
}

#[test]
fn no_file_outgrows_its_room() {
    let mut all = rust_sources();
    all.extend(console_sources());
    none(&long_files(&all));
}

#[test]
fn features_of_the_console_do_not_know_each_other() {
    none(&console_features(&console_sources()));
}

#[test]
fn the_sources_are_really_read() {
    let paths: Vec<String> = rust_sources().into_iter().map(|s| s.path).collect();
    for wanted in ["shared/src/lib.rs", "edge/src/main.rs", "hub/src/main.rs", "edge/protocols/src/lib.rs"] {
        assert!(paths.iter().any(|p| p == wanted), "{wanted} was not read");
    }
    let console: Vec<String> = console_sources().into_iter().map(|s| s.path).collect();
    for wanted in ["hub/console/src/main.tsx", "hub/console/src/app/app.css"] {
        assert!(console.iter().any(|p| p == wanted), "{wanted} was not read");
    }
    assert_eq!(manifests().len(), ARROWS.len(), "a crate was added or lost: put its arrows into ARROWS");
}

// Each rule catches a bad sample.

fn sample(path: &str, text: &str) -> Vec<Source> {
    vec![Source { path: path.to_owned(), text: text.to_owned() }]
}

#[test]
fn an_arrow_from_edge_to_hub_is_caught() {
    let bad = sample(
        "edge/Cargo.toml",
        "[dependencies]\nsteward-shared.workspace = true\nsteward-hub.workspace = true\n",
    );
    assert_eq!(crate_arrows(&bad), ["edge/Cargo.toml:3: edge may not know steward-hub"]);
    let bad = sample("shared/Cargo.toml", "[dev-dependencies]\ntokio = \"1\"\n");
    assert_eq!(crate_arrows(&bad), ["shared/Cargo.toml:2: shared must stay free of tokio"]);
}

#[test]
fn a_socket_in_a_protocol_is_caught() {
    let bad = sample(
        "edge/protocols/src/modbus/tcp.rs",
        "// std::net in words is fine\nuse std::net::TcpStream;\n",
    );
    assert_eq!(
        pure_protocols(&bad),
        ["edge/protocols/src/modbus/tcp.rs:2: a protocol is pure, but names std::net"]
    );
}

#[test]
fn an_import_that_runs_up_is_caught() {
    let bad = sample("hub/src/sites/move.rs", "use crate::telemetry::Point;\nuse crate::kernel::Db;\n");
    assert_eq!(floors(&bad), ["hub/src/sites/move.rs:1: sites (floor 3) may not import telemetry (floor 5)"]);
    let bad = sample("hub/src/kernel/db.rs", "use crate::{kernel::V, accounts::User};\n");
    assert_eq!(floors(&bad), ["hub/src/kernel/db.rs:1: kernel (floor 0) may not import accounts (floor 3)"]);
    let broken = "use crate::{\n    kernel::Db,\n    telemetry::Point,\n};\n#[cfg(test)]\nmod tests;\nuse crate::link::Door;\n";
    assert_eq!(
        floors(&sample("hub/src/sites/move.rs", broken)),
        [
            "hub/src/sites/move.rs:1: sites (floor 3) may not import telemetry (floor 5)",
            "hub/src/sites/move.rs:7: sites (floor 3) may not import link (floor 6)",
        ]
    );
    let bad = sample("hub/src/misc/mod.rs", "");
    assert_eq!(floors(&bad), ["hub/src/misc/mod.rs: module misc has no floor: put it into FLOORS"]);
    assert!(floors(&sample("hub/src/telemetry/series.rs", "use crate::sites::Site;\n")).is_empty());
}

#[test]
fn a_verb_that_knows_its_routes_and_a_model_that_asks_the_store_are_caught() {
    let bad = sample("hub/src/sites/create.rs", "use super::routes::Answer;\n");
    assert_eq!(slices(&bad), ["hub/src/sites/create.rs:1: nothing in a slice knows its routes"]);
    let bad = sample("hub/src/sites/model.rs", "use super::{\n    store::all,\n};\n");
    assert_eq!(slices(&bad), ["hub/src/sites/model.rs:1: a model is pure, but names store::"]);
    assert!(slices(&sample("hub/src/sites/mod.rs", "mod routes;\npub use routes::routes;\n")).is_empty());
}

#[test]
fn axum_in_a_verb_is_caught() {
    let bad = sample("hub/src/sites/create.rs", "use axum::Json;\n#[derive(utoipa::ToSchema)]\n");
    assert_eq!(http_only_in_routes(&bad).len(), 2);
    assert!(http_only_in_routes(&sample("hub/src/sites/routes.rs", "use axum::Json;\n")).is_empty());
    assert_eq!(http_only_in_routes(&sample("edge/src/poll/mod.rs", "use axum::Json;\n")).len(), 1);
}

#[test]
fn sql_in_a_verb_is_caught() {
    let bad = "fn x() { query(\"select id\\n from sites where id = $1\") }\n";
    assert_eq!(sql_only_in_stores(&sample("hub/src/sites/create.rs", bad)).len(), 1);
    assert!(sql_only_in_stores(&sample("hub/src/sites/store.rs", bad)).is_empty());
    let raw = "const S: &str = r#\"\n  update sites set name = \"x\" \"#;\n";
    assert_eq!(sql_only_in_stores(&sample("hub/src/sites/model.rs", raw)).len(), 1);
    let words = "// \"select x from y\"\nlet hint = \"update the password\";\n";
    assert!(sql_only_in_stores(&sample("hub/src/sites/model.rs", words)).is_empty());
    assert_eq!(sql_only_in_stores(&sample("hub/src/sites/model.rs", "use rusqlite::Connection;\n")).len(), 1);
}

#[test]
fn a_write_into_a_foreign_table_is_caught() {
    let migrations = [
        Source {
            path: "hub/src/sites/migrations/0001_a.sql".into(),
            text: "create table sites (id text);".into(),
        },
        Source {
            path: "hub/src/telemetry/migrations/0001_a.sql".into(),
            text: "create table point (id text);".into(),
        },
    ];
    let write = sample("hub/src/telemetry/store.rs", "q(\"delete from sites where id = $1\")");
    assert_eq!(
        tables(&write, &migrations),
        ["hub/src/telemetry/store.rs:1: telemetry writes sites, a table of sites"]
    );
    let up =
        sample("hub/src/sites/store.rs", "q(\"select s.id from sites s join point p on p.site = s.id\")");
    assert_eq!(
        tables(&up, &migrations),
        ["hub/src/sites/store.rs:1: sites reads upward: point is of telemetry"]
    );
    let down =
        sample("hub/src/telemetry/store.rs", "q(\"select p.id from point p join sites s on p.site = s.id\")");
    assert!(tables(&down, &migrations).is_empty());
}

#[test]
fn a_type_in_a_parent_file_is_caught() {
    let bad = "//! Doc.\nmod store;\npub use store::X;\npub(crate) struct Site;\nimpl Site {}\n";
    assert_eq!(parent_files(&sample("hub/src/sites/mod.rs", bad)).len(), 2);
    assert!(parent_files(&sample("hub/src/sites/model.rs", bad)).is_empty());
}

#[test]
fn a_public_store_is_caught() {
    assert_eq!(private_stores(&sample("hub/src/sites/mod.rs", "pub(crate) mod store;\n")).len(), 1);
    assert!(private_stores(&sample("hub/src/sites/mod.rs", "mod store;\n")).is_empty());
}

#[test]
fn a_long_file_is_caught_and_its_tests_do_not_count() {
    let long = "line\n".repeat(LONGEST_FILE + 1);
    assert_eq!(long_files(&sample("hub/src/sites/model.rs", &long)).len(), 1);
    let mostly_tests = format!("line\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert!(long_files(&sample("hub/src/sites/model.rs", &mostly_tests)).is_empty());
}

#[test]
fn a_feature_that_imports_a_feature_is_caught() {
    let relative =
        sample("hub/console/src/features/sites/Tree.tsx", "import { Row } from '../gateways/Row';\n");
    assert_eq!(console_features(&relative).len(), 1);
    let absolute = sample(
        "hub/console/src/features/sites/Tree.tsx",
        "const P = lazy(() => import(\"@/features/users/P\"));\n",
    );
    assert_eq!(console_features(&absolute).len(), 1);
    let ui =
        sample("hub/console/src/ui/Age.tsx", "import { t } from '../i18n';\nimport React from 'react';\n");
    assert_eq!(console_features(&ui).len(), 1);
    let own = sample(
        "hub/console/src/features/sites/Tree.tsx",
        "import { x } from './x';\nimport { A } from '../../ui/A';\n",
    );
    assert!(console_features(&own).is_empty());
}
