//! The rules of the house, each a plain function from sources to breaches.

use std::collections::BTreeMap;

use crate::reading::{Source, code_lines, is_test, statements, string_literals, without_tests};

/// Which of our crates a crate may name in its `Cargo.toml`.
pub const ARROWS: &[(&str, &[&str])] = &[
    ("shared", &[]),
    ("edge/protocols", &["steward-shared"]),
    ("edge", &["steward-shared", "steward-protocols"]),
    ("hub", &["steward-shared"]),
    ("tests", &["steward-shared", "steward-protocols", "steward-edge", "steward-hub"]),
    ("tests/xtask", &[]),
];

/// What a crate must stay free of: (crate, dependency).
const FREE_OF: &[(&str, &[&str])] = &[
    ("shared", &["tokio", "rusqlite", "tokio-postgres", "axum", "quinn"]),
    ("edge/protocols", &["tokio", "tokio-serial", "tokio-modbus", "rusqlite", "axum", "quinn", "socket2"]),
];

/// The hub's floors; a module imports only from lower ones. `link` is the gateways' door: it stands above the modules
/// that it hands to, and no module knows it.
const FLOORS: &[(&str, u8)] = &[
    ("reports", 9),
    ("oncall", 9),
    ("alarms", 8),
    ("maintenance", 8),
    ("services", 8),
    ("emergency", 8),
    ("quality", 8),
    ("work_orders", 7),
    ("energy", 7),
    ("budgets", 7),
    ("shop", 7),
    ("link", 6),
    ("forecast", 6),
    ("approvals", 6),
    ("rosters", 6),
    ("training", 6),
    ("telemetry", 5),
    ("stock", 5),
    ("knowledge", 5),
    ("payments", 5),
    ("assets", 4),
    ("gateways", 4),
    ("suppliers", 4),
    ("notify", 4),
    ("integrations", 4),
    ("sites", 3),
    ("accounts", 3),
    ("kernel", 0),
];

pub const LONGEST_FILE: usize = 600;

pub fn crate_arrows(manifests: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in manifests {
        let dir = file.path.trim_end_matches("/Cargo.toml");
        let Some((_, may)) = ARROWS.iter().find(|(d, _)| *d == dir) else { continue };
        let free_of = FREE_OF.iter().find(|(d, _)| *d == dir).map_or(&[][..], |(_, names)| names);
        for (number, name) in dependencies(&file.text) {
            if name.starts_with("steward-") && !may.contains(&name) {
                breaches.push(format!("{}:{number}: {dir} may not know {name}", file.path));
            }
            if free_of.contains(&name) {
                breaches.push(format!("{}:{number}: {dir} must stay free of {name}", file.path));
            }
        }
    }
    breaches
}

/// The names under `[dependencies]`, `[dev-dependencies]` and their relatives, with line numbers.
fn dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut names = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line.trim_end_matches(']').ends_with("dependencies");
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            names.push((index + 1, line.split(['.', ' ', '=']).next().unwrap_or("")));
        }
    }
    names
}

pub fn pure_protocols(sources: &[Source]) -> Vec<String> {
    let banned = [
        "std::net",
        "std::fs",
        "std::thread",
        "std::io",
        "Instant::now",
        "SystemTime::now",
        "Timestamp::now",
    ];
    let mut breaches = Vec::new();
    for file in sources.iter().filter(|s| s.path.starts_with("edge/protocols/src/") && !is_test(&s.path)) {
        for (number, line) in code_lines(&file.text) {
            for word in banned.iter().filter(|w| line.contains(**w)) {
                breaches.push(format!("{}:{number}: a protocol is pure, but names {word}", file.path));
            }
        }
    }
    breaches
}

