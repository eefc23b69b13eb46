//! Captures of lines as they are run in the field: with several questions under way.

use super::*;

/// Has every point of the gateway's file read each second.
fn quickly(dir: &Path) {
    let file = dir.join("edge.toml");
    let quick = "[periods]\nfast = \"1s\"\nnormal = \"1s\"\nslow = \"1s\"\n[[line]]";
    let text = std::fs::read_to_string(&file).unwrap().replace("[[line]]", quick);
    std::fs::write(&file, text.replace("address = \"1\"", "address = 1")).unwrap();
}

#[test]
fn a_capture_with_several_questions_under_way_is_a_test_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut device = Running::start(&["simulate", "eastron/sdm630", "--listen", "127.0.0.1:0"], dir.path());
    let at = device.says("answers Modbus TCP at");
    let port = at.rsplit(':').next().unwrap();
    let line = format!("kind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\nin_flight = 4");
    meter_file(dir.path(), &line, "eastron/sdm630", "1");
    quickly(dir.path());
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

#[test]
fn a_capture_of_each_language_is_a_test_a_device_and_is_taken_apart() {
    for (profile, address, point, value) in [
        ("dlt645/three-phase", "210401230645", "frequency", "49.25"),
        ("cjt188/water-1f90", "78330011223344", "volume", "12.25"),
        ("kamstrup/multical-601", "5", "flow-temperature", "71.5"),
        ("logarex/lk13", "0013", "frequency", "49.3"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (device, set) = (format!("{profile}@{address}"), format!("{point}={value}"));
        let port_of = |at: &str| -> String {
            let behind = at.split("127.0.0.1:").nth(1).unwrap();
            behind.chars().take_while(char::is_ascii_digit).collect()
        };
        let line = |port: &str| {
            format!("kind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\nframing = \"transparent\"")
        };
        let mut meter =
            Running::start(&["simulate", &device, "--listen", "127.0.0.1:0", "--set", &set], dir.path());
        let port = port_of(&meter.says(" at 127.0.0.1:"));
        meter_file(dir.path(), &line(&port), profile, address);
        quickly(dir.path());
        let captured = edge(&["capture", "l", "--for", "6s"], dir.path());
        assert!(captured.status.success(), "{device}: {}", said(&captured));
        drop(meter);
        let check = || edge(&["replay", "l.capture", "--check", profile], dir.path());
        let checked = check();
        let told = said(&checked);
        assert!(checked.status.success() && told.contains(&format!("{point}  {value}")), "{device}: {told}");

        let heard = edge(&["sniff", "--file", "l.capture", "--profile", profile], dir.path());
        let told = said(&heard);
        assert!(told.contains("ask meter") && told.contains(" 0 damaged"), "{device}: {told}");
        assert!(told.contains(&format!("unit {address}: asked")), "{device}: {told}");

        let mut replayed = Running::start(&["replay", "l.capture", "--listen", "127.0.0.1:0"], dir.path());
        let port = port_of(&replayed.says("answers as the capture did"));
        meter_file(dir.path(), &line(&port), profile, address);
        let read = edge(&["read", &format!("m/{point}")], dir.path());
        assert!(said(&read).contains(value), "{device}: {}", said(&read));

        let file = dir.path().join("l.capture");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text + &format!("= {point} 1\n")).unwrap();
        let broken = check();
        assert!(broken.status.code() == Some(1) && said(&broken).contains("where 1 is stated"), "{device}");
    }
}

#[test]
fn a_line_whose_frames_are_damaged_says_which_language_it_looks_like() {
    let dir = tempfile::tempdir().unwrap();
    let sniffed = |framing: &str, bytes: &str| {
        let text =
            format!("# steward capture 1\n# framing = {framing}\n# character = 9600 8N1\n0.1 ? {bytes}\n");
        std::fs::write(dir.path().join("a.capture"), text).unwrap();
        said(&edge(&["sniff", "--file", "a.capture"], dir.path()))
    };
    // The sum is one too high.
    let meter = sniffed("rtu", "68 61 01 00 00 00 00 68 11 04 33 33 34 33 15 16");
    assert!(meter.contains("looks like DL/T 645"), "{meter}");
    let ascii = sniffed("rtu", "3A 30 31 30 33 30 43 32 35 30 30 30 32 43 39 0D 0A");
    assert!(ascii.contains("looks like Modbus ASCII"), "{ascii}");
    let noise = sniffed("rtu", "FF FF 00 F0");
    assert!(noise.contains("compare rate, parity and data bits, then look at the wires"), "{noise}");
    assert!(sniffed("tcp", "00 01").contains("the frames of this capture are Modbus TCP"));
}
