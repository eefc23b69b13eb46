//! What the handbook shows can be used as it stands: its example profile is read by the program's own reader,
//! and both languages speak of the same keys.

use std::path::Path;

use steward_shared::profile::Profile;

fn read(page: &str) -> String {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the workspace").join(page);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The first block of TOML on a page.
fn first_toml(page: &str) -> String {
    let text = read(page);
    let block = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    block.unwrap_or_else(|| panic!("{page} has no TOML")).to_owned()
}

#[test]
fn the_example_profile_is_a_profile_in_both_languages() {
    for page in ["profiles.md", "profiles.zh.md"] {
        let text = first_toml(&format!("docs/src/engineers/{page}"));
        let profile = Profile::parse("device-profiles/example/pm-100.toml", &text).unwrap_or_else(|faults| {
            panic!("{page}: {}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        assert_eq!((profile.points.len(), profile.frames.len()), (3, 1), "{page}");
    }
}

/// Sections and keys of a file of defaults, those that are commented out too.
fn keys(defaults: &str) -> Vec<String> {
    let text = read(defaults);
    let lines = text.lines().map(|line| line.trim_start_matches(['#', ' ']));
    let keys = lines.filter_map(|line| {
        let section = line.starts_with('[').then(|| line.split_whitespace().next().unwrap_or(line));
        let key = line.split_once(" = ").map(|(key, _)| key);
        section.or(key.filter(|key| key.chars().all(|c| c.is_ascii_lowercase() || c == '_')))
    });
    keys.map(str::to_owned).collect()
}

#[test]
fn the_chinese_page_explains_every_key_of_the_file() {
    for (defaults, page) in
        [("edge/edge.default.toml", "gateway-file.zh.md"), ("hub/hub.default.toml", "hub-file.zh.md")]
    {
        let (keys, text) = (keys(defaults), read(&format!("docs/src/engineers/{page}")));
        assert!(keys.len() > 15, "{defaults}: {keys:?}");
        for key in keys {
            assert!(text.contains(&format!("`{key}`")), "{page} says nothing of `{key}`");
        }
    }
}