/// The module of the hub that a path lies in: the folder, or the file of that name, under `hub/src`.
fn hub_module(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("hub/src/")?;
    let name = rest.split('/').next()?.trim_end_matches(".rs");
    FLOORS.iter().map(|(module, _)| *module).find(|module| *module == name)
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

pub fn floors(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in sources.iter().filter(|s| !is_test(&s.path)) {
        let Some(from) = hub_module(&file.path) else {
            if let Some(folder) = file.path.strip_prefix("hub/src/").and_then(|p| p.split_once('/')) {
                breaches.push(format!("{}: module {} has no floor: put it into FLOORS", file.path, folder.0));
            }
            continue;
        };
        for (number, line) in statements(&file.text) {
            for to in imported_modules(&line) {
                if to != from && floor(to) >= floor(from) {
                    breaches.push(format!(
                        "{}:{number}: {from} (floor {}) may not import {to} (floor {})",
                        file.path,
                        floor(from).unwrap_or(0),
                        floor(to).unwrap_or(0)
                    ));
                }
            }
        }
    }
    breaches
}

/// `crate::sites::Site` and the members of `use crate::{sites::Site, kernel::Db}`.
fn imported_modules(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find("crate::") {
        rest = &rest[at + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group.split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let name = name.trim().split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or("");
            found.extend(FLOORS.iter().map(|(module, _)| *module).filter(|module| *module == name));
        }
    }
    found
}

/// In a slice: routes -> verbs -> {model, store}; the model is pure.
pub fn slices(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in sources.iter().filter(|s| !is_test(&s.path)) {
        if hub_module(&file.path).is_none_or(|module| module == "kernel") {
            continue;
        }
        let name = file.path.rsplit('/').next().unwrap_or("");
        let in_routes = name == "routes.rs" || file.path.contains("/routes/");
        for (number, line) in statements(&file.text) {
            if name != "mod.rs" && !in_routes && line.contains("routes::") {
                breaches.push(format!("{}:{number}: nothing in a slice knows its routes", file.path));
            }
            let impure = ["store::", "kernel::db", "kernel::http", "tokio::", "async fn"];
            if name == "model.rs"
                && let Some(word) = impure.iter().find(|word| line.contains(**word))
            {
                breaches.push(format!("{}:{number}: a model is pure, but names {word}", file.path));
            }
        }
    }
    breaches
}

pub fn http_only_in_routes(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in sources.iter().filter(|s| !is_test(&s.path)) {
        let open = match hub_module(&file.path) {
            Some("kernel") => true,
            Some(_) => file.path.ends_with("/routes.rs") || file.path.contains("/routes/"),
            None => file.path.starts_with("hub/src/") || file.path.starts_with("edge/src/health/"),
        };
        if open || file.path.starts_with("tests/") {
            continue;
        }
        for (number, line) in code_lines(&file.text) {
            for word in ["axum", "utoipa"].iter().filter(|w| names_crate(line, w)) {
                breaches.push(format!("{}:{number}: {word} belongs in routes.rs", file.path));
            }
        }
    }
    breaches
}

/// True if the line names the crate as a path: `axum::Json`, `use axum;`, `utoipa_axum::router`.
fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].trim_start_matches("_axum");
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            && (after.starts_with("::") || after.starts_with(';'))
    })
}

pub fn sql_only_in_stores(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in sources.iter().filter(|s| !is_test(&s.path)) {
        let open = match hub_module(&file.path) {
            Some("kernel") => true,
            Some(_) => file.path.ends_with("/store.rs") || file.path.contains("/store/"),
            None => ["edge/src/buffer/", "edge/src/alarm/", "edge/src/evidence/store.rs"]
                .iter()
                .any(|room| file.path.starts_with(room)),
        };
        if open || file.path.starts_with("tests/") {
            continue;
        }
        for (number, text) in string_literals(without_tests(&file.text)) {
            if is_sql(&text) {
                let start: String = text.trim().chars().take(40).collect();
                breaches.push(format!("{}:{number}: SQL belongs in store.rs: {start}", file.path));
            }
        }
        for (number, line) in code_lines(&file.text) {
            for word in ["rusqlite", "tokio_postgres"].iter().filter(|w| names_crate(line, w)) {
                breaches.push(format!("{}:{number}: {word} belongs behind the store", file.path));
            }
        }
    }
    breaches
}

fn is_sql(text: &str) -> bool {
    let text = text.trim_start().to_ascii_lowercase();
    let begins = |word: &str| text.starts_with(word);
    (begins("select ") && (text.contains(" from ") || text.contains('\n')))
        || begins("insert into ")
        || begins("insert or ")
        || begins("delete from ")
        || begins("create table ")
        || begins("create index ")
        || begins("alter table ")
        || begins("drop table ")
        || begins("pragma ")
        || (begins("update ") && text.contains(" set "))
        || (begins("with ") && text.contains(" as ("))
}

