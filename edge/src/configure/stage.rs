//! A configuration on one line only, while the others are as they were. Pure.

use std::collections::BTreeSet;

use steward_shared::document::Fault;

use crate::config::{Config, LineConfig, WireConfig};

/// What was before, with this one line as it is wanted: changed, new or gone. A fault where it cannot stand beside the
/// others as they are.
pub fn only_line(before: &Config, wanted: &Config, line: &str) -> Result<Config, Fault> {
    let named = |config: &Config| config.lines.iter().find(|l| l.name == line).cloned();
    let (was, is) = (named(before), named(wanted));
    let refuse = |message: String| Err(Fault::of_file("", message, "try another line first, or all at once"));
    if was.is_none() && is.is_none() {
        return refuse(format!("there is no line {line} to begin with"));
    }
    if was == is {
        return refuse(format!("line {line} does not change"));
    }
    let others = before.lines.iter().filter(|l| l.name != line);
    let lines: Vec<LineConfig> = others.cloned().chain(is).collect();
    let mut devices = BTreeSet::new();
    for (line, device) in lines.iter().flat_map(|l| l.devices.iter().map(move |d| (l, d))) {
        if !devices.insert(&device.name) {
            return refuse(format!(
                "the device {} would stand on line {} and another",
                device.name, line.name
            ));
        }
    }
    let mut ports = BTreeSet::new();
    if let Some(twin) = lines.iter().find(|l| port(&l.wire).is_some_and(|port| !ports.insert(port))) {
        return refuse(format!("line {} would share its port with another", twin.name));
    }
    Ok(Config { lines, ..before.clone() })
}

/// What one line only may have.
fn port(wire: &WireConfig) -> Option<String> {
    match wire {
        WireConfig::Tcp { host, port, .. } => Some(format!("{host}:{port}")),
        WireConfig::Serial(serial) => Some(serial.path.clone()),
        WireConfig::Mstp(trunk) => Some(trunk.path.clone()),
        WireConfig::Bacnet(network) => Some(network.listen.to_string()),
        WireConfig::Listen(_) | WireConfig::Mqtt(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;

    fn config(lines: &[(&str, u16, &[&str])]) -> Config {
        let device = |(unit, name): (usize, &&str)| {
            let address = unit + 1;
            format!(
                "[[line.device]]\nname = \"{name}\"\nprofile = \"schneider/pm5350\"\naddress = {address}\n"
            )
        };
        let line = |(line, port, devices): &(&str, u16, &[&str])| {
            let devices: String = devices.iter().enumerate().map(device).collect();
            format!("[[line]]\nname = \"{line}\"\nkind = \"tcp\"\nhost = \"h\"\nport = {port}\n{devices}")
        };
        let text = "[gateway]\nname = \"t\"\n".to_owned() + &lines.iter().map(line).collect::<String>();
        parse("edge.toml", &text, Path::new("/"), []).unwrap()
    }

    fn shown(config: &Config) -> Vec<(String, usize)> {
        config.lines.iter().map(|l| (l.name.clone(), l.devices.len())).collect()
    }

    #[test]
    fn only_the_one_line_is_as_it_is_wanted() {
        let before = config(&[("a", 1, &["x"]), ("b", 2, &["y"]), ("c", 3, &[])]);
        let wanted = config(&[("a", 1, &["x", "z"]), ("b", 2, &["y", "w"]), ("d", 4, &["v"])]);
        let staged = |line: &str| shown(&only_line(&before, &wanted, line).unwrap());
        let lines =
            |all: &[(&str, usize)]| all.iter().map(|(n, d)| ((*n).to_owned(), *d)).collect::<Vec<_>>();
        assert_eq!(staged("a"), lines(&[("b", 1), ("c", 0), ("a", 2)]));
        assert_eq!(staged("d"), lines(&[("a", 1), ("b", 1), ("c", 0), ("d", 1)]));
        assert_eq!(staged("c"), lines(&[("a", 1), ("b", 1)]), "gone");
    }

    #[test]
    fn a_line_that_cannot_stand_beside_the_others_as_they_are_is_refused() {
        let before = config(&[("a", 1, &["x"]), ("b", 2, &["y"])]);
        let told = |wanted: &Config, line: &str| only_line(&before, wanted, line).unwrap_err().message;
        let moved = config(&[("a", 1, &[]), ("b", 2, &["y", "x"])]);
        assert_eq!(told(&moved, "b"), "the device x would stand on line b and another");
        let swapped = config(&[("a", 2, &["x"]), ("b", 1, &["y"])]);
        assert!(told(&swapped, "a").contains("share its port"));
        assert_eq!(told(&moved, "e"), "there is no line e to begin with");
        assert_eq!(told(&before, "a"), "line a does not change");
    }
}
