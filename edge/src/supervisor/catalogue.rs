//! What the gateway's batches may speak of: the catalogue for the hub and the rows of the status page, made
//! from a configuration and the numbers that the buffer gave its points. The supervisor calls it, and the command line,
//! which must not find in order what the supervisor refuses.

use std::path::Path;

use steward_protocols::question::Address;
use steward_shared::document::Fault;
use steward_shared::id::PointNo;
use steward_shared::profile::PointDef;
use steward_shared::wire::catalogue::{MAX_DEVICES, MAX_POINTS};
use steward_shared::wire::frame::{MAX_FRAME, to_cbor};
use steward_shared::wire::message::{Catalogue, CatalogueDevice, CataloguePoint, CatalogueWrite};

use crate::command::step;
use crate::config::{self, Config, DeviceConfig, LineConfig, WireConfig};
use crate::poll::{Described, impossible};
use crate::texts::Texts;

/// Bytes of a frame around the catalogue.
const AROUND: usize = 64;

/// The gateway's file, read and found in order: what it configures fits into one message to the hub, too.
pub fn read(path: &Path) -> Result<Config, Vec<Fault>> {
    let config = config::load(path)?;
    in_order(&path.display().to_string(), &config)?;
    Ok(config)
}

/// Whether the wires carry what is asked of them, and the hub hears of all of it. The faults name the file `name`.
pub fn in_order(name: &str, config: &Config) -> Result<(), Vec<Fault>> {
    let mut faults = overloaded(config);
    faults.extend(fits(config, MAX_FRAME - AROUND).err());
    if faults.is_empty() {
        return Ok(());
    }
    Err(faults.into_iter().map(|fault| Fault { file: name.to_owned(), ..fault }).collect())
}

/// The lines whose wire cannot carry what is asked of it.
fn overloaded(config: &Config) -> Vec<Fault> {
    let fault = |line: &LineConfig| {
        let load = impossible(line)?;
        let (percent, late) = ((load.least * 100.0).round(), load.trouble().unwrap_or_default());
        let message = format!(
            "line {} needs {percent} % of its wire, if its devices took no time at all; {late}",
            line.name
        );
        Some(Fault::of_file("", message, load.way_out()))
    };
    config.lines.iter().filter_map(fault).collect()
}

fn fits(config: &Config, most: usize) -> Result<(), Fault> {
    let points = names(config).len();
    let devices: usize = config.lines.iter().map(|l| l.devices.len()).sum();
    let way_out = "give some of the devices to a second gateway";
    if devices > MAX_DEVICES || points > MAX_POINTS {
        let message = format!(
            "{devices} devices with {points} points are more than a hub takes from one gateway ({MAX_DEVICES} and \
             {MAX_POINTS})"
        );
        return Err(Fault::of_file("", message, way_out));
    }
    // The largest numbers take the most bytes.
    let numbers: Vec<_> = (0..points).map(|_| PointNo(u32::MAX)).collect();
    let bytes = to_cbor(&catalogue(config, &shared_out(config, &numbers))).map_or(0, |bytes| bytes.len());
    if bytes <= most {
        return Ok(());
    }
    let message =
        format!("{points} points are more than one gateway can tell its hub about ({bytes} bytes of {most})");
    Err(Fault::of_file("", message, way_out))
}

/// Device and point of everything that is configured, line by line, in the order of the file and the profile.
pub fn names(config: &Config) -> Vec<(String, String)> {
    let of_device = |d: &DeviceConfig| {
        let device = d.name.clone();
        d.profile.points.iter().map(move |p| (device.clone(), p.key.clone())).collect::<Vec<_>>()
    };
    config.lines.iter().flat_map(|l| &l.devices).flat_map(of_device).collect()
}

/// The numbers of `names`, per line and device.
pub fn shared_out(config: &Config, numbers: &[PointNo]) -> Vec<Vec<Vec<PointNo>>> {
    let mut rest = numbers.iter().copied();
    let of_device =
        |d: &DeviceConfig| d.profile.points.iter().filter_map(|_| rest.next()).collect::<Vec<_>>();
    let mut of_device = of_device;
    config.lines.iter().map(|l| l.devices.iter().map(&mut of_device).collect()).collect()
}

