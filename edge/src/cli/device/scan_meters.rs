//! `steward-edge scan` for meters: who is alone on a line of DL/T 645 or CJ/T 188 says his address; on an M-Bus every primary
//! number is asked, and then the secondary addresses are searched digit by digit.

use std::time::Duration;

use serde_json::json;
use steward_protocols::exchange::Exchange;
use steward_protocols::mbus::{self, Heard, Identity, Mask, Search};
use steward_protocols::question::Address;
use steward_protocols::{cjt188, dlt645};
use steward_shared::profile::dlt645::Version;
use steward_shared::profile::{Language, Library, Pace};
use steward_shared::reading::Quality;

use super::super::out::Out;
use super::super::text::scan as text;
use super::identify_meter::known_meter;
use super::known::{self, Known, Said};
use super::reach::why;
use crate::config::LineConfig;
use crate::lend::Reach;
use crate::line::{Failure, Manner};

/// A meter of DL/T 645 wants to be woken, and may take half a second.
const METER: Duration = Duration::from_millis(600);
/// Primary numbers of M-Bus.
const LAST: u8 = 250;

/// A meter that answered.
pub struct Meter {
    pub line: LineConfig,
    pub address: Address,
    pub known: Known,
}

/// What a question to nobody in particular came to.
enum Came {
    Nothing,
    Contents(Vec<u8>),
    /// Several, or noise.
    Broken,
}

async fn ask(
    reach: &mut Reach,
    exchange: Box<dyn Exchange>,
    language: &Language,
    patience: Duration,
    out: Out,
) -> Result<Came, String> {
    let pace = Pace { timeout: Some(patience), ..Pace::default() };
    let manner = Manner { language, pace: &pace, character: None };
    match reach.ask(exchange, manner, Some(patience)).await {
        Ok(Ok(contents)) => Ok(Came::Contents(contents)),
        Ok(Err(_)) | Err(Failure::Device { quality: Quality::NoReply, .. } | Failure::HungUp(_)) => {
            Ok(Came::Nothing)
        }
        Err(Failure::Device { .. } | Failure::Babbling) => Ok(Came::Broken),
        Err(failure) => Err(why(reach, &failure, out)),
    }
}

/// The language of a meter as its profiles usually have it.
fn language(library: &Library, is: impl Fn(&Language) -> bool) -> Option<Language> {
    library.iter().map(|p| &p.language).find(|l| is(l)).cloned()
}

/// A meter that is alone on the line says its address: DL/T 645, and CJ/T 188 in both its byte orders.
pub async fn alone(line: &LineConfig, library: &Library, out: Out) -> Result<Vec<Address>, String> {
    let mut found = Vec::new();
    let dialect = dlt645::Dialect { version: Version::V2007, wake_up: 4 };
    let request = dlt645::Request::ReadAddress;
    let exchange =
        dlt645::Decoder::new(request, dlt645::Address::ANYBODY, dialect).map_err(|e| e.to_string())?;
    let mut reach = Reach::for_scan(line);
    if let Some(language) = language(library, |l| matches!(l, Language::Dlt645(_)))
        && let Came::Contents(contents) = ask(&mut reach, Box::new(exchange), &language, METER, out).await?
        && let Some(wire) = contents.first_chunk::<6>()
    {
        found.push(Address::Dlt645(dlt645::Address::new(*wire)));
    }
    let Some(language) = language(library, |l| matches!(l, Language::Cjt188(_))) else { return Ok(found) };
    for low_byte_first in [false, true] {
        let dialect = cjt188::Dialect { meter: 0xAA, low_byte_first, wake_up: 4 };
        let request = cjt188::Request::ReadAddress;
        let exchange = cjt188::Decoder::new(request, cjt188::Address::ANYBODY, dialect);
        if let Came::Contents(contents) = ask(&mut reach, Box::new(exchange), &language, METER, out).await?
            && let Some(wire) = contents.first_chunk::<7>()
        {
            found.push(Address::Cjt188(cjt188::Address::new(*wire)));
            break;
        }
    }
    Ok(found)
}

/// Asks a meter that was found what it is.
pub async fn meet(
    line: &LineConfig,
    address: Address,
    said: Vec<Said>,
    setting: &str,
    library: &Library,
    out: Out,
) -> Result<Meter, String> {
    out.progress_over();
    let language = match address {
        Address::Dlt645(_) => "DL/T 645",
        Address::Cjt188(_) => "CJ/T 188",
        _ => "M-Bus",
    };
    out.text(text::meter(out.lang, setting, language, &address.to_string()));
    let mut reach = Reach::by_hand(line);
    let known = match known_meter(&mut reach, line, address, said, library, out).await {
        Ok(known) => known,
        Err(why) => {
            out.aside(why);
            Known::default()
        }
    };
    out.progress_over();
    known::tell(&known, out);
    let mut value = known::value(&json!(address.to_string()), &known);
    value["setting"] = json!(setting);
    value["language"] = json!(language);
    out.value(&value);
    Ok(Meter { line: line.clone(), address, known })
}

/// Searches an M-Bus. `told` is called with how far it is; it answers whether to go on.
pub async fn bus(
    line: &LineConfig,
    patience: Duration,
    library: &Library,
    mut told: impl FnMut(&str, usize),
    out: Out,
) -> Result<Vec<(mbus::Address, Identity)>, String> {
    let Some(language) = language(library, |l| matches!(l, Language::Mbus(_))) else { return Ok(Vec::new()) };
    let mut reach = Reach::for_scan(line);
    let mut found: Vec<(mbus::Address, Identity)> = Vec::new();
    let mut ask_at = async |address: mbus::Address| {
        let exchange = mbus::Decoder::new(mbus::Request::Identify, address);
        ask(&mut reach, Box::new(exchange), &language, patience, out).await
    };
    for number in 0..=LAST {
        told(&number.to_string(), found.len());
        match ask_at(mbus::Address::Primary(number)).await? {
            Came::Contents(contents) => {
                if let Some(wire) = contents.first_chunk::<8>() {
                    found.push((mbus::Address::Primary(number), Identity::from_wire(*wire)));
                }
            }
            Came::Broken => out.aside(text::several(out.lang, &number.to_string())),
            Came::Nothing => {}
        }
    }
    let mut search = Search::new(Mask::OPEN);
    while let Some(mask) = search.next() {
        told(&mask.to_string(), found.len().max(search.found().len()));
        search.heard(match ask_at(mbus::Address::Secondary(mask)).await? {
            Came::Nothing => Heard::Nobody,
            Came::Broken => Heard::Several,
            Came::Contents(contents) => contents
                .first_chunk::<8>()
                .map_or(Heard::Several, |wire| Heard::One(Identity::from_wire(*wire))),
        });
    }
    for mask in search.undecided() {
        out.aside(text::several(out.lang, &mask.to_string()));
    }
    let by_number: Vec<Identity> = found.iter().map(|(_, identity)| *identity).collect();
    let others = search.found().iter().filter(|identity| !by_number.contains(identity));
    found.extend(others.map(|identity| (mbus::Address::Secondary(Mask::exactly(*identity)), *identity)));
    Ok(found)
}

/// What a meter of M-Bus says that it is.
pub fn identity_said(identity: Identity, out: Out) -> Vec<Said> {
    vec![Said { key: "identity".to_owned(), name: text::secondary(out.lang), text: identity.to_string() }]
}
