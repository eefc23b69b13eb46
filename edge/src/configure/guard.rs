//! What only the file on site may say. A hub that somebody has taken over must open no point for writing, move no data,
//! and send no password of the gateway elsewhere: each is compared with the file on site, which the hub cannot change.

use std::time::Duration;

use steward_shared::document::Fault;

use crate::config::{BrokerConfig, Config, DeviceConfig, LineConfig, RemoteWrite, WireConfig};

/// Every way in which `wanted` says what only `site` may.
pub fn only_on_site(site: &Config, wanted: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut refuse = |message: String, way_out: &str| faults.push(Fault::of_file("", message, way_out));
    let tables = [
        ("[gateway] data", site.data == wanted.data),
        ("[hub] configure and trial", site.from_hub == wanted.from_hub),
        ("[profiles] folders", site.folders == wanted.folders),
        ("[http] listen", site.http == wanted.http),
        ("[buffer]", site.buffer == wanted.buffer),
        ("[evidence]", site.evidence == wanted.evidence),
        ("[log]", site.log == wanted.log),
        // What is said there is said with the site's name and password, and others act upon it.
        ("[[publish]]", site.publish == wanted.publish),
    ];
    for (name, _) in tables.into_iter().filter(|(_, is_same)| !is_same) {
        refuse(format!("{name} is only changed on site"), "leave it as the gateway's own file has it");
    }
    if wanted.hub.is_none() {
        refuse("without [hub] address nobody would reach the gateway again".to_owned(), "keep the address");
    }
    for (line, device) in devices(wanted) {
        let open = devices(site).find(|(l, d)| is_same_place((*l, *d), (line, device))).map(|(_, d)| d);
        for (point, remote) in &device.remote {
            let opened = open.and_then(|d| d.remote.get(point));
            if !opened.is_some_and(|opened| is_no_wider(*opened, *remote)) {
                refuse(
                    format!("remote_write of {}/{point} would allow more than the file on site", device.name),
                    "only who stands at the plant opens a point: change it in the gateway's own file",
                );
            }
        }
    }
    let known: Vec<_> = brokers(site).filter_map(files).collect();
    for broker in brokers(wanted).filter(|b| files(b).is_some_and(|named| !known.contains(&named))) {
        refuse(
            format!("the broker {} has files that the file on site does not name with it", broker.host),
            "leave host, port, ca, user and password_file as they are, or change them on site",
        );
    }
    faults
}

/// A value that comes back at its time finds its point as it was: device and key of each are `held`.
pub fn holds_stay(before: &Config, wanted: &Config, held: &[(String, String)]) -> Vec<Fault> {
    let moves = |(device, point): &&(String, String)| {
        let Some(was) = devices(before).find(|(_, d)| d.name == *device) else { return false };
        !devices(wanted)
            .any(|now| is_same_place(was, now) && was.1.remote.get(point) == now.1.remote.get(point))
    };
    let fault = |(device, point): &(String, String)| {
        Fault::of_file(
            "",
            format!("{device}/{point} has a value that comes back at its time"),
            "leave its device as it is until then, or give the value up first",
        )
    };
    held.iter().filter(moves).map(fault).collect()
}

fn devices(config: &Config) -> impl Iterator<Item = (&LineConfig, &DeviceConfig)> {
    config.lines.iter().flat_map(|line| line.devices.iter().map(move |device| (line, device)))
}

/// Another address under the same name would be another plant.
fn is_same_place((line, device): (&LineConfig, &DeviceConfig), other: (&LineConfig, &DeviceConfig)) -> bool {
    (&line.name, &line.wire) == (&other.0.name, &other.0.wire)
        && (&device.name, &device.address) == (&other.1.name, &other.1.address)
        && device.profile.id == other.1.profile.id
}

fn is_no_wider(site: RemoteWrite, wanted: RemoteWrite) -> bool {
    wanted.two_persons >= site.two_persons
        && wanted.time_boxed >= site.time_boxed
        && wanted.priority >= site.priority
        && wanted.per_minute <= site.per_minute
}

fn brokers(config: &Config) -> impl Iterator<Item = &BrokerConfig> {
    config.lines.iter().filter_map(|line| match &line.wire {
        WireConfig::Mqtt(broker) => Some(broker),
        _ => None,
    })
}