pub fn catalogue(config: &Config, numbers: &[Vec<Vec<PointNo>>]) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for (line, numbers) in config.lines.iter().zip(numbers) {
        for (device, numbers) in line.devices.iter().zip(numbers) {
            catalogue.devices.push(CatalogueDevice {
                key: device.name.clone(),
                title: device.title.clone(),
                profile: device.profile.id.clone(),
                vendor: device.profile.vendor.clone(),
                model: device.profile.model.clone(),
                place: device.place.clone(),
                line: line.name.clone(),
                address: address(&line.wire, device.address),
                in_use: true,
            });
            for ((point, rules), no) in device.points().zip(numbers) {
                catalogue.points.push(CataloguePoint {
                    no: *no,
                    device: device.name.clone(),
                    key: point.key.clone(),
                    title: point.title.clone(),
                    unit: point.unit.clone(),
                    kind: point.kind,
                    labels: point.labels.clone(),
                    period_ms: rules.pause(device.period(point, rules)).as_millis() as u64,
                    decimals: point.decimals,
                    modulus: point.modulus,
                    in_use: true,
                    write: writable(device, point),
                });
            }
        }
    }
    catalogue
}

/// What the hub may write: as the profile and the gateway's file allow it.
fn writable(device: &DeviceConfig, point: &PointDef) -> Option<CatalogueWrite> {
    let (write, remote) = (point.write?, device.remote.get(&point.key)?);
    Some(CatalogueWrite {
        min: write.range.map(|(min, _)| min),
        max: write.range.map(|(_, max)| max),
        step: step(point),
        time_boxed: remote.time_boxed,
        two_persons: remote.two_persons,
        priority: point.bacnet().map(|_| remote.priority),
    })
}

pub fn described(config: &Config, numbers: &[Vec<Vec<PointNo>>]) -> Vec<Described> {
    let (mut rows, mut texts) = (Vec::new(), Texts::default());
    for (line, numbers) in config.lines.iter().zip(numbers) {
        for (device, numbers) in line.devices.iter().zip(numbers) {
            for ((point, rules), no) in device.points().zip(numbers) {
                rows.push(Described {
                    no: *no,
                    device: texts.one(&device.name),
                    point: texts.one(&point.key),
                    unit: texts.one(&point.unit),
                    period: device.period(point, rules),
                });
            }
        }
    }
    rows
}

fn address(wire: &WireConfig, address: Address) -> String {
    match wire {
        WireConfig::Tcp { host, port, .. } => format!("{host}:{port}/{address}"),
        WireConfig::Listen(listen) => format!("listen {listen}/{address}"),
        WireConfig::Serial(serial) => format!("{}/{address}", serial.path),
        WireConfig::Bacnet(network) => format!("udp {}/{address}", network.listen),
        WireConfig::Mstp(line) => format!("{}/{address}", line.path),
        WireConfig::Mqtt(broker) => format!("{}:{}/{address}", broker.host, broker.port),
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::document::listing;
    use steward_shared::wire::catalogue::check;

    use super::*;

    fn config(devices: usize, place: &str) -> Config {
        let mut text = String::from("[gateway]\nname = \"east\"\n");
        for device in 0..devices {
            if device % 200 == 0 {
                let host = format!("h{device}{}", "x".repeat(230));
                let line = format!(
                    "[[line]]\nname = \"l{device}\"\nkind = \"tcp\"\nhost = \"{host}\"\nport = 65535\n"
                );
                text.push_str(&line);
            }
            let (name, address) = (format!("{device:文<64}"), device % 200);
            let device = format!(
                "[[line.device]]\nname = \"{name}\"\nplace = \"{place}\"\nprofile = \"omron/e5cc\"\naddress = {address}\n"
            );
            text.push_str(&device);
        }
        crate::config::parse("edge.toml", &text, Path::new("/"), [])
            .unwrap_or_else(|f| panic!("{}", listing(&f)))
    }

    #[test]
    fn what_is_found_in_order_is_what_the_hub_takes() {
        let largest = config(2, &"p".repeat(256));
        assert_eq!(fits(&largest, MAX_FRAME), Ok(()));
        let numbers: Vec<_> = (0..names(&largest).len() as u32).map(PointNo).collect();
        assert_eq!(check(&catalogue(&largest, &shared_out(&largest, &numbers))), Ok(()));

        let told = fits(&config(MAX_DEVICES + 1, ""), usize::MAX).unwrap_err().to_string();
        assert!(told.contains("2001 devices with") && told.contains("second gateway"), "{told}");
    }

    #[test]
    fn more_points_than_fit_into_a_message_are_told_with_the_way_out() {
        let text = "[gateway]\nname = \"east\"\n[[line]]\nname = \"l\"\nkind = \"tcp\"\nhost = \"h\"\nport = 502\n\
                    [[line.device]]\nname = \"m\"\nprofile = \"schneider/pm5350\"\naddress = 1\n";
        let config = crate::config::parse("edge.toml", text, Path::new("/"), []).unwrap();
        assert_eq!(fits(&config, MAX_FRAME), Ok(()));
        let told = fits(&config, 1000).unwrap_err().to_string();
        assert!(
            told.contains("points are more than one gateway") && told.contains("second gateway"),
            "{told}"
        );
    }
}