/// Tables are known from `create table` in a module's migrations; what a store writes or reads is found in its texts.
pub fn tables(sources: &[Source], migrations: &[Source]) -> Vec<String> {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for file in migrations {
        let Some(module) = hub_module(&file.path) else { continue };
        for table in
            words_after(&file.text.to_ascii_lowercase(), &["create table if not exists ", "create table "])
        {
            if table != "if" {
                owners.insert(table, module);
            }
        }
    }
    let mut breaches = Vec::new();
    for file in sources.iter().filter(|s| !is_test(&s.path)) {
        let Some(module) = hub_module(&file.path) else { continue };
        for (number, text) in string_literals(without_tests(&file.text)) {
            if !is_sql(&text) {
                continue;
            }
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase();
            for table in
                words_after(&text, &["insert into ", "insert or replace into ", "delete from ", "update "])
            {
                if owners.get(&table).is_some_and(|owner| *owner != module) {
                    let owner = owners[&table];
                    breaches
                        .push(format!("{}:{number}: {module} writes {table}, a table of {owner}", file.path));
                }
            }
            for table in words_after(&text, &[" from ", " join "]) {
                if let Some(owner) = owners.get(&table)
                    && *owner != module
                    && floor(owner) >= floor(module)
                {
                    breaches.push(format!(
                        "{}:{number}: {module} reads upward: {table} is of {owner}",
                        file.path
                    ));
                }
            }
        }
    }
    breaches
}

fn words_after(text: &str, openings: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    for opening in openings {
        for (at, _) in text.match_indices(opening) {
            let rest = text[at + opening.len()..].trim_start();
            let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            words.push(word);
        }
    }
    words
}

pub fn parent_files(sources: &[Source]) -> Vec<String> {
    let starts =
        ["struct ", "enum ", "fn ", "async fn ", "const fn ", "trait ", "impl ", "impl<", "union ", "type "];
    let mut breaches = Vec::new();
    for file in sources {
        let name = file.path.rsplit('/').next().unwrap_or("");
        if !matches!(name, "mod.rs" | "lib.rs") || file.path.starts_with("tests/") {
            continue;
        }
        for (number, line) in code_lines(&file.text) {
            let item = line.trim_start();
            let item = match item.strip_prefix("pub(") {
                Some(rest) => rest.split_once(')').map_or("", |(_, rest)| rest.trim_start()),
                None => item.strip_prefix("pub ").unwrap_or(item),
            };
            if starts.iter().any(|start| item.starts_with(start)) {
                let what: String = item.chars().take(40).collect();
                breaches.push(format!(
                    "{}:{number}: a parent file holds no types and no logic: {what}",
                    file.path
                ));
            }
        }
    }
    breaches
}

pub fn private_stores(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in sources.iter().filter(|s| hub_module(&s.path).is_some()) {
        for (number, line) in code_lines(&file.text) {
            let line = line.trim();
            if line.starts_with("pub") && line.ends_with("mod store;") {
                breaches.push(format!("{}:{number}: `mod store;` is private", file.path));
            }
        }
    }
    breaches
}

pub fn long_files(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in sources.iter().filter(|s| !is_test(&s.path) && !s.path.contains("/generated/")) {
        let lines = without_tests(&file.text).lines().count();
        if lines > LONGEST_FILE && !file.path.ends_with(".d.ts") {
            breaches.push(format!(
                "{}: {lines} lines without its tests; past {LONGEST_FILE}, make a second room",
                file.path
            ));
        }
    }
    breaches
}

pub fn console_features(sources: &[Source]) -> Vec<String> {
    const ROOT: &str = "hub/console/src/";
    let mut breaches = Vec::new();
    for file in sources {
        let Some(inside) = file.path.strip_prefix(ROOT) else { continue };
        let feature = inside.strip_prefix("features/").and_then(|p| p.split_once('/')).map(|(name, _)| name);
        let in_ui = inside.starts_with("ui/");
        for (index, line) in file.text.lines().enumerate() {
            let Some(target) = imported_path(line) else { continue };
            let Some(target) = resolve(inside, &target) else { continue };
            let other = target.strip_prefix("features/").and_then(|p| p.split('/').next());
            if let (Some(feature), Some(other)) = (feature, other)
                && feature != other
            {
                breaches.push(format!(
                    "{}:{}: feature {feature} imports feature {other}",
                    file.path,
                    index + 1
                ));
            }
            if in_ui && !target.starts_with("ui/") {
                breaches.push(format!("{}:{}: ui imports nothing of ours: {target}", file.path, index + 1));
            }
        }
    }
    breaches
}

/// The quoted path of a TypeScript `import … from "x"`, `export … from "x"` or `import("x")`.
fn imported_path(line: &str) -> Option<String> {
    let at = line.find(" from ").map(|at| at + 6).or_else(|| line.find("import(").map(|at| at + 7))?;
    let rest = line[at..].trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest[1..].split(quote).next().map(str::to_owned)
}

/// The path from `src/` that an import names; `None` for packages.
fn resolve(importer: &str, target: &str) -> Option<String> {
    if let Some(rest) = target.strip_prefix("@/") {
        return Some(rest.to_owned());
    }
    if !target.starts_with('.') {
        return None;
    }
    let mut parts: Vec<&str> = importer.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}