/// A broker for which files of the gateway are read, without what may differ: nobody else is told what is in them.
fn files(broker: &BrokerConfig) -> Option<BrokerConfig> {
    broker.password_file.as_ref().or(broker.ca.as_ref())?;
    Some(BrokerConfig { client_id: None, keep_alive: Duration::ZERO, ..broker.clone() })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use steward_shared::document::listing;

    use super::*;
    use crate::config::parse;

    const PROFILE: &str = "vendor = \"Acme\"\nmodel = \"B1\"\ntitle = { zh = \"锅炉\", en = \"Boiler\" }\nsource = [\"made up\"]\n\
        [[point]]\nkey = \"setpoint\"\ntitle = { zh = \"设定\", en = \"Setpoint\" }\ntable = \"holding\"\naddress = 10\n\
        type = \"i16\"\nunit = \"Cel\"\nwrite = { min = 30, max = 80 }\n";
    const SITE: &str = "[gateway]\nname = \"east\"\n[hub]\naddress = \"h:7443\"\n[profiles]\nfolders = [\"profiles\"]\n\
        [[line]]\nname = \"l\"\nkind = \"tcp\"\nhost = \"10.0.0.2\"\nport = 502\n[[line.device]]\nname = \"boiler\"\n\
        profile = \"acme/b1\"\naddress = 1\nremote_write = { time_boxed = [\"setpoint\"], per_minute = 6 }\n\
        [[line]]\nname = \"m\"\nkind = \"mqtt\"\nhost = \"hall\"\nuser = \"s\"\npassword_file = \"/etc/steward/p\"\n\
        [[publish]]\nname = \"bms\"\nhost = \"broker\"\nformat = \"json\"\n";

    fn refused(from: &str, to: &str) -> String {
        assert!(SITE.contains(from), "{from}");
        let folder = tempfile::tempdir().unwrap();
        for path in ["profiles/acme", "more"] {
            std::fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        std::fs::write(folder.path().join("profiles/acme/b1.toml"), PROFILE).unwrap();
        let read = |text: &str| read_in(folder.path(), text);
        listing(&only_on_site(&read(SITE), &read(&SITE.replace(from, to))))
    }

    fn read_in(folder: &Path, text: &str) -> Config {
        parse("edge.toml", text, folder, []).unwrap_or_else(|faults| panic!("{}", listing(&faults)))
    }

    #[test]
    fn what_is_polled_how_often_and_under_which_name_is_the_hubs_to_change() {
        assert_eq!(refused("name = \"east\"", "name = \"west\""), "");
        assert_eq!(refused("[[publish]]", "[periods]\nnormal = \"5s\"\n[[publish]]"), "");
        assert_eq!(refused("h:7443", "h2:7443"), "");
        assert_eq!(
            refused("host = \"10.0.0.2\"", "host = \"10.0.0.3\"\ntimeout = \"2s\"")
                .matches("more than")
                .count(),
            1
        );
    }

    #[test]
    fn a_hub_that_is_taken_over_opens_no_point() {
        for (from, to) in [
            ("time_boxed = [\"setpoint\"], per_minute = 6", "per_minute = 6"),
            ("per_minute = 6", "per_minute = 60"),
            ("per_minute = 6", "priority = 7"),
            ("address = 1\nremote", "address = 9\nremote"),
            ("10.0.0.2", "10.0.0.3"),
            ("name = \"boiler\"", "name = \"pump\""),
        ] {
            assert!(refused(from, to).contains("remote_write of"), "{to}");
        }
        assert_eq!(
            refused("remote_write = { time_boxed = [\"setpoint\"], per_minute = 6 }", ""),
            "",
            "closed"
        );
        assert_eq!(refused("per_minute = 6", "per_minute = 1, two_persons = [\"setpoint\"]"), "", "narrowed");
    }

    #[test]
    fn a_point_whose_value_comes_back_stays_as_it_is_until_then() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("profiles/acme")).unwrap();
        std::fs::write(folder.path().join("profiles/acme/b1.toml"), PROFILE).unwrap();
        let before = read_in(folder.path(), SITE);
        let held = [("boiler".to_owned(), "setpoint".to_owned())];
        let told = |from: &str, to: &str| {
            listing(&holds_stay(&before, &read_in(folder.path(), &SITE.replace(from, to)), &held))
        };
        assert_eq!(told("name = \"east\"", "name = \"west\""), "");
        for (from, to) in [
            ("address = 1\nremote", "address = 9\nremote"),
            ("name = \"boiler\"", "name = \"pump\""),
            ("remote_write = { time_boxed = [\"setpoint\"], per_minute = 6 }", ""),
        ] {
            assert!(told(from, to).contains("boiler/setpoint has a value that comes back"), "{to}");
        }
        assert!(
            holds_stay(
                &before,
                &read_in(folder.path(), "[gateway]\nname = \"e\"\n[profiles]\nfolders = [\"profiles\"]"),
                &[]
            )
            .is_empty()
        );
    }

    #[test]
    fn passwords_data_and_doors_stay_where_the_site_has_them() {
        for (from, to) in
            [("host = \"hall\"", "host = \"thief\""), ("/etc/steward/p", "/var/lib/steward-edge/key")]
        {
            assert!(refused(from, to).contains("the broker"), "{to}");
        }
        let topic = refused("format = \"json\"", "format = \"json\"\ntopic = \"{device}/{point}\"");
        assert!(topic.contains("[[publish]] is only changed on site"), "{topic}");
        for (table, name) in [
            ("[http]\nlisten = \"0.0.0.0:1\"", "[http] listen"),
            ("[buffer]\nquota = \"16MiB\"", "[buffer]"),
            ("[evidence]\nkeep = \"0s\"", "[evidence]"),
            ("[log]\nlevel = \"error\"", "[log]"),
        ] {
            let told = refused("[[publish]]", &format!("{table}\n[[publish]]"));
            assert!(told.contains(&format!("{name} is only changed on site")), "{told}");
        }
        assert!(refused("name = \"east\"", "name = \"east\"\ndata = \"/tmp\"").contains("[gateway] data"));
        assert!(
            refused("folders = [\"profiles\"]", "folders = [\"profiles\", \"more\"]").contains("[profiles]")
        );
        assert!(
            refused("address = \"h:7443\"", "address = \"h:7443\"\ntrial = \"1h\"")
                .contains("[hub] configure")
        );
        assert!(refused("address = \"h:7443\"", "").contains("nobody would reach"));
    }
}
