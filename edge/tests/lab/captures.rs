//! Captures of lines as they are run in the field: with several questions under way.

use super::*;

#[test]
fn a_capture_with_several_questions_under_way_is_a_test_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut device = Running::start(&["simulate", "eastron/sdm630", "--listen", "127.0.0.1:0"], dir.path());
    let at = device.says("answers Modbus TCP at");
    let port = at.rsplit(':').next().unwrap();
    let line = format!("kind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\nin_flight = 4");
    meter_file(dir.path(), &line, "eastron/sdm630", "1");
    let file = dir.path().join("edge.toml");
    let quick = "[periods]\nfast = \"1s\"\nnormal = \"1s\"\nslow = \"1s\"\n[[line]]";
    let text = std::fs::read_to_string(&file).unwrap().replace("[[line]]", quick);
    std::fs::write(&file, text.replace("\"1\"", "1")).unwrap();
    let captured = edge(&["capture", "l", "--for", "3s"], dir.path());
    assert!(captured.status.success(), "{}", said(&captured));
    let text = std::fs::read_to_string(dir.path().join("l.capture")).unwrap();
    let marks: Vec<&str> = text.lines().filter_map(|l| l.split(' ').nth(1)).collect();
    assert!(marks.windows(2).any(|two| two == [">", ">"]), "several are under way: {text}");
    let check = || edge(&["replay", "l.capture", "--check", "eastron/sdm630"], dir.path());
    let checked = check();
    // Its registers have holes: what is read over is refused once. The last questions are cut off by the end.
    let told = said(&checked);
    let failed: Vec<&str> = told.lines().filter(|line| line.starts_with("line ")).collect();
    let unfinished = failed.iter().filter(|line| line.ends_with("no reply")).count();
    assert!(checked.status.success() && told.contains("frequency  "), "{told}");
    assert!(
        failed.iter().filter(|line| line.contains("exception 2")).count() + unfinished == failed.len(),
        "{told}"
    );
    assert!(unfinished <= 4, "{told}");

    let deaf: Vec<&str> = text.lines().filter(|line| !line.contains(" < ")).collect();
    std::fs::write(dir.path().join("l.capture"), deaf.join("\n")).unwrap();
    let nothing = check();
    assert_eq!(nothing.status.code(), Some(1), "{}", said(&nothing));
    assert!(said(&nothing).contains("it proves nothing"), "{}", said(&nothing));
}
