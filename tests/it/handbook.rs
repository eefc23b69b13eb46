//! What the handbook shows can be used as it stands: its example profile is read by the program's own reader.

use std::path::Path;

use steward_shared::profile::Profile;

/// The first block of TOML on a page.
fn first_toml(page: &str) -> String {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the workspace").join(page);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let block = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    block.unwrap_or_else(|| panic!("{page} has no TOML")).to_owned()
}

#[test]
fn the_example_profile_is_a_profile() {
    let text = first_toml("docs/src/engineers/profiles.md");
    let profile = Profile::parse("device-profiles/example/pm-100.toml", &text).unwrap_or_else(|faults| {
        panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    });
    assert_eq!((profile.points.len(), profile.frames.len()), (3, 1));
}
