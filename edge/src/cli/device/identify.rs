//! `steward-edge identify`: which profile of the library a device looks like, and why. `scan` asks the same of what it
//! finds.

use serde_json::json;
use steward_protocols::question::Address;
use steward_shared::document::listing;
use steward_shared::profile::Library;

use super::super::out::Out;
use super::super::text::scan as text;
use super::identify_meter::known_meter;
use super::identify_network::known_node;
use super::identify_registers::known_registers;
use super::known::{Known, tell, value};
use super::network::Net;
use super::place::Place;
use super::reach::by_file;
use super::words::IdentifyWords;
use crate::lend::Reach;

pub async fn identify(words: IdentifyWords, out: Out) -> Result<(), String> {
    let (known, address) = match (words.line.config(), &words.target) {
        (Some(line), _) => {
            let library = Library::load(&words.profiles).map_err(|faults| listing(&faults))?;
            let mut reach = Reach::by_hand(&line);
            let known = known_registers(&mut reach, &line, words.address, &library, out).await?;
            (known, json!(words.address))
        }
        (None, Some(target)) => {
            let place = Place::find(&words.config, target, out)?;
            let address = match place.device().address {
                Address::Modbus(unit) => json!(unit),
                Address::Bacnet(node) => json!(node.instance),
                address => json!(address.to_string()),
            };
            (of_place(&place, out).await?, address)
        }
        (None, None) => return Err(text::name_it(out.lang)),
    };
    out.progress_over();
    tell(&known, out);
    out.value(&value(&address, &known));
    if known.proposals.is_empty() { Err(text::no_profile(out.lang)) } else { Ok(()) }
}

/// A device of the gateway's file, whatever it speaks.
async fn of_place(place: &Place, out: Out) -> Result<Known, String> {
    let library = Library::load(&place.config.folders).map_err(|faults| listing(&faults))?;
    let (line, device) = (place.line(), place.device());
    if let Address::Bacnet(node) = device.address {
        let net = Net::by_file(&place.config, line, out).await?;
        let known = match net.find(device, out).await {
            Ok(peer) => known_node(&net, peer, node.instance, &library, out).await,
            Err(why) => Err(why),
        };
        net.close().await;
        return known;
    }
    let mut reach = by_file(&place.config, line, out).await?;
    match device.address {
        Address::Modbus(unit) => known_registers(&mut reach, line, unit, &library, out).await,
        address => known_meter(&mut reach, line, address, Vec::new(), &library, out).await,
    }
}
